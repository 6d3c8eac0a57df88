import type { Database } from "../database.ts";
import type { Gun } from "../names.ts";
import { logSize } from "./log-news.ts";
import { type StoredRecord, type StoredRow, storedColumns, storedRecordOf } from "./query.ts";

/** Records in the order of the log. */
export interface Tail {
  readonly records: readonly StoredRecord[];
  /** The index up to which everything was looked through: where to go on. */
  readonly next: bigint;
  /** Whether the end of the log was reached. */
  readonly isEnd: boolean;
}

/** At most so many entries are looked through at once, where they may be about anything. */
const widest = 10_000n;

/**
 * Reads the records about collections, or about one, from an index on, oldest first. `families` are the first words of event types.
 * The log is gapless and never changes below its size, so that whoever goes on at `next` misses none.
 */
export async function tailRecords(
  database: Database,
  { gun, families }: { readonly gun: Gun | ""; readonly families: readonly string[] },
  from: bigint,
  limit: number,
): Promise<Tail> {
  const size = await logSize(database);
  // What one collection is about is found by an index, however far apart it lies.
  const end = gun !== "" || size < from + widest ? size : from + widest;
  if (end <= from) return { records: [], next: from, isEnd: true };
  const source = gun === "" ? "audit.entry e" : "audit.entry_about a join audit.entry e on e.idx = a.idx";
  const about =
    gun === "" ? "" : "and a.type = 'gun' and a.id = :gun and a.idx >= :from and a.idx < :end and e.gun = :gun";
  const rows = await database.rows<StoredRow>(
    `select ${storedColumns} from ${source} where e.idx >= :from and e.idx < :end and e.gun is not null ${about}
       and split_part(e.event_type, '.', 1) = any(:families)
     order by e.idx limit :limit`,
    { families, from, end, limit, ...(gun === "" ? {} : { gun }) },
  );
  const last = rows.at(-1);
  const next = rows.length < limit || last === undefined ? end : last.idx + 1n;
  return { records: rows.map(storedRecordOf), next, isEnd: next >= size };
}
