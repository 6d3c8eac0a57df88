import type { Call } from "../../audit/call.ts";
import { type Changed, makeChange } from "../../changes/mutation.ts";
import type { ChangeOptions } from "../../changes/options.ts";
import { nothingToPublish } from "../../changes/outcome.ts";
import { type Plan, quietPlan } from "../../changes/plan.ts";
import type { Queryable, Transaction } from "../../database.ts";
import type { Gun, TeamId } from "../../names.ts";
import { findCollectionsOf } from "../collection-store.ts";
import type { DesiredDelegation } from "../desired.ts";
import { countOf, type PermitEvery, startBatch } from "../rollouts/batch-delegate.ts";
import { type Judged, judgeBatch, judgedWords } from "../rollouts/batch-guards.ts";
import { planInChunks } from "../rollouts/batch-plan.ts";
import { cancelBatchItems } from "../rollouts/batch-store.ts";
import type { TrustRoom } from "../room.ts";
import { lockKnownTeam } from "../team-grants.ts";
import type { RulePrefix } from "./rule-prefix.ts";
import { ruleRecord } from "./rule-record.ts";
import { type DelegationRule, endRule, fenceRules, findRule, madeByRule } from "./rule-store.ts";

export interface DeleteDelegationRule {
  readonly gunPrefix: RulePrefix;
  readonly team: TeamId;
  /** Whether the delegations that the rule made end with it. */
  readonly endDelegations: boolean;
  readonly options: ChangeOptions;
}

/**
 * Ends a rule: what comes later is not delegated by it, and what its batch has not begun is given up. The delegations that it made stay,
 * or end as a batch of their own; what somebody has decided anew since is not its own. Repeating it changes nothing, and may still end
 * what the ended rule made. `permit` must permit every repository on which a delegation is to end.
 */
export async function deleteDelegationRule(
  room: TrustRoom,
  call: Call,
  request: DeleteDelegationRule,
  permit: PermitEvery,
): Promise<Changed> {
  const { changing } = room;
  const permitted = await gunsToEnd(changing.database, request);
  await permit(permitted);
  const judged = await judgeBatch(call, request.options, permitted, (gun, signal) =>
    room.guards.beforeRemoving(gun, signal),
  );
  return makeChange(changing, call, request.options, async (tx, now) => {
    await fenceRules(tx);
    await lockKnownTeam(tx, request.team);
    const rule = await findRule(tx, request.gunPrefix, request.team);
    const inForce = rule !== undefined && rule.validTo === null;
    if (inForce) await endRule(tx, rule.id, now);
    const givenUp = inForce && rule.rolloutId !== null ? await stopRollout(tx, rule.rolloutId, now) : 0;
    const made = rule === undefined ? [] : await madeByRule(tx, rule.id);
    const ending = request.endDelegations ? made : [];
    // What came since the question above is asked for now, with the fence held.
    const before = new Set(permitted);
    await permit(ending.map(({ gun }) => gun).filter((gun) => !before.has(gun)));
    const rolloutId =
      rule === undefined || ending.length === 0 ? undefined : await startEnding(tx, call, request, rule, ending, now);
    const words = wordsOn(request, { inForce, givenUp, made: made.length, ending: ending.length });
    const guns = ending.map(({ gun }) => gun);
    const plan =
      ending.length === 0
        ? quietPlan(words)
        : await planEnding(tx, request.team, guns, words + judgedWords(judged, guns.length), judged, now);
    return {
      plan,
      changed: inForce || ending.length > 0,
      commitment: rolloutId === undefined ? nothingToPublish : { collection: undefined, rolloutId },
      resource: rule?.id ?? "",
      record: ruleRecord(
        "delegation_rule.deleted.v1",
        { ...request, paths: rule?.paths ?? [], excludeFromReleases: rule?.inReleases === false },
        {
          rule: rule?.id ?? null,
          given_up: givenUp,
          stay: made.length - ending.length,
          to_end: ending.length,
          rollout: rolloutId ?? null,
        },
        inForce || ending.length > 0 ? [words] : [],
      ),
    };
  });
}

/** The repositories on which delegations are to end, as of now. */
async function gunsToEnd(
  db: Queryable,
  { gunPrefix, team, endDelegations }: DeleteDelegationRule,
): Promise<readonly Gun[]> {
  const rule = endDelegations ? await findRule(db, gunPrefix, team) : undefined;
  return rule === undefined ? [] : (await madeByRule(db, rule.id)).map(({ gun }) => gun);
}

/** Gives up what the rule's batch has not begun, and answers how much that is. */
async function stopRollout(tx: Transaction, rolloutId: string, now: Date): Promise<number> {
  const cancelled = await cancelBatchItems(tx, rolloutId, now);
  if (cancelled > 0) {
    await tx.run("update rollouts set cancelled_at = coalesce(cancelled_at, :now) where id = :rolloutId", {
      rolloutId,
      now,
    });
  }
  return cancelled;
}

async function startEnding(
  tx: Transaction,
  call: Call,
  { team, options }: DeleteDelegationRule,
  rule: DelegationRule,
  ending: Awaited<ReturnType<typeof madeByRule>>,
  now: Date,
): Promise<string> {
  const { acceptOrphaned, acceptRevived } = options;
  const grant = {
    team,
    paths: rule.paths,
    inReleases: rule.inReleases,
    acceptOrphaned,
    acceptRevived,
    ruleId: rule.id,
  };
  return await startBatch(tx, call, { ...grant, ends: true }, ending, now);
}

async function planEnding(
  tx: Transaction,
  team: TeamId,
  guns: readonly Gun[],
  summary: string,
  judged: Judged | undefined,
  now: Date,
): Promise<Plan> {
  const collections = await findCollectionsOf(tx, guns);
  const ended = (held: readonly DesiredDelegation[]) => held.filter((one) => one.team !== team);
  return await planInChunks(tx, collections, summary, now, ended, judged);
}

interface Counted {
  readonly inForce: boolean;
  readonly givenUp: number;
  readonly made: number;
  readonly ending: number;
}

function wordsOn({ gunPrefix, team }: DeleteDelegationRule, { inForce, givenUp, made, ending }: Counted): string {
  const what = inForce
    ? `The rule for team ${team} below ${gunPrefix} ends: what comes later is not delegated by it.`
    : `No rule for team ${team} below ${gunPrefix} is in force.`;
  const given = givenUp === 0 ? "" : ` ${countOf(givenUp)} that its batch has not begun are given up.`;
  const stay = made - ending;
  const stays =
    stay === 0 ? "" : ` Its delegations of ${countOf(stay)} stay; set end_delegations, or Undelegate, to end them.`;
  const ends = ending === 0 ? "" : ` Its delegations of ${countOf(ending)} end.`;
  return what + given + stays + ends;
}
