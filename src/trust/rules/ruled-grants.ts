import type { Transaction } from "../../database.ts";
import type { Gun, TeamId } from "../../names.ts";
import type { TeamGrant } from "../initialize.ts";
import { holdRulesStill, rulesOver } from "./rule-store.ts";

/**
 * The teams that rules delegate a repository to which becomes ours now, except those that are named already: what is said of this
 * repository outweighs what is said of all. Whatever makes a collection calls it, before any other lock of its transaction; rules
 * stand still until the transaction ends.
 */
export async function grantsByRules(
  tx: Transaction,
  gun: Gun,
  named: ReadonlySet<TeamId>,
): Promise<readonly TeamGrant[]> {
  const [, rules] = await Promise.all([holdRulesStill(tx), rulesOver(tx, gun)]);
  return rules
    .filter(({ team }) => !named.has(team))
    .map(({ id, team, paths, inReleases }) => ({ team, paths, excludeFromReleases: !inReleases, ruleId: id }));
}
