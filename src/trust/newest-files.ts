import { createHash } from "node:crypto";
import { type Gun, type RoleName, snapshotRole, timestampRole } from "../names.ts";
import type { NotaryServer } from "../notary/server.ts";
import {
  type Envelope,
  type FileListContent,
  isSignedBy,
  MetadataError,
  parseSnapshot,
  parseTimestamp,
} from "../tuf/envelope.ts";
import type { RootContent } from "../tuf/payload.ts";
import type { SeenFile } from "./published-store.ts";

/** The newest timestamp and snapshot of a collection, both valid by the keys its root names. */
export interface Tip {
  readonly timestamp: SeenFile;
  readonly snapshot: SeenFile;
  readonly content: FileListContent;
}

/** How many versions are followed one by one before the walk begins at timestamp.json instead. */
const mostSteps = 32;

/**
 * Follows a collection's timestamps by version from the last one seen to the newest, and reads the snapshot it names. These reads
 * need neither notary-server's cache nor the queue. Undefined when nothing follows the last seen.
 */
export async function followTip(
  server: NotaryServer,
  gun: Gun,
  root: RootContent,
  seen: { readonly timestamp: number; readonly snapshot: number },
  signal: AbortSignal,
): Promise<Tip | undefined> {
  let newest: Buffer | undefined;
  let version = seen.timestamp;
  for (let step = 0; step < mostSteps; step++) {
    const bytes = await server.readVersion(gun, timestampRole, version + 1, signal);
    if (bytes === undefined) break;
    version += 1;
    newest = bytes;
  }
  if (newest === undefined) return undefined;
  if (version === seen.timestamp + mostSteps) newest = (await server.readCurrent(gun, timestampRole, signal)) ?? newest;
  return await tipOf(server, gun, root, newest, seen.snapshot + (version - seen.timestamp), signal);
}

/** Reads the snapshot that a timestamp names: by the version expected, else by hash. Refuses files the root's keys did not sign. */
export async function tipOf(
  server: NotaryServer,
  gun: Gun,
  root: RootContent,
  timestampBytes: Buffer,
  expectedSnapshot: number,
  signal: AbortSignal,
): Promise<Tip> {
  const timestamp = parseTimestamp(timestampBytes);
  requireSigned(timestamp, root, timestampRole);
  const named = namedHash(timestamp.content, snapshotRole);
  const expected = await server.readVersion(gun, snapshotRole, Math.max(1, expectedSnapshot), signal);
  const bytes =
    expected !== undefined && sha256Of(expected) === named
      ? expected
      : await server.readByHash(gun, snapshotRole, named, signal);
  if (bytes === undefined) throw new MetadataError("the snapshot that the timestamp names is not there");
  return tipFrom(root, timestampBytes, bytes);
}

/** A timestamp with the snapshot that it names, both at hand. Refuses files the root's keys did not sign. */
export function tipFrom(root: RootContent, timestampBytes: Buffer, snapshotBytes: Buffer): Tip {
  const timestamp = parseTimestamp(timestampBytes);
  requireSigned(timestamp, root, timestampRole);
  const snapshot = parseSnapshot(snapshotBytes);
  requireSigned(snapshot, root, snapshotRole);
  return {
    timestamp: { role: timestampRole, version: timestamp.content.version, bytes: timestampBytes },
    snapshot: { role: snapshotRole, version: snapshot.content.version, bytes: snapshotBytes },
    content: snapshot.content,
  };
}

/** The hex SHA-256 under which a snapshot or timestamp names a file; empty when it does not name it. */
export function namedHash(list: FileListContent, role: string): string {
  return list.meta.get(role)?.hashes.get("sha256")?.toString("hex") ?? "";
}

function requireSigned(
  envelope: Envelope<unknown>,
  root: RootContent,
  role: "snapshot" | "timestamp" | RoleName,
): void {
  const keys = root.roles[role as "snapshot" | "timestamp"];
  if (!isSignedBy(envelope, root.keys, keys))
    throw new MetadataError(`the newest ${role} is not signed by the keys the root names`);
}

export function sha256Of(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/**
 * The delegation roles right below targets that a snapshot lists: those whose files somebody has signed at some time. Roles further
 * below are their holders' affair; anybody who may sign can make any number of them.
 */
export function delegationRolesOf(snapshot: FileListContent): readonly RoleName[] {
  return [...snapshot.meta.keys()].filter((role) => /^targets\/[^/]+$/.test(role)) as RoleName[];
}

/** Longer than this no delegation file is read: it would hold some forty thousand tags. */
const longestDelegationFile = 8 * 1024 ** 2;

/** Whether a snapshot names a file that is too long to be read. Its signer says how long, so it must not stop anything. */
export function isOversized(snapshot: FileListContent, role: RoleName): boolean {
  return (snapshot.meta.get(role)?.length ?? 0) > longestDelegationFile;
}
