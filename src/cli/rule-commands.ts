import type { Command } from "commander";
import { type DelegationRule, DelegationServiceService } from "../../gen/imagetrust/v1/delegation.ts";
import { addChangeFlags } from "./change.ts";
import { changeAndWatch } from "./change-and-watch.ts";
import { addPageFlags, list } from "./lists.ts";
import { collect } from "./option-values.ts";
import type { Perform } from "./session.ts";
import { table } from "./table.ts";
import { moreText, pathsText, timeText, yesNo } from "./words.ts";

/** Adds `rule` to the command. */
export function addRuleCommands(program: Command, perform: Perform): void {
  const rule = program
    .command("rule")
    .description("teams that may sign every repository below a prefix, present and future");
  addCreate(rule, perform);
  addDelete(rule, perform);
  addList(rule, perform);
}

function addCreate(rule: Command, perform: Perform): void {
  const create = rule
    .command("create <prefix> <team>")
    .description("let a team sign all repositories below a prefix, such as dtr.example.org/dev/, and each that comes")
    .option("--path <prefix>", "tag prefix the team may sign (repeatable; default: all)", collect, [])
    .option("--exclude-from-releases", "keep the team out of targets/releases", false);
  addChangeFlags(create, ["orphaned", "revived"]).action((prefix: string, team: string) =>
    perform(create, (session) => {
      const { path, excludeFromReleases } = create.opts<{ path: readonly string[]; excludeFromReleases: boolean }>();
      return changeAndWatch(session, create, {
        method: DelegationServiceService.createDelegationRule,
        request: (options) => ({ gunPrefix: prefixOf(prefix), team, paths: path, excludeFromReleases, options }),
        made: () => "",
        publishes: false,
      });
    }),
  );
}

function addDelete(rule: Command, perform: Perform): void {
  const end = rule
    .command("delete <prefix> <team>")
    .description("end a rule; the delegations that it made stay")
    .option("--end-delegations", "end the delegations that it made as well", false);
  addChangeFlags(end, ["orphaned"]).action((prefix: string, team: string) =>
    perform(end, (session) => {
      const { endDelegations } = end.opts<{ endDelegations: boolean }>();
      return changeAndWatch(session, end, {
        method: DelegationServiceService.deleteDelegationRule,
        request: (options) => ({ gunPrefix: prefixOf(prefix), team, endDelegations, options }),
        made: () => "",
        publishes: false,
      });
    }),
  );
}

function addList(rule: Command, perform: Perform): void {
  const several = rule
    .command("list")
    .description("list rules")
    .option("--prefix <prefix>", "only those whose prefix begins so", "")
    .option("--team <team>", "only those of this team", "");
  addPageFlags(several).action(() =>
    perform(several, (session) => {
      const { prefix, team } = several.opts<{ prefix: string; team: string }>();
      return list(
        session,
        several,
        DelegationServiceService.listDelegationRules,
        (page) => ({ ...page, gunPrefix: prefix, team }),
        "rules",
        ({ rules, nextPageToken }) => (rules.length === 0 ? "No rules.\n" : rulesText(rules) + moreText(nextPageToken)),
      );
    }),
  );
}

/** People write `dtr.example.org/dev/*` for what is below `dtr.example.org/dev/`. */
function prefixOf(text: string): string {
  return text.endsWith("/*") ? text.slice(0, -1) : text;
}

function rulesText(rules: readonly DelegationRule[]): string {
  return table(
    ["PREFIX", "TEAM", "TAGS", "IN RELEASES", "SINCE", "BY", "ROLLOUT"],
    rules.map((rule) => [
      rule.gunPrefix,
      rule.team,
      pathsText(rule.paths),
      yesNo(!rule.excludeFromReleases),
      timeText(rule.createTime),
      rule.actor,
      rule.rollout === "" ? "-" : rule.rollout,
    ]),
  );
}
