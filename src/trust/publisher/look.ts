import { type Gun, type RoleName, rootRole, targetsRole, timestampRole } from "../../names.ts";
import type { NotaryServer } from "../../notary/server.ts";
import {
  isSignedBy,
  MetadataError,
  parseRoot,
  parseSnapshot,
  parseTargets,
  parseTimestamp,
} from "../../tuf/envelope.ts";
import type { TufKey } from "../../tuf/key.ts";
import { type ObservedFiles, type Verdict, verifyAbsence, verifyCollection } from "../../tuf/verify.ts";
import type { Collection } from "../collection-store.ts";
import { collectionKeys } from "../key-store.ts";
import { delegationRolesOf, isOversized, namedHash, sha256Of } from "../newest-files.ts";
import { knownFiles, newestParts, rememberSeen, type SeenFile, seenFiles } from "../published-store.ts";
import { readAbsence } from "./absence.ts";
import type { PublisherRoom } from "./publisher-room.ts";

/** What a look found: nothing to worry about, or a fault that blocks the collection. */
export type Sight = Verdict["fault"];

type Walk = NonNullable<ObservedFiles["walk"]>;

/**
 * Looks whether Notary shows what we published. The cheap look reads the slots above ours by version (404 expected) and needs
 * no queue; the full walk begins at timestamp.json. Throws NOTARY_UNAVAILABLE when Notary cannot be read.
 */
export async function look(
  room: PublisherRoom,
  collection: Collection,
  depth: "CHEAP" | "FULL",
  signal: AbortSignal,
): Promise<Sight> {
  const server = room.notaries.byName(collection.notary);
  if (collection.rootVersion === 0) return await lookForNothing(room, server, collection, signal);
  if (depth === "CHEAP") {
    const above = await readSlots(
      server,
      collection.gun,
      [
        { role: rootRole, version: collection.rootVersion + 1 },
        { role: targetsRole, version: collection.targetsVersion + 1 },
      ],
      signal,
    );
    if (above.every((slot) => slot.bytes === undefined)) return undefined;
  }
  return await walkAndVerify(room, server, collection, signal);
}

/** Reads by version: they see past the server's cache. */
async function readSlots(
  server: NotaryServer,
  gun: Gun,
  slots: readonly { readonly role: RoleName; readonly version: number }[],
  signal: AbortSignal,
): Promise<ObservedFiles["slots"]> {
  return await Promise.all(
    slots.map(async (slot) => ({ ...slot, bytes: await server.readVersion(gun, slot.role, slot.version, signal) })),
  );
}

/**
 * Another replica may publish at this moment. So what must be there is read from the database before Notary is read, and what may be
 * there after it: every upload is known before its first byte leaves.
 */
async function walkAndVerify(
  room: PublisherRoom,
  server: NotaryServer,
  collection: Collection,
  signal: AbortSignal,
): Promise<Sight> {
  const { id, gun, incarnation } = collection;
  const [{ root, targets }, seen] = await Promise.all([
    newestParts(room.database, id, incarnation),
    seenFiles(room.database, id, incarnation),
  ]);
  if (root === undefined || targets === undefined) throw new Error(`collection ${id} has landed without files`);
  const own = [
    { role: rootRole, version: root.version },
    { role: targetsRole, version: targets.version },
  ];
  const above = own.map((slot) => ({ ...slot, version: slot.version + 1 }));
  const slots = await readSlots(server, gun, [...above, ...own], signal);
  const published = new Set(parseTargets(targets.bytes).content.roles.map((role) => role.name));
  const { walk, delegations } = await walkFrom(server, collection, published, seen, signal);
  const known = await knownFiles(room.database, id, incarnation);
  const highest = new Map<string, number>([...seen].map(([role, file]) => [role, file.version]));
  for (const slot of own) highest.set(slot.role, slot.version);
  const pins = { gun, root: root.bytes, targets: targets.bytes, known, highest };
  const verdict = verifyCollection(pins, { slots, walk, delegations }, room.now());
  await rememberSeen(room.database, id, incarnation, verdict.verified, room.now());
  for (const [role, found] of verdict.delegations) {
    if (found.state === "SUSPECT" || (found.state === "VALID" && found.detail !== "")) {
      room.log.warn({ gun, role, state: found.state, detail: found.detail }, "odd delegation file");
    }
  }
  return verdict.fault;
}

/**
 * timestamp.json, the snapshot it names, and the root, targets and delegation files that snapshot names: of the roles that our
 * targets name, and of a length that can be read. Members write those files, and nothing in them may stop us.
 */
async function walkFrom(
  server: NotaryServer,
  { gun }: Collection,
  published: ReadonlySet<RoleName>,
  seen: ReadonlyMap<RoleName, SeenFile>,
  signal: AbortSignal,
): Promise<{ walk: Walk; delegations: ObservedFiles["delegations"] }> {
  const timestamp = await server.readCurrent(gun, timestampRole, signal);
  const delegations = new Map<RoleName, Buffer | undefined>();
  const walk: { -readonly [K in keyof Walk]: Walk[K] } = {
    timestamp,
    snapshot: undefined,
    root: undefined,
    targets: undefined,
  };
  if (timestamp === undefined) return { walk, delegations };
  try {
    const named = namedHash(parseTimestamp(timestamp).content, "snapshot");
    walk.snapshot = await server.readByHash(gun, "snapshot" as RoleName, named, signal);
    if (walk.snapshot === undefined) return { walk, delegations };
    const snapshot = parseSnapshot(walk.snapshot).content;
    const read = (role: RoleName): Promise<Buffer | undefined> =>
      server.readByHash(gun, role, namedHash(snapshot, role), signal);
    walk.root = await read(rootRole);
    walk.targets = await read(targetsRole);
    for (const role of delegationRolesOf(snapshot)) {
      if (!published.has(role) || isOversized(snapshot, role)) continue;
      const last = seen.get(role);
      const isSame = last !== undefined && sha256Of(last.bytes) === namedHash(snapshot, role);
      delegations.set(role, isSame ? last.bytes : await read(role));
    }
  } catch (error) {
    // Files that cannot be read as metadata are left for verifyCollection to judge.
    if (!(error instanceof MetadataError)) throw error;
  }
  return { walk, delegations };
}

/** Before the first publication nothing may be there: 404 for 1.root.json, 2.root.json and timestamp.json. */
async function lookForNothing(
  room: PublisherRoom,
  server: NotaryServer,
  { id, gun, incarnation }: Collection,
  signal: AbortSignal,
): Promise<Sight> {
  const reads = await readAbsence(server, gun, signal);
  const known = await knownFiles(room.database, id, incarnation);
  const foreign = verifyAbsence(reads, known);
  if (foreign === undefined) return undefined;
  const ours = (await collectionKeys(room.database, id, incarnation)).find((key) => key.role === "root");
  if (
    ours !== undefined &&
    [reads.root1, reads.root2].some((bytes) => isRootSignedBy(bytes, ours.key, ours.tufKeyId))
  ) {
    return {
      kind: "DATABASE_BEHIND",
      detail: `Notary holds a root of ${gun} that our own key signed and this database does not know: the database was restored from an older backup. Restore the newer one.`,
    };
  }
  return foreign;
}

function isRootSignedBy(
  bytes: Buffer | undefined,
  key: TufKey,
  keyId: Parameters<typeof isSignedBy>[2]["keyIds"][number],
): boolean {
  if (bytes === undefined) return false;
  try {
    return isSignedBy(parseRoot(bytes), [key], { keyIds: [keyId], threshold: 1 });
  } catch (error) {
    if (error instanceof MetadataError) return false;
    throw error;
  }
}
