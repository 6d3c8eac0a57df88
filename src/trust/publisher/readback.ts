import { type Gun, type RoleName, snapshotRole, timestampRole } from "../../names.ts";
import type { NotaryServer } from "../../notary/server.ts";
import { MetadataError, parseRoot, parseTargets } from "../../tuf/envelope.ts";
import type { RootContent } from "../../tuf/payload.ts";
import { type Tip, tipOf } from "../newest-files.ts";
import { type Evidence, judge, tipFrom } from "./evidence.ts";
import type { Upload, UploadPart } from "./upload-store.ts";

export interface Observation {
  readonly evidence: Evidence;
  /** A snapshot beyond the newest that a timestamp names: the trace of a lost timestamp row. */
  readonly orphanSnapshot: boolean;
}

/**
 * Reads back what became of an upload, by version: after an upload the next timestamp and snapshot are the last ones plus one unless
 * somebody else wrote, so three parallel reads decide the ordinary case. Only what they leave open is walked further.
 */
export async function observe(
  server: NotaryServer,
  gun: Gun,
  upload: Upload,
  parts: readonly UploadPart[],
  root: RootContent,
  signal: AbortSignal,
): Promise<Observation> {
  const read = (role: RoleName, version: number): Promise<Buffer | undefined> =>
    server.readVersion(gun, role, version, signal);
  const [timestamp, snapshot, ...slots] = await Promise.all([
    read(timestampRole, upload.seenTimestamp + 1),
    read(snapshotRole, upload.seenSnapshot + 1),
    ...parts.map((part) => read(part.role, part.version)),
  ]);
  const tip = timestamp === undefined || snapshot === undefined ? undefined : tipFrom(timestamp, snapshot, root);
  const slotsByRole = new Map(parts.map((part, index) => [part.role, slots[index]]));
  const quick = judge(parts, { slots: slotsByRole, tips: tip === undefined ? [] : [tip], current: new Map() }, root);
  if (quick.kind === "LANDED" || quick.kind === "SAME_PAYLOAD" || quick.kind === "LOST") {
    return { evidence: quick, orphanSnapshot: false };
  }
  return await observeAll(server, gun, upload, parts, root, slotsByRole, signal);
}

/** The whole evidence. Slots are read after the versions that would prove them lost, and before the lists that would prove them landed. */
async function observeAll(
  server: NotaryServer,
  gun: Gun,
  upload: Upload,
  parts: readonly UploadPart[],
  root: RootContent,
  first: ReadonlyMap<RoleName, Buffer | undefined>,
  signal: AbortSignal,
): Promise<Observation> {
  const absent = parts.filter((part) => first.get(part.role) === undefined);
  const current = await currentVersions(server, gun, absent, signal);
  const again = await Promise.all(absent.map((part) => server.readVersion(gun, part.role, part.version, signal)));
  const slots = new Map([...first, ...absent.map((part, index) => [part.role, again[index]] as const)]);
  const newest = await newestTip(server, gun, upload, root, signal);
  const judged = (tips: readonly Tip[]): Evidence => judge(parts, { slots, tips, current }, root);
  const evidence = judged(newest === undefined ? [] : [newest]);
  const orphanSnapshot = await hasOrphanSnapshot(server, gun, upload, newest, signal);
  // Others may have written since: then a list in between named ours.
  if (evidence.kind !== "UNREADABLE" || newest === undefined) return { evidence, orphanSnapshot };
  return {
    evidence: judged([...(await tipsBefore(server, gun, upload, root, newest, signal)), newest]),
    orphanSnapshot,
  };
}

/** Whether there is a snapshot beyond the newest while no timestamp follows: somebody else's push writes both. */
async function hasOrphanSnapshot(
  server: NotaryServer,
  gun: Gun,
  upload: Upload,
  newest: Tip | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  const snapshot = 1 + (newest?.snapshot.version ?? upload.seenSnapshot);
  if ((await server.readVersion(gun, snapshotRole, snapshot, signal)) === undefined) return false;
  const timestamp = 1 + (newest?.timestamp.version ?? upload.seenTimestamp);
  return (await server.readVersion(gun, timestampRole, timestamp, signal)) === undefined;
}

/** The newest timestamp and its snapshot; undefined when there is none after the last seen, or when they do not verify. */
async function newestTip(
  server: NotaryServer,
  gun: Gun,
  upload: Upload,
  root: RootContent,
  signal: AbortSignal,
): Promise<Tip | undefined> {
  const bytes = await server.readCurrent(gun, timestampRole, signal);
  const tip =
    bytes === undefined ? undefined : await verifiedTip(server, gun, root, bytes, upload.seenSnapshot + 1, signal);
  return tip !== undefined && tip.timestamp.version > upload.seenTimestamp ? tip : undefined;
}

/** Others cannot have written more often between two looks at one upload; a server that says so is not believed. */
const mostTips = 64;

/** The timestamps between the last seen and the newest, each with the snapshot it names, as far as both verify. */
async function tipsBefore(
  server: NotaryServer,
  gun: Gun,
  upload: Upload,
  root: RootContent,
  newest: Tip,
  signal: AbortSignal,
): Promise<readonly Tip[]> {
  const tips: Tip[] = [];
  const first = Math.max(upload.seenTimestamp + 1, newest.timestamp.version - mostTips);
  for (let version = first; version < newest.timestamp.version; version++) {
    const bytes = await server.readVersion(gun, timestampRole, version, signal);
    if (bytes === undefined) continue;
    const expected = 1 + (tips.at(-1)?.snapshot.version ?? upload.seenSnapshot);
    const tip = await verifiedTip(server, gun, root, bytes, expected, signal);
    if (tip !== undefined) tips.push(tip);
  }
  return tips;
}

/** A timestamp that does not verify proves nothing; whether it is an attack is for the next look to say. */
async function verifiedTip(
  server: NotaryServer,
  gun: Gun,
  root: RootContent,
  timestamp: Buffer,
  expectedSnapshot: number,
  signal: AbortSignal,
): Promise<Tip | undefined> {
  try {
    return await tipOf(server, gun, root, timestamp, expectedSnapshot, signal);
  } catch (error) {
    if (error instanceof MetadataError) return undefined;
    throw error;
  }
}

/** The version of each part's role that Notary serves now. */
async function currentVersions(
  server: NotaryServer,
  gun: Gun,
  parts: readonly UploadPart[],
  signal: AbortSignal,
): Promise<ReadonlyMap<RoleName, number>> {
  const versions = new Map<RoleName, number>();
  for (const part of parts) {
    const bytes = await server.readCurrent(gun, part.role, signal);
    if (bytes !== undefined) versions.set(part.role, versionOf(part.role, bytes));
  }
  return versions;
}

function versionOf(role: RoleName, bytes: Buffer): number {
  try {
    return (role === "root" ? parseRoot(bytes) : parseTargets(bytes)).content.version;
  } catch (error) {
    if (error instanceof MetadataError) return 0;
    throw error;
  }
}
