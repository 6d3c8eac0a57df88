import { createHash } from "node:crypto";
import type { Gun, RoleName, TufKeyId } from "../names.ts";
import type { TufKey } from "./key.ts";
import type { DelegationFileView } from "./orphans.ts";
import { maxVersion } from "./payload.ts";

/** Why a collection must not be published to until it is looked into. */
export type CollectionFault =
  | "ROLLBACK"
  | "FOREIGN_CHANGE"
  | "BAD_SIGNATURE"
  | "FOREIGN_KEY"
  | "VANISHED"
  | "FOREIGN_TRUST"
  | "DATABASE_BEHIND"
  | "FAST_FORWARD";

/** A fault with one sentence for an operator. */
export interface Finding {
  readonly kind: CollectionFault;
  readonly detail: string;
}

/** What we know of a collection without asking Notary. */
export interface Pins {
  readonly gun: Gun;
  /** The newest published root and targets, byte for byte. */
  readonly root: Buffer;
  readonly targets: Buffer;
  /**
   * By `<version>.<role>`, hex SHA-256: every root and targets of ours that landed, and the parts of every open, LOST or REJECTED upload
   * of this incarnation. A list where uploads of different bytes were made for one version.
   */
  readonly known: ReadonlyMap<string, string | readonly string[]>;
  /** By role, the highest version ever verified: root, targets, snapshot, timestamp and delegations. */
  readonly highest: ReadonlyMap<string, number>;
  /** Keys that our root names for root or targets, but that somebody else holds too; a file signed only by them is not ours. */
  readonly foreignKeys?: ReadonlySet<TufKeyId>;
  /** By delegation, keys that it once had. Without an entry, a file no newer than the highest verified counts as once valid. */
  readonly formerKeys?: ReadonlyMap<RoleName, readonly TufKey[]>;
}

/** What Notary showed. Bytes are undefined where it holds nothing. */
export interface ObservedFiles {
  /** Reads by version. The cheap look reads root + 1 and targets + 1, and expects nothing. Delegations are not judged here. */
  readonly slots: readonly ObservedSlot[];
  /** The way from timestamp.json, when it was gone: the snapshot that it names, the root and targets that the snapshot names. */
  readonly walk: ObservedWalk | undefined;
  /** The newest delegation files that could be read; undefined = never signed. */
  readonly delegations: ReadonlyMap<RoleName, Buffer | undefined>;
}

/** One read by version. */
export interface ObservedSlot {
  readonly role: RoleName;
  readonly version: number;
  readonly bytes: Buffer | undefined;
}

export interface ObservedWalk {
  readonly timestamp: Buffer | undefined;
  readonly snapshot: Buffer | undefined;
  readonly root: Buffer | undefined;
  readonly targets: Buffer | undefined;
}

/**
 * What a delegation file is worth: VALID by the keys of its role; ORPHANED: was valid, and is no longer because keys were removed;
 * NEVER_SIGNED; SUSPECT: anything else, worth a warning.
 */
export type DelegationState = "VALID" | "ORPHANED" | "NEVER_SIGNED" | "SUSPECT";

export interface DelegationVerdict {
  readonly state: DelegationState;
  /** One sentence for an operator; empty where the state says it all. */
  readonly detail: string;
  readonly file: DelegationFileView | undefined;
}

/** A file that verified at a version above the highest so far. */
export interface VerifiedFile {
  readonly role: RoleName;
  readonly version: number;
  readonly bytes: Buffer;
}

/** What the observation means. */
export interface Verdict {
  /** The gravest fault; undefined = BENIGN. */
  readonly fault: Finding | undefined;
  readonly delegations: ReadonlyMap<RoleName, DelegationVerdict>;
  /** Snapshot, timestamp and delegation files to be remembered, at most one per role. */
  readonly verified: readonly VerifiedFile[];
}

/** Whether bytes of that version and role are ours: "other" = we know the version, with other bytes. */
export function recognise(
  known: Pins["known"],
  role: string,
  version: number,
  bytes: Buffer,
): "ours" | "other" | "unknown" {
  const entry = known.get(`${version}.${role}`);
  if (entry === undefined) return "unknown";
  const digests = typeof entry === "string" ? [entry] : entry;
  return digests.includes(sha256Of(bytes)) ? "ours" : "other";
}

/** Further ahead than this no honest series of publications comes between two looks. */
export const farthestStep = 10_000;

/** Whether a version is further ahead than any honest series of publications, or among the last million. */
export function isFastForward(version: number, highest: number | undefined): boolean {
  return version > maxVersion - 2 ** 20 || (highest !== undefined && version > highest + farthestStep);
}

export function sha256Of(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
