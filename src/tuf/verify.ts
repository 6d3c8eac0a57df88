import { type RoleName, rootRole, snapshotRole, targetsRole, timestampRole } from "../names.ts";
import { judgeDelegation } from "./delegation-files.ts";
import {
  type CollectionFault,
  type DelegationVerdict,
  type Finding,
  type ObservedFiles,
  type ObservedSlot,
  type Pins,
  recognise,
  type Verdict,
  type VerifiedFile,
} from "./observation.ts";
import { judgeSlot } from "./own-files.ts";
import { judgeServerFile } from "./server-files.ts";
import { type Trusted, trustedBy } from "./trusted.ts";
import { type Judged, judgedServerFile, judgeWalk } from "./walk.ts";

export type {
  CollectionFault,
  DelegationState,
  DelegationVerdict,
  Finding,
  ObservedFiles,
  ObservedSlot,
  ObservedWalk,
  Pins,
  Verdict,
  VerifiedFile,
} from "./observation.ts";

/**
 * Says what it means that Notary shows these files: benign, or the gravest fault; and what each delegation file is worth.
 * One judgement for look, patrol, follower and repair of a collection that we made. Expiry alone is no fault, and no delegation
 * file causes one. Throws MetadataError only when the pins themselves are no metadata: our own database is damaged.
 */
export function verifyCollection(pins: Pins, files: ObservedFiles, now: Date): Verdict {
  const trusted = trustedBy(pins, files.walk);
  const judged = [...files.slots.map((slot) => judgeSlotRead(pins, trusted, slot)), judgeWalk(pins, trusted, files)];
  const delegations = new Map(
    [...files.delegations].map(([role, bytes]) => [role, judgeDelegation(pins, trusted, role, bytes, now)]),
  );
  return {
    fault: gravest(judged.flatMap(({ findings }) => findings)),
    delegations,
    verified: newestOf(pins, [...judged.flatMap(({ verified }) => verified), ...validFiles(delegations, files)]),
  };
}

/** What a live read of Notary gave before a collection is initialized. */
export interface AbsenceReads {
  /** `1.root.json`, `2.root.json` (a first upload by the notary CLI can begin there) and `timestamp.json`. */
  readonly root1: Buffer | undefined;
  readonly root2: Buffer | undefined;
  readonly timestamp: Buffer | undefined;
}

/**
 * FOREIGN_TRUST unless Notary holds nothing for the GUN; undefined = absent. Roots of ours that landed meanwhile, as `known` tells
 * them (see Pins), are not foreign either.
 */
export function verifyAbsence(reads: AbsenceReads, known: Pins["known"] = new Map()): Finding | undefined {
  const { root1, root2, timestamp } = reads;
  if (root1 === undefined && root2 === undefined && timestamp === undefined) return undefined;
  const isOurs = (version: number, bytes: Buffer) => recognise(known, "root", version, bytes) === "ours";
  if (root1 !== undefined && isOurs(1, root1) && (root2 === undefined || isOurs(2, root2))) return undefined;
  return { kind: "FOREIGN_TRUST", detail: "Notary already holds trust for this repository that we did not make." };
}

function judgeSlotRead(pins: Pins, trusted: Trusted, { role, version, bytes }: ObservedSlot): Judged {
  if (role === rootRole || role === targetsRole) {
    const finding = judgeSlot(pins, trusted, role === rootRole ? "root" : "targets", version, bytes);
    return { findings: finding === undefined ? [] : [finding], verified: [] };
  }
  if (bytes === undefined || (role !== snapshotRole && role !== timestampRole)) return { findings: [], verified: [] };
  const name = role === snapshotRole ? "snapshot" : "timestamp";
  return judgedServerFile(role, judgeServerFile(pins, trusted, name, bytes, version));
}

function validFiles(
  delegations: ReadonlyMap<RoleName, DelegationVerdict>,
  files: ObservedFiles,
): readonly VerifiedFile[] {
  return [...delegations].flatMap(([role, { state, file }]) => {
    const bytes = files.delegations.get(role);
    return state === "VALID" && file !== undefined && bytes !== undefined
      ? [{ role, version: file.version, bytes }]
      : [];
  });
}

/** Per role the newest file, where it is above the highest so far. */
function newestOf(pins: Pins, files: readonly VerifiedFile[]): readonly VerifiedFile[] {
  const newest = new Map<RoleName, VerifiedFile>();
  for (const file of files) {
    if (file.version > (newest.get(file.role)?.version ?? pins.highest.get(file.role) ?? 0))
      newest.set(file.role, file);
  }
  return [...newest.values()];
}

/** A fault that explains the others, or asks most of an operator, comes first. */
const byGravity: readonly CollectionFault[] = [
  "DATABASE_BEHIND",
  "FOREIGN_CHANGE",
  "ROLLBACK",
  "BAD_SIGNATURE",
  "FOREIGN_KEY",
  "VANISHED",
  "FOREIGN_TRUST",
  "FAST_FORWARD",
];

function gravest(findings: readonly Finding[]): Finding | undefined {
  for (const kind of byGravity) {
    const finding = findings.find((candidate) => candidate.kind === kind);
    if (finding !== undefined) return finding;
  }
  return undefined;
}
