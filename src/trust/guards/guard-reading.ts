import type { Database } from "../../database.ts";
import { Fault } from "../../errors.ts";
import { type Gun, type RoleName, snapshotRole, type TeamId, timestampRole } from "../../names.ts";
import type { NotaryServers } from "../../notary/directory.ts";
import type { GuardReading, NewKey } from "../../teams/effects.ts";
import { MetadataError, parseRoot, parseSnapshot, parseTargets } from "../../tuf/envelope.ts";
import { tufKeyIdOf } from "../../tuf/key.ts";
import { isValidWith, viewDelegationFile } from "../../tuf/orphans.ts";
import type { TargetsContent } from "../../tuf/payload.ts";
import { type Collection, findCollection, findCollectionsById } from "../collection-store.ts";
import { collectionsOfTeams } from "../delegation-store.ts";
import { delegationRolesOf, followTip, isOversized, namedHash, sha256Of } from "../newest-files.ts";
import { newestParts, rememberSeen, type SeenFile, seenFiles } from "../published-store.ts";
import { collectionsThatKnow, findCollectionWithPast } from "./former-signers-store.ts";
import type { NewestFiles } from "./guard-effect.ts";
import { keptFilesOf } from "./kept-files-store.ts";

/** A reading that guards can look into; what teams/ passes through without knowing. */
export interface TrustReading extends GuardReading {
  /** Undefined for a collection that was not read. */
  readonly newest: (gun: Gun) => NewestFiles | undefined;
}

/**
 * Reads the newest delegation files before a change, outside any transaction. Never throws for an unreachable Notary: then it answers
 * with the files that were kept, and up to when they were read.
 */
export interface GuardReader {
  /**
   * Reads only where a delegation has ended, or a file names a key of the team as its signer, so that old signatures can come back,
   * and where the team is delegated already, so that it can be taken out of targets/releases.
   */
  beforeDelegating(gun: Gun, team: TeamId, signal: AbortSignal): Promise<NewestFiles>;
  beforeRemoving(gun: Gun, signal: AbortSignal): Promise<NewestFiles>;
  /** With `keys`, reads only where any of them was live before, or a file names it as its signer. */
  beforeTeamChange(
    teams: readonly TeamId[],
    keys: readonly NewKey[] | undefined,
    signal: AbortSignal,
  ): Promise<TrustReading>;
}

const nothing: NewestFiles = { unreadable: undefined, readAt: undefined, files: new Map() };
const readAtOnce = 8;
const batchSize = 200;

export function createGuardReader(database: Database, notaries: NotaryServers, now: () => Date): GuardReader {
  const read = (collection: Collection, signal: AbortSignal): Promise<NewestFiles> =>
    readNewest(database, notaries, collection, now(), signal);
  const one = async (collection: Collection | undefined, signal: AbortSignal): Promise<NewestFiles> =>
    collection === undefined ? nothing : await read(collection, signal);
  return {
    beforeDelegating: async (gun, team, signal) => one(await findCollectionWithPast(database, gun, team), signal),
    beforeRemoving: async (gun, signal) => one(await findCollection(database, gun), signal),
    beforeTeamChange: async (teams, keys, signal) => {
      const next = (after: bigint): Promise<readonly bigint[]> =>
        keys === undefined
          ? collectionsOfTeams(database, teams, after, batchSize)
          : collectionsThatKnow(database, teams, keys, after, batchSize);
      const found = new Map<string, NewestFiles>();
      let after = 0n;
      for (;;) {
        const ids = await next(after);
        if (ids.length === 0) break;
        after = ids.at(-1) ?? after;
        const collections = await findCollectionsById(database, ids);
        for (let at = 0; at < collections.length; at += readAtOnce) {
          const batch = collections.slice(at, at + readAtOnce);
          const files = signal.aborted
            ? await readKept(database, batch, signal)
            : await Promise.all(batch.map((collection) => read(collection, signal)));
          for (const [index, collection] of batch.entries()) found.set(collection.gun, files[index] ?? nothing);
        }
      }
      const unreadable = [...found].flatMap(([gun, files]) =>
        files.unreadable === undefined ? [] : [[gun, files.unreadable] as const],
      );
      return { unreadable: new Map(unreadable), isComplete: keys === undefined, newest: (gun) => found.get(gun) };
    },
  };
}

/** The newest delegation file of every role that the newest snapshot lists; what verifies is remembered. */
async function readNewest(
  database: Database,
  notaries: NotaryServers,
  collection: Collection,
  now: Date,
  signal: AbortSignal,
): Promise<NewestFiles> {
  const { id, gun, incarnation } = collection;
  if (collection.rootVersion === 0) return nothing;
  try {
    const server = notaries.byName(collection.notary);
    const [{ root, targets }, seen] = await Promise.all([
      newestParts(database, id, incarnation),
      seenFiles(database, id, incarnation),
    ]);
    const lastTimestamp = seen.get(timestampRole);
    const lastSnapshot = seen.get(snapshotRole);
    if (root === undefined || targets === undefined || lastTimestamp === undefined || lastSnapshot === undefined)
      return nothing;
    const last = { timestamp: lastTimestamp.version, snapshot: lastSnapshot.version };
    const tip = await followTip(server, gun, parseRoot(root.bytes).content, last, signal);
    const snapshot = tip?.content ?? parseSnapshot(lastSnapshot.bytes).content;
    const files = new Map<RoleName, Buffer>();
    for (const role of delegationRolesOf(snapshot)) {
      if (isOversized(snapshot, role)) throw new MetadataError(`the file of ${role} is too long to be judged`);
      const named = namedHash(snapshot, role);
      const known = seen.get(role);
      const bytes =
        known !== undefined && sha256Of(known.bytes) === named
          ? known.bytes
          : await server.readByHash(gun, role, named, signal);
      if (bytes !== undefined) files.set(role, bytes);
    }
    const valid = verifiedFiles(files, parseTargets(targets.bytes).content);
    const fresh = [...(tip === undefined ? [] : [tip.timestamp, tip.snapshot]), ...valid];
    await rememberSeen(database, id, incarnation, fresh, now);
    return { ...nothing, files };
  } catch (error) {
    if (!isOfNotary(error)) throw error;
    const kept = (await keptFilesOf(database, [id])).get(id);
    return { ...nothing, ...kept, unreadable: error.message };
  }
}

/** What is kept of collections for which no time is left. */
async function readKept(
  database: Database,
  collections: readonly Collection[],
  signal: AbortSignal,
): Promise<readonly NewestFiles[]> {
  const { reason } = signal;
  const unreadable = reason instanceof Error ? reason.message : "the time is over";
  const kept = await keptFilesOf(
    database,
    collections.map(({ id }) => id),
  );
  return collections.map(({ id }) => ({ ...nothing, ...kept.get(id), unreadable }));
}

/** Whether Notary is what could not be read: it does not answer, not in time, or with something that is no metadata. */
function isOfNotary(error: unknown): error is Error {
  if (error instanceof MetadataError) return true;
  return error instanceof Fault && ["NOTARY_UNAVAILABLE", "NO_SUCH_NOTARY", "CANCELLED"].includes(error.reason);
}

/** The files that verify with the keys and thresholds the published targets give their roles. */
function verifiedFiles(files: ReadonlyMap<RoleName, Buffer>, targets: TargetsContent): readonly SeenFile[] {
  return targets.roles.flatMap((role) => {
    const bytes = files.get(role.name);
    if (bytes === undefined) return [];
    const ids = new Set<string>(role.keyIds);
    const keys = targets.keys.filter((key) => ids.has(tufKeyIdOf(key)));
    if (!isValidWith(bytes, keys, role.threshold)) return [];
    return [{ role: role.name, version: viewDelegationFile(bytes).version, bytes }];
  });
}
