import { leafHashOf, leafOf } from "./leaf.ts";
import type { AuditRecord, Subject } from "./record.ts";

/** How far the log has come, and who may extend it. */
export interface LogState {
  /** Entries 0 to size - 1 are in the log. */
  readonly size: bigint;
  readonly epoch: bigint;
  readonly origin: string;
}

/** A record that is committed and not yet in the log. */
export interface WaitingRecord {
  readonly id: bigint;
  readonly eventId: string;
  readonly subject: Subject;
  readonly about: readonly Subject[];
  /** Canonical JSON. */
  readonly record: Buffer;
}

/** The newest entry of one subject. */
export interface Head {
  readonly subject: Subject;
  readonly seq: bigint;
  readonly leafHash: Buffer;
}

export interface Entry {
  readonly idx: bigint;
  readonly eventId: string;
  readonly subject: Subject;
  readonly subjectSeq: bigint;
  readonly prev: Buffer | undefined;
  readonly sequencedAt: Date;
  readonly about: readonly Subject[];
  readonly leaf: Buffer;
  readonly record: AuditRecord;
}

export interface Batch {
  readonly entries: readonly Entry[];
  /** The heads after the batch, of the subjects it concerns. */
  readonly heads: readonly Head[];
}

/** Gives each waiting record, in the order given, the next index of the log and the next place in its subject's history. */
export function planBatch(
  state: LogState,
  heads: readonly Head[],
  waiting: readonly WaitingRecord[],
  now: Date,
): Batch {
  const newest = new Map(heads.map((head) => [keyOf(head.subject), head]));
  const entries: Entry[] = [];
  for (const { eventId, subject, about, record } of waiting) {
    const head = newest.get(keyOf(subject));
    const idx = state.size + BigInt(entries.length);
    const subjectSeq = (head?.seq ?? 0n) + 1n;
    const prev = head?.leafHash;
    const leaf = leafOf({ origin: state.origin, index: idx, subjectSeq, prev, time: now }, record);
    newest.set(keyOf(subject), { subject, seq: subjectSeq, leafHash: leafHashOf(leaf) });
    const parsed = JSON.parse(record.toString()) as AuditRecord;
    entries.push({ idx, eventId, subject, subjectSeq, prev, sequencedAt: now, about, leaf, record: parsed });
  }
  return { entries, heads: [...newest.values()] };
}

function keyOf(subject: Subject): string {
  return `${subject.type} ${subject.id}`;
}
