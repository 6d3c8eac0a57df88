import { type Gun, type RoleName, snapshotRole, timestampRole } from "../names.ts";
import type { NotaryServer } from "../notary/server.ts";
import { MetadataError, parseRoot, parseTargets } from "../tuf/envelope.ts";
import type { RootContent } from "../tuf/payload.ts";
import { type Evidence, judge, type Readback, tipFrom } from "./evidence.ts";
import { type Tip, tipOf } from "./newest-files.ts";
import type { Upload, UploadPart } from "./upload-store.ts";

/** How many versions past the last seen are read one by one. */
const mostSteps = 32;

export interface Observation {
  readonly evidence: Evidence;
  /** A snapshot newer than the last seen that no timestamp names: the trace of a lost timestamp row. */
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
  const orphanSnapshot = snapshot !== undefined && timestamp === undefined;
  if (quick.kind === "LANDED" || quick.kind === "SAME_PAYLOAD" || quick.kind === "LOST") {
    return { evidence: quick, orphanSnapshot };
  }
  const readback: Readback = {
    slots: slotsByRole,
    tips: await laterTips(server, gun, upload, root, signal),
    current: await currentVersions(server, gun, parts, slotsByRole, signal),
  };
  return { evidence: judge(parts, readback, root), orphanSnapshot };
}

/** Every timestamp after the last seen with the snapshot it names, as far as both verify. */
async function laterTips(
  server: NotaryServer,
  gun: Gun,
  upload: Upload,
  root: RootContent,
  signal: AbortSignal,
): Promise<readonly Tip[]> {
  const tips: Tip[] = [];
  for (let step = 1; step <= mostSteps; step++) {
    const bytes = await server.readVersion(gun, timestampRole, upload.seenTimestamp + step, signal);
    if (bytes === undefined) break;
    try {
      tips.push(await tipOf(server, gun, root, bytes, upload.seenSnapshot + step, signal));
    } catch (error) {
      // A timestamp that does not verify proves nothing; whether it is an attack is for the next look to say.
      if (!(error instanceof MetadataError)) throw error;
    }
  }
  return tips;
}

/** For parts whose slots are empty: the version Notary serves now. */
async function currentVersions(
  server: NotaryServer,
  gun: Gun,
  parts: readonly UploadPart[],
  slots: ReadonlyMap<RoleName, Buffer | undefined>,
  signal: AbortSignal,
): Promise<ReadonlyMap<RoleName, number>> {
  const versions = new Map<RoleName, number>();
  for (const part of parts) {
    if (slots.get(part.role) !== undefined) continue;
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
