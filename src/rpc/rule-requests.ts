import type {
  CreateDelegationRuleRequest,
  DeleteDelegationRuleRequest,
  ListDelegationRulesRequest,
} from "../../gen/imagetrust/v1/delegation.ts";
import type { ChangeOptions } from "../changes/options.ts";
import type { PageRequest } from "../changes/page-token.ts";
import { parseGunPrefix, parseTeamId } from "../names.ts";
import { parsePaths } from "../trust/paths.ts";
import type { CreateDelegationRule } from "../trust/rules/create-rule.ts";
import type { DeleteDelegationRule } from "../trust/rules/delete-rule.ts";
import { parseRulePrefix } from "../trust/rules/rule-prefix.ts";
import type { RuleFilter } from "../trust/rules/rule-store.ts";
import { readOptions } from "./change-options.ts";
import { parseFilter, type Read, readFields, wrong } from "./fields.ts";
import { readPage } from "./page.ts";

export function parseCreateDelegationRule(request: CreateDelegationRuleRequest): CreateDelegationRule {
  return readFields((read) => ({
    gunPrefix: read("gun_prefix", parseRulePrefix(request.gunPrefix)),
    team: read("team", parseTeamId(request.team)),
    paths: read("paths", parsePaths(request.paths)),
    excludeFromReleases: request.excludeFromReleases,
    options: readRuleOptions(read, request.options),
  }));
}

export function parseDeleteDelegationRule(request: DeleteDelegationRuleRequest): DeleteDelegationRule {
  return readFields((read) => ({
    gunPrefix: read("gun_prefix", parseRulePrefix(request.gunPrefix)),
    team: read("team", parseTeamId(request.team)),
    endDelegations: request.endDelegations,
    options: readRuleOptions(read, request.options),
  }));
}

function readRuleOptions(read: Read, given: CreateDelegationRuleRequest["options"]): ChangeOptions {
  const options = readOptions(read, given);
  if (options.etag !== "") read("options.etag", wrong("must be empty; a rule has none"));
  return options;
}

export interface ListDelegationRules {
  readonly filter: RuleFilter;
  readonly page: PageRequest;
}

export function parseListDelegationRules(request: ListDelegationRulesRequest): ListDelegationRules {
  return readFields((read) => ({
    filter: {
      gunPrefix: read("gun_prefix", parseGunPrefix(request.gunPrefix)),
      team: read("team", parseFilter(request.team, parseTeamId, "" as const)),
    },
    page: readPage(read, request),
  }));
}
