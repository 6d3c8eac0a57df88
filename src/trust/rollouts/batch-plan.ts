import { type Plan, quietPlan } from "../../changes/plan.ts";
import type { Transaction } from "../../database.ts";
import type { Collection } from "../collection-store.ts";
import { readDesired } from "../delegation-store.ts";
import type { DesiredDelegation } from "../desired.ts";
import { type CollectionChange, planOf } from "../planner.ts";
import { forecastWarnings, type Judged } from "./batch-guards.ts";

const chunk = 200;

/** What becomes of many repositories whose delegations change so, read a part at a time; with warnings of what was `judged` of them. */
export async function planInChunks(
  tx: Transaction,
  collections: readonly Collection[],
  summary: string,
  now: Date,
  after: (held: readonly DesiredDelegation[]) => readonly DesiredDelegation[],
  judged: Judged | undefined,
): Promise<Plan> {
  const whole: { roles: Plan["roles"][number][]; warnings: Plan["warnings"][number][] } = { roles: [], warnings: [] };
  for (let at = 0; at < collections.length; at += chunk) {
    const part = collections.slice(at, at + chunk);
    const desired = await readDesired(tx, part);
    const changes = part.flatMap((collection): readonly CollectionChange[] => {
      const before = desired.get(collection.id);
      if (before === undefined) return [];
      const changed = { ...before, delegations: after(before.delegations) };
      return [{ before, after: changed, targetsVersion: collection.targetsVersion }];
    });
    const { roles, warnings } = planOf(changes, changes.length, "", now);
    whole.roles.push(...roles);
    whole.warnings.push(...warnings, ...(judged === undefined ? [] : forecastWarnings(changes, judged)));
  }
  return { ...quietPlan(summary), ...whole, collections: collections.length };
}
