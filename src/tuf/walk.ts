import { type RoleName, snapshotRole, timestampRole } from "../names.ts";
import type { Finding, ObservedFiles, Pins, VerifiedFile } from "./observation.ts";
import { judgeNewest, type OwnRole } from "./own-files.ts";
import { type FileList, judgeNamed, judgeServerFile, type ServerFile } from "./server-files.ts";
import type { Trusted } from "./trusted.ts";

/** What one or several files showed. */
export interface Judged {
  readonly findings: readonly Finding[];
  readonly verified: readonly VerifiedFile[];
}

const nothing: Judged = { findings: [], verified: [] };

/** Judges the way from timestamp.json: every file there, each the one that the list above it names, none older than before. */
export function judgeWalk(pins: Pins, trusted: Trusted, files: ObservedFiles): Judged {
  const { walk } = files;
  if (walk === undefined) return nothing;
  if (walk.timestamp === undefined) return { findings: [judgeMissingTimestamp(files)], verified: [] };
  const timestamp = judgeServerFile(pins, trusted, "timestamp", walk.timestamp);
  const judged = [judgedServerFile(timestampRole, timestamp)];
  if (walk.snapshot === undefined) return merged([...judged, missing("snapshot", "timestamp")]);
  const snapshot = judgeServerFile(pins, trusted, "snapshot", walk.snapshot);
  const misnamed = judgeNamed(timestamp.file, "snapshot", walk.snapshot);
  judged.push(misnamed === undefined ? judgedServerFile(snapshotRole, snapshot) : found(misnamed));
  const own = (["root", "targets"] as const).map((role) =>
    judgeOwnFile(pins, trusted, role, walk[role], snapshot.file),
  );
  return merged([...judged, ...own]);
}

/** What the judgement of a snapshot or timestamp leaves: a fault, or a file to remember. */
export function judgedServerFile(role: RoleName, { finding, file }: ServerFile): Judged {
  if (finding !== undefined || file === undefined) return found(finding);
  return { findings: [], verified: [{ role, version: file.content.version, bytes: file.bytes }] };
}

/** With other files still there only the newest row was taken away; with none, everything is gone. */
function judgeMissingTimestamp({ slots, walk }: ObservedFiles): Finding {
  const others = [walk?.snapshot, walk?.root, walk?.targets, ...slots.map(({ bytes }) => bytes)];
  return others.some((bytes) => bytes !== undefined)
    ? { kind: "ROLLBACK", detail: "Notary holds files of this collection, but no timestamp any more." }
    : { kind: "VANISHED", detail: "Notary holds nothing of this collection any more." };
}

function judgeOwnFile(
  pins: Pins,
  trusted: Trusted,
  role: OwnRole,
  bytes: Buffer | undefined,
  snapshot: FileList | undefined,
): Judged {
  if (bytes === undefined) return missing(role, "snapshot");
  return merged([found(judgeNewest(pins, trusted, role, bytes)), found(judgeNamed(snapshot, role, bytes))]);
}

function missing(role: string, list: string): Judged {
  return found({ kind: "VANISHED", detail: `Notary does not hold the ${role} that its newest ${list} names.` });
}

function found(finding: Finding | undefined): Judged {
  return finding === undefined ? nothing : { findings: [finding], verified: [] };
}

function merged(parts: readonly Judged[]): Judged {
  return {
    findings: parts.flatMap(({ findings }) => findings),
    verified: parts.flatMap(({ verified }) => verified),
  };
}
