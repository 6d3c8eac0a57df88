import { randomUUID } from "node:crypto";
import type { Call } from "../audit/call.ts";
import type { ChangeOptions } from "../changes/options.ts";
import { type Commitment, nothingToPublish } from "../changes/outcome.ts";
import type { Plan, PlanWarning } from "../changes/plan.ts";
import type { Queryable, Transaction } from "../database.ts";
import { Fault } from "../errors.ts";
import type { Gun, TeamId, TufKeyId } from "../names.ts";
import type { Effects, GuardReading, RolloutKind, SigningCertificate, TeamKeyChange } from "../teams/effects.ts";
import { type Collection, findCollectionsById } from "./collection-store.ts";
import { collectionsOfTeams, countCollectionsOfTeams, readDesired } from "./delegation-store.ts";
import type { DesiredCollection } from "./desired.ts";
import { guardChanges } from "./guards/guard.ts";
import type { GuardedChange, NewestFiles } from "./guards/guard-effect.ts";
import type { GuardReader, TrustReading } from "./guards/guard-reading.ts";
import { introductionsBy } from "./guards/introductions-store.ts";
import { type CollectionChange, largestTargetsBytes, planOf, requireFits } from "./planner.ts";
import { hasOpenBatch } from "./rollouts/batch-store.ts";
import { insertRollout } from "./rollouts/rollout-store.ts";
import { hasRule } from "./rules/rule-store.ts";

const planned = 50;
const batch = 200;

/** What changes of teams do to the collections they are delegated on. */
export function createTeamEffects(guards: GuardReader): Effects {
  return {
    refresh: (teams, keys, signal) => guards.beforeTeamChange(teams, keys, signal),
    plan: planTeamChanges,
    guard: guardTeamChanges,
    changed: startRollout,
    isDelegated: async (tx, team) =>
      (await collectionsOfTeams(tx, [team], 0n, 1)).length > 0 ||
      (await hasOpenBatch(tx, team)) ||
      (await hasRule(tx, team)),
    delegationCounts,
  };
}

async function planTeamChanges(tx: Transaction, changes: readonly TeamKeyChange[], now: Date): Promise<Plan> {
  const teams = changes.map((change) => change.team);
  const total = await countCollectionsOfTeams(tx, teams);
  const first = await changesAfter(tx, changes, 0n, planned);
  await requireAllFit(tx, changes, teams);
  const where = total === 1 ? "1 repository" : `${total} repositories`;
  return planOf(first, total, `Who may sign for ${teams.join(", ")} changes on ${where}.`, now);
}

async function guardTeamChanges(
  tx: Transaction,
  changes: readonly TeamKeyChange[],
  options: ChangeOptions,
  reading: GuardReading,
): Promise<readonly PlanWarning[]> {
  await requireSigners(tx, changes, options);
  if (!isTrustReading(reading)) return [];
  const leaving = [...new Set(changes.flatMap(({ before, after }) => idsWithout(before, after)))];
  const guarded: GuardedChange[] = [];
  let after = 0n;
  for (;;) {
    const found = await collectionChanges(tx, changes, after, batch);
    if (found.length === 0) break;
    const introductions = await introductionsBy(
      tx,
      found.map(({ collection }) => collection.id),
      leaving,
    );
    for (const { collection, change } of found) {
      const introduced = introductions.get(collection.id) ?? new Map();
      guarded.push({ change, newest: filesOf(reading, collection.gun), introduced });
    }
    after = found.at(-1)?.collection.id ?? after;
  }
  return guardChanges(guarded, options);
}

/** Without teams or keys to look for, nothing was read and nothing is judged. */
function isTrustReading(reading: GuardReading): reading is TrustReading {
  return "newest" in reading;
}

/** A collection that is not in a reading of all was delegated after it. */
function filesOf({ newest, isComplete }: TrustReading, gun: Gun): NewestFiles {
  const read = newest(gun);
  if (read !== undefined) return read;
  const unreadable = isComplete ? "it was delegated to the team just now" : undefined;
  return { unreadable, readAt: undefined, files: new Map() };
}

/** A delegated team must not lose its last key unnoticed. */
async function requireSigners(
  tx: Transaction,
  changes: readonly TeamKeyChange[],
  options: ChangeOptions,
): Promise<void> {
  if (options.acceptWithoutSigner) return;
  for (const change of changes) {
    if (change.before.length === 0 || change.after.length > 0) continue;
    if ((await collectionsOfTeams(tx, [change.team], 0n, 1)).length === 0) continue;
    throw new Fault(
      "WITHOUT_SIGNER",
      `Team ${change.team} is delegated and would have no key left, so nobody could sign for it. Add a member with a certificate first, or set accept_without_signer.`,
      { metadata: { team: change.team } },
    );
  }
}

async function startRollout(
  tx: Transaction,
  call: Call,
  kind: RolloutKind,
  changes: readonly TeamKeyChange[],
  now: Date,
): Promise<Commitment> {
  const total = await countCollectionsOfTeams(
    tx,
    changes.map((change) => change.team),
  );
  if (total === 0) return nothingToPublish;
  const id = randomUUID();
  await insertRollout(
    tx,
    { id, kind, actor: call.actor.id, reason: call.reason, total },
    changes.map((change) => ({
      team: change.team,
      revision: change.revision,
      keysAdded: idsWithout(change.after, change.before),
      keysRemoved: idsWithout(change.before, change.after),
    })),
    now,
  );
  return { collection: undefined, rolloutId: id };
}

function idsWithout(keys: readonly SigningCertificate[], others: readonly SigningCertificate[]): readonly TufKeyId[] {
  const ids = new Set<string>(others.map((key) => key.tufKeyId));
  return keys.map((key) => key.tufKeyId).filter((id) => !ids.has(id));
}

async function changesAfter(
  tx: Transaction,
  changes: readonly TeamKeyChange[],
  after: bigint,
  limit: number,
): Promise<readonly CollectionChange[]> {
  return (await collectionChanges(tx, changes, after, limit)).map(({ change }) => change);
}

/** The next collections the teams are delegated on, each as it should be before and after the changes. */
async function collectionChanges(
  tx: Transaction,
  changes: readonly TeamKeyChange[],
  after: bigint,
  limit: number,
): Promise<readonly { readonly collection: Collection; readonly change: CollectionChange }[]> {
  const teams = changes.map((change) => change.team);
  const ids = await collectionsOfTeams(tx, teams, after, limit);
  const collections = [...(await findCollectionsById(tx, ids))].sort((a, b) => (a.id < b.id ? -1 : 1));
  const desired = await readDesired(tx, collections);
  return collections.flatMap((collection) => {
    const now = desired.get(collection.id);
    if (now === undefined) return [];
    const change = {
      before: withKeys(now, changes, "before"),
      after: withKeys(now, changes, "after"),
      targetsVersion: collection.targetsVersion,
    };
    return [{ collection, change }];
  });
}

function withKeys(
  desired: DesiredCollection,
  changes: readonly TeamKeyChange[],
  side: "before" | "after",
): DesiredCollection {
  return {
    ...desired,
    delegations: desired.delegations.map((delegation) => {
      const change = changes.find((one) => one.team === delegation.team);
      return change === undefined ? delegation : { ...delegation, certificates: change[side] };
    }),
  };
}

/** Files are built to be measured only where an upper bound of their size comes near the limit. */
async function requireAllFit(
  tx: Transaction,
  changes: readonly TeamKeyChange[],
  teams: readonly TeamId[],
): Promise<void> {
  const added = changes.flatMap((change) => change.after).reduce((sum, key) => sum + 2 * key.pem.length + 512, 0);
  const row = await tx.row<{ largest: number | null }>(
    `select max(octet_length(p.bytes)) as largest from delegations d join collections c on c.id = d.collection_id
     join published_parts p on p.collection_id = c.id and p.incarnation = c.incarnation and p.role = 'targets' and p.version = c.targets_version
     where d.team_id = any(:teams) and d.valid_to is null`,
    { teams },
  );
  if ((row?.largest ?? 0) + added < largestTargetsBytes) return;
  let after = 0n;
  for (;;) {
    const found = await collectionChanges(tx, changes, after, batch);
    if (found.length === 0) return;
    for (const { change } of found) requireFits(change.after);
    after = found.at(-1)?.collection.id ?? after;
  }
}

async function delegationCounts(db: Queryable, teams: readonly TeamId[]): Promise<ReadonlyMap<TeamId, number>> {
  const rows = await db.rows<{ team: TeamId; count: bigint }>(
    `select team_id as team, count(*) as count from delegations where team_id = any(:teams) and valid_to is null group by team_id`,
    { teams },
  );
  const counted = new Map(rows.map((row) => [row.team, Number(row.count)]));
  return new Map(teams.map((team) => [team, counted.get(team) ?? 0]));
}
