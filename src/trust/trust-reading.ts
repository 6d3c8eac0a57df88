import type { TeamRevision } from "../changes/plan.ts";
import type { Database } from "../database.ts";
import type { Gun } from "../names.ts";
import { keepRecent } from "../recent.ts";
import type { ChangeSignals } from "./change-signals.ts";
import { findCollection, findCollectionById } from "./collection-store.ts";
import { currentDelegations } from "./delegation-store.ts";
import { shareReading } from "./shared-reading.ts";
import { stampsOf, type TrustStamp } from "./trust-stamp.ts";
import { getTrust, noSuchTrust, type Trust } from "./trust-view.ts";

/** Reads trusts as of now: what was committed anywhere before a call is in its answer. */
export interface TrustReader {
  /** Undefined for a GUN that never had trust. The same object while nothing about it changed. */
  find(gun: Gun): Promise<Trust | undefined>;
}

interface StampedTrust {
  readonly stamp: TrustStamp | undefined;
  readonly trust: Trust;
}

/** Roles, keys, paths and labels of all views that are kept: about a kilobyte each, the encoded answer included. */
const mostWeight = 20_000;

/** A reader that keeps built views and asks the database at each call, in one small statement for all calls, whether they still hold. */
export function createTrustReader(database: Database): TrustReader {
  const kept = keepRecent<Gun, StampedTrust>(mostWeight, ({ trust }) => weightOf(trust));
  const stampOf = shareReading((guns: readonly Gun[]) => stampsOf(database, guns));
  const building = new Map<string, Promise<StampedTrust>>();
  const build = (gun: Gun, stamp: TrustStamp): Promise<StampedTrust> => {
    const key = `${stamp} ${gun}`;
    const begun = building.get(key);
    if (begun !== undefined) return begun;
    const built = readStamped(database, gun).finally(() => building.delete(key));
    building.set(key, built);
    return built;
  };
  return {
    find: async (gun) => {
      const stamp = await stampOf(gun);
      if (stamp === undefined) return undefined;
      const known = kept.get(gun);
      if (known?.stamp === stamp) return known.trust;
      const built = await build(gun, stamp);
      // What another call began to read may be older than this call, unless it has the stamp that this call was told.
      const fresh = built.stamp === stamp ? built : await readStamped(database, gun);
      kept.set(gun, fresh);
      return fresh.trust;
    },
  };
}

/** A view with its stamp, both of one snapshot. */
function readStamped(database: Database, gun: Gun): Promise<StampedTrust> {
  return database.transaction(
    async (tx) => {
      const [stamps, trust] = await Promise.all([stampsOf(tx, [gun]), getTrust(tx, gun)]);
      return { stamp: stamps.get(gun), trust };
    },
    { isolation: "repeatable read", readOnly: true },
  );
}

function weightOf(trust: Trust): number {
  const holders = [...trust.roles, ...trust.publishedDelegations, ...trust.desiredDelegations];
  const own = 1 + trust.releasesPaths.length + Object.keys(trust.labels).length;
  return holders.reduce((sum, { keys, paths }) => sum + 1 + keys.length + paths.length, own);
}

/** The trust of one repository, with everything that is known of it. */
export async function readTrust(reader: TrustReader, gun: Gun): Promise<Trust> {
  const trust = await reader.find(gun);
  if (trust === undefined) throw noSuchTrust(gun);
  return trust;
}

export interface TrustWait {
  readonly generation: bigint;
  readonly teamRevisions: readonly TeamRevision[];
  /** Unix milliseconds. */
  readonly until: number;
  readonly signal: AbortSignal;
}

/** As readTrust, once the generation and the team revisions are live, the collection is blocked, or the time is over. */
export async function awaitTrust(
  db: Database,
  reader: TrustReader,
  signals: ChangeSignals,
  gun: Gun,
  wait: TrustWait,
): Promise<Trust> {
  for (;;) {
    const collection = await findCollection(db, gun);
    if (collection === undefined) throw noSuchTrust(gun);
    const left = wait.until - Date.now();
    const changed = left > 0 ? signals.changed(collection.id, Math.min(left, 500), wait.signal) : undefined;
    const isThere = await hasReached(db, collection.id, wait);
    if (isThere || changed === undefined || wait.signal.aborted) return await readTrust(reader, gun);
    await changed;
  }
}

async function hasReached(db: Database, id: bigint, wait: TrustWait): Promise<boolean> {
  const collection = await findCollectionById(db, id);
  if (collection === undefined || collection.blockReason !== null || collection.state === "DELETED") return true;
  if (collection.publishedGeneration < wait.generation) return false;
  if (wait.teamRevisions.length === 0) return true;
  const rows = await currentDelegations(db, [id]);
  return wait.teamRevisions.every(({ team, revision }) =>
    rows.every((row) => row.team !== team || row.publishedRevision >= revision),
  );
}
