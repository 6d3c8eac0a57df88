import { createHash } from "node:crypto";
import type { RoleName } from "../../names.ts";
import {
  type Envelope,
  isSignedBy,
  MetadataError,
  parseRoot,
  parseSnapshot,
  parseTargets,
  parseTimestamp,
} from "../../tuf/envelope.ts";
import type { RootContent, TargetsContent } from "../../tuf/payload.ts";
import type { Tip } from "../newest-files.ts";
import type { UploadPart } from "./upload-store.ts";

/** What reading back by version showed. Bytes undefined = absent. */
export interface Readback {
  /** Each part's slot: `<version>.<role>.json`. */
  readonly slots: ReadonlyMap<RoleName, Buffer | undefined>;
  /** Timestamps newer than the last seen with the snapshots they name, ascending. */
  readonly tips: readonly Tip[];
  /** The version Notary served of each role just before the slots were read; empty where that was not asked. */
  readonly current: ReadonlyMap<RoleName, number>;
}

/**
 * What is proved about an upload. Nothing but LANDED and LOST closes one: not 404, not a timeout, not an answer.
 * SAME_PAYLOAD: the slot holds our payload under another of our signatures, from before a failover lost our signing step.
 */
export type Evidence =
  | { readonly kind: "LANDED"; readonly tip: Tip }
  | { readonly kind: "SAME_PAYLOAD"; readonly tip: Tip; readonly imported: ReadonlyMap<RoleName, Buffer> }
  | { readonly kind: "LOST"; readonly detail: string }
  | { readonly kind: "UNREADABLE"; readonly detail: string }
  | { readonly kind: "OPEN"; readonly slotsAreOurs: boolean };

/** Judges a read-back of an upload's slots; `root` names the keys of the collection as this upload leaves it. */
export function judge(parts: readonly UploadPart[], readback: Readback, root: RootContent): Evidence {
  const imported = new Map<RoleName, Buffer>();
  let absent = false;
  for (const part of parts) {
    const slot = readback.slots.get(part.role);
    if (slot === undefined) {
      const current = readback.current.get(part.role) ?? 0;
      if (current > part.version)
        return lost(`${part.role} is at version ${current}, and version ${part.version} is not there`);
      absent = true;
      continue;
    }
    if (part.envelope?.equals(slot)) continue;
    const other = fileOf(part, slot);
    // Whatever this is, it is not what a slot can hold: a proxy's page, say. It proves nothing.
    if (other === undefined) absent = true;
    else if (isOurPayload(part, other, root)) imported.set(part.role, slot);
    else return lost(`${part.version}.${part.role} holds other bytes (sha256 ${hex(slot)})`);
  }
  if (absent) return { kind: "OPEN", slotsAreOurs: false };
  const tip = readback.tips.findLast((one) => parts.every((part) => names(one, part, imported.get(part.role))));
  if (tip !== undefined) return imported.size > 0 ? { kind: "SAME_PAYLOAD", tip, imported } : { kind: "LANDED", tip };
  if (readback.tips.length > 0) {
    return { kind: "UNREADABLE", detail: "the snapshots made since carry another hash than that of the stored files" };
  }
  return { kind: "OPEN", slotsAreOurs: true };
}

function lost(detail: string): Evidence {
  return { kind: "LOST", detail };
}

/** Whether a snapshot names exactly the part's bytes by sha256 and length. */
function names(tip: Tip, part: UploadPart, imported: Buffer | undefined): boolean {
  const bytes = imported ?? part.envelope;
  const named = tip.content.meta.get(part.role);
  return (
    bytes !== null &&
    named !== undefined &&
    named.length === bytes.length &&
    named.hashes.get("sha256")?.equals(createHash("sha256").update(bytes).digest()) === true
  );
}

type OwnFile = Envelope<RootContent | TargetsContent>;

/** The bytes as a file of the part's role and version; undefined when they are none. */
function fileOf(part: UploadPart, bytes: Buffer): OwnFile | undefined {
  try {
    const file: OwnFile = part.role === "root" ? parseRoot(bytes) : parseTargets(bytes);
    return file.content.version === part.version ? file : undefined;
  } catch (error) {
    if (error instanceof MetadataError) return undefined;
    throw error;
  }
}

/** Whether the file is our stored payload, validly signed by our key of that role. */
function isOurPayload(part: UploadPart, file: OwnFile, root: RootContent): boolean {
  const keys = root.roles[part.role as "root" | "targets"];
  return file.payload.equals(part.payload) && isSignedBy(file, root.keys, keys);
}

/** A timestamp and the snapshot it names, both valid by the root's keys; undefined when they do not belong together or to it. */
export function tipFrom(timestampBytes: Buffer, snapshotBytes: Buffer, root: RootContent): Tip | undefined {
  try {
    const timestamp = parseTimestamp(timestampBytes);
    const named = timestamp.content.meta.get("snapshot")?.hashes.get("sha256");
    if (named === undefined || !named.equals(createHash("sha256").update(snapshotBytes).digest())) return undefined;
    const snapshot = parseSnapshot(snapshotBytes);
    if (!isSignedBy(timestamp, root.keys, root.roles.timestamp)) return undefined;
    if (!isSignedBy(snapshot, root.keys, root.roles.snapshot)) return undefined;
    return {
      timestamp: { role: "timestamp" as RoleName, version: timestamp.content.version, bytes: timestampBytes },
      snapshot: { role: "snapshot" as RoleName, version: snapshot.content.version, bytes: snapshotBytes },
      content: snapshot.content,
    };
  } catch (error) {
    if (error instanceof MetadataError) return undefined;
    throw error;
  }
}

function hex(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
