import { createHash } from "node:crypto";
import { canonicalBytes } from "./canonical.ts";

/** A leaf of the log holds at most this many bytes. */
export const mostLeafBytes = 60_000;

/** A record's place in the log and in the history of its subject. */
export interface Place {
  readonly origin: string;
  readonly index: bigint;
  /** From 1, without gaps. */
  readonly subjectSeq: bigint;
  /** Hash of the leaf before this one in the subject's history; undefined for the first. */
  readonly prev: Buffer | undefined;
  readonly time: Date;
}

/**
 * The leaf's bytes: `{"log":{v,origin,index,subject_seq,prev,time},"record":{...}}` in RFC 8785 form. `record` is canonical
 * already and stands in the leaf byte for byte.
 */
export function leafOf(place: Place, record: Buffer): Buffer {
  const log = canonicalBytes({
    v: 1,
    origin: place.origin,
    index: place.index,
    subject_seq: place.subjectSeq,
    prev: place.prev?.toString("hex") ?? null,
    time: place.time.toISOString(),
  });
  const leaf = Buffer.concat([head, log, middle, record, tail]);
  if (leaf.length > mostLeafBytes) throw new RangeError(`The leaf would hold ${leaf.length} bytes.`);
  return leaf;
}

/** RFC 6962, 2.1: SHA-256 of a zero byte and the leaf. */
export function leafHashOf(leaf: Buffer): Buffer {
  return createHash("sha256").update(leafPrefix).update(leaf).digest();
}

const head = Buffer.from('{"log":');
const middle = Buffer.from(',"record":');
const tail = Buffer.from("}");
const leafPrefix = Buffer.of(0);
