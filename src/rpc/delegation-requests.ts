import { PublicationState } from "../../gen/imagetrust/v1/change.ts";
import type {
  DelegateRequest,
  GetDelegationRequest,
  GetRolloutRequest,
  ListDelegationsRequest,
  UndelegateRequest,
} from "../../gen/imagetrust/v1/delegation.ts";
import type { PageRequest } from "../changes/page-token.ts";
import { type Gun, parseGun, parseTeamId, type TeamId } from "../names.ts";
import type { Delegate, Undelegate } from "../trust/delegate.ts";
import { parsePaths } from "../trust/paths.ts";
import { parseRolloutId, type RolloutQuery } from "../trust/rollout-view.ts";
import { readOptions } from "./change-options.ts";
import { parseEnum, parseFilter, readEach, readFields, wrong } from "./fields.ts";
import { readPage } from "./page.ts";

export function parseDelegate(request: DelegateRequest): Delegate {
  return readFields((read) => ({
    gun: read("gun", parseGun(request.gun)),
    team: read("team", parseTeamId(request.team)),
    paths: read("paths", parsePaths(request.paths)),
    excludeFromReleases: request.excludeFromReleases,
    options: readOptions(read, request.options),
  }));
}

export function parseUndelegate(request: UndelegateRequest): Undelegate {
  return readFields((read) => ({
    gun: read("gun", parseGun(request.gun)),
    team: read("team", parseTeamId(request.team)),
    options: readOptions(read, request.options),
  }));
}

export function parseGetDelegation(request: GetDelegationRequest): { readonly gun: Gun; readonly team: TeamId } {
  return readFields((read) => ({
    gun: read("gun", parseGun(request.gun)),
    team: read("team", parseTeamId(request.team)),
  }));
}

export interface ListDelegations {
  readonly filter: { readonly gun: Gun | ""; readonly team: TeamId | "" };
  readonly page: PageRequest;
}

export function parseListDelegations(request: ListDelegationsRequest): ListDelegations {
  return readFields((read) => {
    if (request.gun === "" && request.team === "") {
      read("gun", wrong("must be given, or team must"));
      read("team", wrong("must be given, or gun must"));
    }
    return {
      filter: {
        gun: read("gun", parseFilter(request.gun, parseGun, "" as const)),
        team: read("team", parseFilter(request.team, parseTeamId, "" as const)),
      },
      page: readPage(read, request),
    };
  });
}

export function parseGetRollout(request: GetRolloutRequest): {
  readonly query: RolloutQuery;
  readonly page: PageRequest;
} {
  return readFields((read) => ({
    query: {
      id: read("id", parseRolloutId(request.id)),
      states: readEach(read, "states", request.states, 100, (state, path) =>
        read(path, parseEnum(PublicationState, state)),
      ),
    },
    page: readPage(read, request),
  }));
}
