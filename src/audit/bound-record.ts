import { createHash } from "node:crypto";
import { canonicalBytes } from "./canonical.ts";
import type { AuditRecord, Truncated } from "./record.ts";

/** A leaf holds at most 60,000 bytes (tlog-tiles allows 65,535); 1,000 of them are kept for what the sequencer adds. */
export const mostRecordBytes = 59_000;

/**
 * The canonical bytes of a record, at most `mostRecordBytes`. Where it would be longer, its largest values become their
 * hash and length, the largest first and on a tie in the order of the record's schema, until it fits: the same record
 * is always cut in the same way, and none is ever too long to be kept.
 */
export function boundRecord(record: AuditRecord): Buffer {
  const bytes = canonicalBytes(record);
  if (bytes.length <= mostRecordBytes) return bytes;
  const draft = JSON.parse(bytes.toString()) as Branch;
  const values = growing.flatMap((path) => valueAt(draft, path)).sort((a, b) => b.bytes.length - a.bytes.length);
  let length = bytes.length;
  for (const { holder, name, bytes: value } of values) {
    const stub = stubOf(value);
    holder[name] = stub;
    length += canonicalBytes(stub).length - value.length;
    if (length <= mostRecordBytes) break;
  }
  return canonicalBytes(draft);
}

/** The values that have no bound of their own. All others together stay far below the limit. */
const growing: readonly (readonly [string] | readonly [string, string])[] = [
  ["change", "before"],
  ["change", "after"],
  ["change", "diff"],
  ["publication", "roles"],
  ["publication", "team_revisions"],
  ["publication", "detail"],
  ["authorization", "policies"],
  ["about"],
];

interface Branch {
  [name: string]: unknown;
}

interface GrowingValue {
  readonly holder: Branch;
  readonly name: string;
  readonly bytes: Buffer;
}

function valueAt(record: Branch, path: readonly string[]): readonly GrowingValue[] {
  const name = path.at(-1) as string;
  const holder = (path.length === 1 ? record : record[path[0] as string]) as Branch | undefined;
  if (holder?.[name] === undefined) return [];
  return [{ holder, name, bytes: canonicalBytes(holder[name]) }];
}

function stubOf(value: Buffer): Truncated {
  return { sha256: createHash("sha256").update(value).digest("hex"), length: value.length, truncated: true };
}
