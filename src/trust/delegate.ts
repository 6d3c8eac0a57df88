import type { Call } from "../audit/call.ts";
import { type Changed, type Decision, makeChange } from "../changes/mutation.ts";
import type { ChangeOptions } from "../changes/options.ts";
import { describeWarning, quietPlan } from "../changes/plan.ts";
import { withinReadingTime } from "../changes/reading-time.ts";
import type { Transaction } from "../database.ts";
import type { Gun, TeamId } from "../names.ts";
import { signingCertificatesOf } from "../teams/signing-certificates-store.ts";
import { bumpGeneration, type Collection, lockCollectionOf } from "./collection-store.ts";
import { requireDelegationEtag } from "./delegation-etag.ts";
import { delegationRecord, recordedDelegation } from "./delegation-record.ts";
import {
  currentDelegationsOf,
  type DelegationRow,
  desiredOf,
  endDelegation,
  insertDelegation,
  lastEndOf,
} from "./delegation-store.ts";
import type { DesiredCollection, DesiredDelegation } from "./desired.ts";
import { guardChanges } from "./guards/guard.ts";
import type { NewestFiles } from "./guards/guard-effect.ts";
import { introductionsBy } from "./guards/introductions-store.ts";
import { pendingCommitment } from "./initialize.ts";
import { type CollectionChange, describe, planOf, requireFits } from "./planner.ts";
import { endBlock } from "./publisher/block.ts";
import { supersedeBatchItems } from "./rollouts/batch-store.ts";
import type { TrustRoom } from "./room.ts";
import { isGranted, lockGrantedTeams, lockKnownTeam, requireRoomInReleases, requireSigners } from "./team-grants.ts";
import { noSuchTrust } from "./trust-view.ts";

export interface Delegate {
  /** The rule that wishes for it; undefined where somebody does. */
  readonly ruleId?: string | undefined;
  readonly gun: Gun;
  readonly team: TeamId;
  /** Replaces the paths of an existing delegation. */
  readonly paths: readonly string[];
  readonly excludeFromReleases: boolean;
  readonly options: ChangeOptions;
}

export interface Undelegate {
  /** Only what this rule made is ended. */
  readonly ruleId?: string | undefined;
  readonly gun: Gun;
  readonly team: TeamId;
  readonly options: ChangeOptions;
}

/** Decides that a team may sign a repository, or with which paths. Repeating it changes nothing. */
export async function delegate(room: TrustRoom, call: Call, request: Delegate): Promise<Changed> {
  const newest = await withinReadingTime(call, (signal) =>
    room.guards.beforeDelegating(request.gun, request.team, signal),
  );
  return makeChange(room.changing, call, request.options, async (tx, now) => {
    const decision = await decideDelegation(tx, room, call, request, newest, now);
    await supersedeBatchItems(tx, { guns: [request.gun], team: request.team }, now);
    return decision;
  });
}

/** Decides one delegation in a transaction, for a call of its own or as one of a batch. `newest` was read before. */
export async function decideDelegation(
  tx: Transaction,
  room: TrustRoom,
  call: Call,
  request: Delegate,
  newest: NewestFiles,
  now: Date,
): Promise<Decision> {
  // The team's row is locked before the collection's, and what stands in either is read behind both locks.
  const [granted, locked] = await Promise.all([lockGrantedTeams(tx, [request]), lockDecided(tx, request.gun)]);
  const { collection, rows } = locked;
  const held = rows.find((row) => row.team === request.team);
  requireDelegationEtag(request.options, held);
  requireRoomInReleases([request], collection.releasesPaths, () => "paths");
  if (held !== undefined && isGranted(held, request)) {
    return unchanged(collection, held.sinceGeneration, request, "delegation.delegated.v1");
  }
  requireSigners(granted, now);

  const generation = collection.generation + 1n;
  const inReleases = !request.excludeFromReleases;
  const { team, paths, ruleId } = request;
  const fresh = { collectionId: collection.id, team, paths, inReleases, generation, ruleId };
  await endRejection(room, tx, collection, call.signal);
  const before = await desiredAsOf(tx, locked);
  const [, , id] = await Promise.all([
    bumpGeneration(tx, collection.id, now),
    held === undefined ? undefined : endDelegation(tx, held.id, generation, now),
    insertDelegation(tx, fresh, now),
  ]);
  const { certificates = [], revision = 0n } = granted.get(request.team) ?? {};
  const added = { id, team: request.team, paths: request.paths, inReleases, revision, certificates };
  const after = { ...before, delegations: [...without(before, request.team), added] };
  requireFits(after);
  return await decided(tx, { collection, request, before, after, generation, newest, now }, "delegation.delegated.v1");
}

/** Decides that a team may no longer sign a repository. Repeating it changes nothing. */
export async function undelegate(room: TrustRoom, call: Call, request: Undelegate): Promise<Changed> {
  const newest = await withinReadingTime(call, (signal) => room.guards.beforeRemoving(request.gun, signal));
  return makeChange(room.changing, call, request.options, async (tx, now) => {
    const decision = await decideUndelegation(tx, room, call, request, newest, now);
    await supersedeBatchItems(tx, { guns: [request.gun], team: request.team }, now);
    return decision;
  });
}

/** Decides the end of one delegation in a transaction, for a call of its own or as one of a batch. `newest` was read before. */
export async function decideUndelegation(
  tx: Transaction,
  room: TrustRoom,
  call: Call,
  request: Undelegate,
  newest: NewestFiles,
  now: Date,
): Promise<Decision> {
  const [, locked] = await Promise.all([lockKnownTeam(tx, request.team), lockDecided(tx, request.gun)]);
  const { collection, rows } = locked;
  const held = rows.find((row) => row.team === request.team);
  requireDelegationEtag(request.options, held);
  const isOthers = request.ruleId !== undefined && held?.ruleId !== request.ruleId;
  if (held === undefined || isOthers) {
    const ended = await lastEndOf(tx, collection.id, request.team);
    return unchanged(collection, ended, request, "delegation.undelegated.v1");
  }

  const generation = collection.generation + 1n;
  await endRejection(room, tx, collection, call.signal);
  const before = await desiredAsOf(tx, locked);
  await Promise.all([bumpGeneration(tx, collection.id, now), endDelegation(tx, held.id, generation, now)]);
  const after = { ...before, delegations: without(before, request.team) };
  return await decided(
    tx,
    { collection, request, before, after, generation, newest, now },
    "delegation.undelegated.v1",
  );
}

/** A correction of what Notary refused must be picked up. */
async function endRejection(
  { changing }: TrustRoom,
  tx: Transaction,
  collection: Collection,
  signal: AbortSignal,
): Promise<void> {
  if (collection.blockReason === "REJECTED") await endBlock(tx, changing, collection, "it was decided anew", signal);
}

function without(desired: DesiredCollection, team: TeamId): readonly DesiredDelegation[] {
  return desired.delegations.filter((delegation) => delegation.team !== team);
}

interface Decided {
  readonly collection: Collection;
  readonly request: Delegate | Undelegate;
  readonly before: DesiredCollection;
  readonly after: DesiredCollection;
  readonly generation: bigint;
  readonly newest: NewestFiles;
  readonly now: Date;
}

async function decided(tx: Transaction, change: Decided, eventType: string): Promise<Decision> {
  const { collection, request, before, after, generation, newest, now } = change;
  const planned: CollectionChange = { before, after, targetsVersion: collection.targetsVersion };
  const words = eventType.includes("undelegated") ? `Take ${request.gun} from` : `Delegate ${request.gun} to`;
  const { roles, ...quiet } = planOf([planned], 1, `${words} team ${request.team}.`, now);
  const leaving = [...new Set(roles.flatMap(({ keysRemoved }) => keysRemoved.map(({ tufKeyId }) => tufKeyId)))];
  const introduced = (await introductionsBy(tx, [collection.id], leaving)).get(collection.id) ?? new Map();
  const touched = guardChanges([{ change: planned, newest, introduced }], request.options);
  const plan = { ...quiet, roles, warnings: [...quiet.warnings, ...touched] };
  return {
    plan,
    changed: true,
    commitment: { collection: { id: collection.id, generation }, rolloutId: undefined },
    resource: `${request.gun} ${request.team}`,
    record: delegationRecord(request, eventType, {
      before: recordedDelegation(before, request.team),
      after: recordedDelegation(after, request.team),
      diff: [...roles.flatMap(describe), ...touched.map(describeWarning)],
    }),
  };
}

/** What is decided already is as live as the generation that decided it. */
function unchanged(
  collection: Collection,
  generation: bigint,
  request: Delegate | Undelegate,
  eventType: string,
): Decision {
  return {
    plan: quietPlan(`${request.gun} and team ${request.team}: decided already.`),
    changed: false,
    commitment: pendingCommitment(collection, generation),
    resource: `${request.gun} ${request.team}`,
    record: delegationRecord(request, eventType, { before: null, after: null, diff: [] }),
  };
}

/** A collection whose row is locked, with what is decided of it. */
interface LockedCollection {
  readonly collection: Collection;
  readonly rows: readonly DelegationRow[];
}

async function lockDecided(tx: Transaction, gun: Gun): Promise<LockedCollection> {
  const [collection, rows] = await Promise.all([lockCollectionOf(tx, gun), currentDelegationsOf(tx, gun)]);
  if (collection === undefined || collection.state === "DELETED") throw noSuchTrust(gun);
  return { collection, rows };
}

/** What should be published as decided before the change. */
async function desiredAsOf(tx: Transaction, { collection, rows }: LockedCollection): Promise<DesiredCollection> {
  const certificates = await signingCertificatesOf(
    tx,
    rows.map((row) => row.team),
  );
  const delegations = rows.map((row) => desiredOf(row, certificates.get(row.team) ?? []));
  return { gun: collection.gun, releasesPaths: collection.releasesPaths, delegations };
}
