import type { ChangeOptions } from "../changes/options.ts";
import type { Database } from "../database.ts";
import { Fault } from "../errors.ts";
import { type Gun, type RoleName, snapshotRole, type TeamId, timestampRole } from "../names.ts";
import type { NotaryServers } from "../notary/directory.ts";
import type { GuardReading } from "../teams/effects.ts";
import { parseRoot, parseSnapshot, parseTargets } from "../tuf/envelope.ts";
import { tufKeyIdOf } from "../tuf/key.ts";
import { isValidWith, viewDelegationFile } from "../tuf/orphans.ts";
import type { TargetsContent } from "../tuf/payload.ts";
import { type Collection, findCollection, findCollectionsById, findCollectionWithHistory } from "./collection-store.ts";
import { collectionsOfTeams, type DelegationRow } from "./delegation-store.ts";
import type { NewestFiles } from "./guard.ts";
import { delegationRolesOf, followTip, namedHash, sha256Of } from "./newest-files.ts";
import { newestParts, rememberSeen, type SeenFile, seenFiles } from "./published-store.ts";

/** The newest delegation files by GUN, as read before a change. */
export type NewestOf = (gun: Gun) => NewestFiles;

/** A reading that guards can look into; what teams/ passes through without knowing. */
export interface TrustReading extends GuardReading {
  readonly newest: NewestOf;
}

/** Reads the newest delegation files before a change, outside any transaction. Never throws for an unreachable Notary. */
export interface GuardReader {
  /** Reads only where somebody was delegated before: only then can old signatures come back. */
  beforeDelegating(gun: Gun, signal: AbortSignal): Promise<NewestOf>;
  beforeRemoving(gun: Gun, signal: AbortSignal): Promise<NewestOf>;
  beforeTeamChange(teams: readonly TeamId[], signal: AbortSignal): Promise<TrustReading>;
}

const nothing: NewestFiles = { unreadable: undefined, files: new Map() };
const readAtOnce = 8;

export function createGuardReader(database: Database, notaries: NotaryServers, now: () => Date): GuardReader {
  const read = (collection: Collection, signal: AbortSignal): Promise<NewestFiles> =>
    readNewest(database, notaries, collection, now(), signal);
  const one = async (collection: Collection | undefined, signal: AbortSignal): Promise<NewestOf> => {
    if (collection === undefined) return () => nothing;
    const files = await read(collection, signal);
    return () => files;
  };
  return {
    beforeDelegating: async (gun, signal) => one(await findCollectionWithHistory(database, gun), signal),
    beforeRemoving: async (gun, signal) => one(await findCollection(database, gun), signal),
    beforeTeamChange: async (teams, signal) => {
      const found = new Map<string, NewestFiles>();
      let after = 0n;
      for (;;) {
        const ids = await collectionsOfTeams(database, teams, after, 200);
        if (ids.length === 0) break;
        after = ids.at(-1) ?? after;
        const collections = await findCollectionsById(database, ids);
        for (let at = 0; at < collections.length; at += readAtOnce) {
          const batch = collections.slice(at, at + readAtOnce);
          const files = await Promise.all(batch.map((collection) => read(collection, signal)));
          for (const [index, collection] of batch.entries()) found.set(collection.gun, files[index] ?? nothing);
        }
      }
      const unreadable = [...found].flatMap(([gun, files]) =>
        files.unreadable === undefined ? [] : [[gun, files.unreadable] as const],
      );
      return { unreadable: new Map(unreadable), newest: (gun) => found.get(gun) ?? nothing };
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
  if (collection.rootVersion === 0) return nothing;
  try {
    const { id, gun, incarnation } = collection;
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
    return { unreadable: undefined, files };
  } catch (error) {
    return { unreadable: error instanceof Error ? error.message : "unreadable", files: new Map() };
  }
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

/** Refuses with ETAG_MISMATCH when the caller insists on another state of the delegation than the one held. */
export function requireDelegationEtag(options: ChangeOptions, held: DelegationRow | undefined): void {
  if (options.etag === "") return;
  const current = held === undefined ? "" : delegationEtag(held);
  if (options.etag === current) return;
  throw new Fault("ETAG_MISMATCH", "The delegation has changed since it was read; read it again and decide anew.", {
    metadata: { etag: current },
  });
}

/** Changes whenever the delegation is decided anew. */
export function delegationEtag(row: DelegationRow): string {
  return `${row.id}.${row.sinceGeneration}`;
}
