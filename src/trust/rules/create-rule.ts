import { randomUUID } from "node:crypto";
import type { Call } from "../../audit/call.ts";
import { type Changed, type Decision, makeChange } from "../../changes/mutation.ts";
import type { ChangeOptions } from "../../changes/options.ts";
import { nothingToPublish } from "../../changes/outcome.ts";
import type { Transaction } from "../../database.ts";
import { Fault } from "../../errors.ts";
import type { Gun, GunPrefix, TeamId } from "../../names.ts";
import { findCollectionsOf } from "../collection-store.ts";
import { everyTag } from "../paths.ts";
import {
  countOf,
  type DecidedBatch,
  decideBatch,
  judgeDelegations,
  type PermitEvery,
} from "../rollouts/batch-delegate.ts";
import { judgedWords } from "../rollouts/batch-guards.ts";
import { selectGuns } from "../rollouts/batch-selection.ts";
import type { TrustRoom } from "../room.ts";
import { isGranted, lockGrantedTeams, requireRoomInReleases } from "../team-grants.ts";
import type { RulePrefix } from "./rule-prefix.ts";
import { ruleRecord } from "./rule-record.ts";
import { type DelegationRule, failedGuns, fenceRules, findRule, insertRule, setRuleRollout } from "./rule-store.ts";

export interface CreateDelegationRule {
  readonly gunPrefix: RulePrefix;
  readonly team: TeamId;
  readonly paths: readonly string[];
  readonly excludeFromReleases: boolean;
  readonly options: ChangeOptions;
}

/**
 * Delegates every repository below a prefix to a team: those that are there as a batch, and each that comes with its first publication.
 * A repeat changes nothing but what the batch was refused or stopped for, which is tried again; another rule of that prefix and
 * team is ALREADY_EXISTS. `permit` must permit every repository that is there.
 */
export async function createDelegationRule(
  room: TrustRoom,
  call: Call,
  request: CreateDelegationRule,
  permit: PermitEvery,
): Promise<Changed> {
  const { changing } = room;
  // A repository that comes later may have wider releases, so the narrowest that can be known counts.
  requireRoomInReleases([request], everyTag, () => "paths");
  const permitted = await selectBelow(changing.database, request.gunPrefix);
  await permit(permitted);
  const judged = await judgeDelegations(room, call, request, permitted);
  return makeChange(changing, call, request.options, async (tx, now) => {
    await fenceRules(tx);
    const teams = await lockGrantedTeams(tx, [request]);
    const known = await findRule(tx, request.gunPrefix, request.team);
    const held = known?.validTo === null ? known : undefined;
    if (held !== undefined && !isGranted(held, request)) throw otherRule(held);
    const guns = held === undefined ? await selectBelow(tx, request.gunPrefix) : await gunsToRetry(tx, held);
    // What came since the question above is asked for now, with the fence held.
    const before = new Set(permitted);
    await permit(guns.filter((gun) => !before.has(gun)));
    const id = held?.id ?? randomUUID();
    if (held === undefined) {
      const { gunPrefix, team, paths } = request;
      const inReleases = !request.excludeFromReleases;
      const fresh = {
        id,
        gunPrefix,
        team,
        paths,
        inReleases,
        rolloutId: null,
        actor: call.actor.id,
        reason: call.reason,
      };
      await insertRule(tx, { ...fresh, validFrom: now });
    }
    const collections = await findCollectionsOf(tx, guns);
    const batch = await decideBatch(tx, call, { ...request, ruleId: id }, { guns, collections, teams, judged }, now);
    if (batch.rolloutId !== undefined) await setRuleRollout(tx, id, batch.rolloutId);
    return decisionOf(request, id, held, batch, judgedWords(judged, permitted.length));
  });
}

function selectBelow(db: Parameters<typeof selectGuns>[0], prefix: RulePrefix): Promise<readonly Gun[]> {
  const selection = { gunPrefix: prefix as string as GunPrefix, labels: new Map() as never, team: "" as const };
  return selectGuns(db, selection, "gun_prefix");
}

async function gunsToRetry(tx: Transaction, { rolloutId }: DelegationRule): Promise<readonly Gun[]> {
  return rolloutId === null ? [] : await failedGuns(tx, rolloutId);
}

function otherRule({ gunPrefix, team }: DelegationRule): Fault {
  return new Fault(
    "ALREADY_EXISTS",
    `A rule for team ${team} below ${gunPrefix} exists with other paths or another place in releases; end it with DeleteDelegationRule first.`,
    { metadata: { gun_prefix: gunPrefix, team } },
  );
}

function decisionOf(
  request: CreateDelegationRule,
  id: string,
  held: DelegationRule | undefined,
  { plan, rolloutId, open }: DecidedBatch,
  judged: string,
): Decision {
  const { gunPrefix, team } = request;
  const isNew = held === undefined;
  const present = `${countOf(open)} that ${open === 1 ? "is" : "are"} there`;
  const summary = isNew
    ? `Team ${team} may sign every repository below ${gunPrefix}: ${present} to be delegated now, and each that comes.`
    : `The rule for team ${team} below ${gunPrefix} stands already; ${countOf(open)} to be tried again.`;
  return {
    plan: { ...plan, summary: summary + judged },
    changed: isNew || open > 0,
    commitment: rolloutId === undefined ? nothingToPublish : { collection: undefined, rolloutId },
    resource: id,
    record: ruleRecord(
      "delegation_rule.created.v1",
      request,
      { rule: id, rollout: rolloutId ?? null, to_decide: open },
      isNew ? [summary] : [],
    ),
  };
}
