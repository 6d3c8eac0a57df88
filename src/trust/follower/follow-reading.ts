import { parseTagName, type RoleName, snapshotRole, targetsRole, timestampRole } from "../../names.ts";
import type { NotaryServer } from "../../notary/server.ts";
import { type FileListContent, MetadataError, parseRoot, parseTargets, parseTimestamp } from "../../tuf/envelope.ts";
import { farthestStep } from "../../tuf/observation.ts";
import type { RootContent, TargetFile, TargetsContent } from "../../tuf/payload.ts";
import { judgeSignedFile, type SignedFile } from "../../tuf/signed-file.ts";
import type { Collection } from "../collection-store.ts";
import { delegationRolesOf, isOversized, namedHash, sha256Of, type Tip, tipFrom, tipOf } from "../newest-files.ts";
import { newestParts, type SeenFile, seenFiles } from "../published-store.ts";
import { type FollowedTip, lastKept, ownTargets } from "./followed-store.ts";
import type { FollowerRoom } from "./follower-room.ts";
import type { TagContent } from "./signature-store.ts";

/** What one timestamp of a collection brought. */
export interface FollowedStep {
  readonly tip: FollowedTip;
  /** The delegation files that differ from those kept last. */
  readonly files: readonly ShownFile[];
  /** Our targets in force from now on, where they are others than before. */
  readonly landed: LandedTargets | undefined;
}

/** A targets file of ours that came into force, and the delegation files that stood beside it. */
export interface LandedTargets {
  readonly content: TargetsContent;
  /** Hex SHA-256 by role, as the snapshot names them. */
  readonly named: ReadonlyMap<RoleName, string>;
}

/** A delegation file as Notary showed it, judged by our targets of that time; not judged: no metadata. */
export interface ShownFile {
  readonly role: RoleName;
  readonly bytes: Buffer;
  readonly judged: SignedFile | undefined;
}

/** Where to read on. */
export interface Place extends FollowedTip {
  /** The last timestamp that was followed; 0: none. Below the place only where a collection is followed from its present on. */
  readonly followed: number;
}

/**
 * Reads what comes next after a place: its timestamp, the snapshot that names, and the delegation files that changed. What the publisher
 * or a patrol has read and verified is not asked for again. Undefined when nothing follows.
 */
export async function readStep(
  room: FollowerRoom,
  collection: Collection,
  at: Place,
  signal: AbortSignal,
): Promise<FollowedStep | undefined> {
  const { id, incarnation, gun } = collection;
  const [{ root, targets }, seen] = await Promise.all([
    newestParts(room.database, id, incarnation),
    seenFiles(room.database, id, incarnation),
  ]);
  if (root === undefined || targets === undefined) return undefined;
  const server = room.notaries.byName(collection.notary);
  const next: Reading = { room, server, collection, at, seen };
  try {
    const tip = await readTip(next, parseRoot(root.bytes).content, signal);
    if (tip === undefined) return undefined;
    const named = Buffer.from(namedHash(tip.content, targetsRole), "hex");
    const inForce = targets.sha256.equals(named) ? targets.bytes : await ownTargets(room.database, collection, named);
    const { content } = parseTargets(inForce ?? targets.bytes);
    const files = await readFiles(next, tip, content, signal);
    // Targets that are not ours are nothing to judge by: what lands next is compared with ours of before.
    const isLanding = inForce !== undefined && !at.targets?.equals(named);
    const landed = isLanding ? { content, named: namedFiles(tip.content) } : undefined;
    const versions = { timestamp: tip.timestamp.version, snapshot: tip.snapshot.version };
    return { tip: { ...versions, targets: isLanding ? named : at.targets }, files, landed };
  } catch (error) {
    if (!(error instanceof MetadataError)) throw error;
    // What stands in a slot stays there: the walk goes on behind it, and patrol judges the collection.
    room.log.warn({ gun, timestamp: at.timestamp + 1, detail: error.message }, "a timestamp could not be followed");
    const tip = { timestamp: at.timestamp + 1, snapshot: at.snapshot, targets: at.targets };
    return { tip, files: [], landed: undefined };
  }
}

function namedFiles(snapshot: FileListContent): ReadonlyMap<RoleName, string> {
  return new Map(delegationRolesOf(snapshot).map((role) => [role, namedHash(snapshot, role)]));
}

interface Reading {
  readonly room: FollowerRoom;
  readonly server: NotaryServer;
  readonly collection: Collection;
  readonly at: Place;
  readonly seen: ReadonlyMap<RoleName, SeenFile>;
}

async function readTip(
  { server, collection, at, seen }: Reading,
  root: RootContent,
  signal: AbortSignal,
): Promise<Tip | undefined> {
  const version = at.timestamp + 1;
  const known = { timestamp: seen.get(timestampRole), snapshot: seen.get(snapshotRole) };
  if (known.timestamp?.version === version && known.snapshot !== undefined) {
    const named = namedHash(parseTimestamp(known.timestamp.bytes).content, snapshotRole);
    if (named === sha256Of(known.snapshot.bytes)) return tipFrom(root, known.timestamp.bytes, known.snapshot.bytes);
  }
  const bytes = await server.readVersion(collection.gun, timestampRole, version, signal);
  if (bytes !== undefined) return await tipOf(server, collection.gun, root, bytes, at.snapshot + 1, signal);
  return await newestTip(server, collection, root, at, signal);
}

/** The version that follows is not there, though a newer one was heard of: the walk goes on at timestamp.json. */
async function newestTip(
  server: NotaryServer,
  { gun }: Collection,
  root: RootContent,
  at: Place,
  signal: AbortSignal,
): Promise<Tip | undefined> {
  const bytes = await server.readCurrent(gun, timestampRole, signal);
  if (bytes === undefined) return undefined;
  try {
    const { version } = parseTimestamp(bytes).content;
    if (version <= at.followed || version > at.timestamp + farthestStep) return undefined;
    return await tipOf(server, gun, root, bytes, at.snapshot + (version - at.timestamp), signal);
  } catch (error) {
    // It stands in no slot that was passed, so nothing is given up.
    if (error instanceof MetadataError) return undefined;
    throw error;
  }
}

async function readFiles(
  { room, server, collection, seen }: Reading,
  tip: Tip,
  targets: TargetsContent,
  signal: AbortSignal,
): Promise<readonly ShownFile[]> {
  const delegated = new Set(targets.roles.map(({ name }) => name));
  const roles = delegationRolesOf(tip.content).filter((role) => delegated.has(role));
  const kept = await lastKept(room.database, collection, roles);
  const files: ShownFile[] = [];
  for (const role of roles) {
    const named = namedHash(tip.content, role);
    if (kept.get(role) === named) continue;
    const known = seen.get(role);
    const read = () => server.readByHash(collection.gun, role, named, signal);
    const isTooLong = isOversized(tip.content, role);
    const bytes = isTooLong ? undefined : known && sha256Of(known.bytes) === named ? known.bytes : await read();
    if (bytes !== undefined) files.push({ role, bytes, judged: judgeSignedFile(targets, role, bytes) });
    else warnOf(room, collection, role, isTooLong ? "The file is too long to be read." : "The file is not there.");
  }
  return files;
}

function warnOf(room: FollowerRoom, { gun }: Collection, role: RoleName, detail: string): void {
  room.log.warn({ gun, role, state: "UNREADABLE", detail }, "odd delegation file");
}

/** What a file says of the tags that can be kept; a tag without a SHA-256, or with a name that cannot be shown, is left out. */
export function contentOf(targets: ReadonlyMap<string, TargetFile>): readonly TagContent[] {
  return [...targets].flatMap(([name, { hashes, length }]) => {
    const tag = parseTagName(name);
    const digest = hashes.get("sha256");
    return tag.ok && digest !== undefined ? [{ tag: tag.value, digest, length }] : [];
  });
}
