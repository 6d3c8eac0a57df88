import { type LogNews, logSize } from "../../audit/log-news.ts";
import type { StoredRecord } from "../../audit/query.ts";
import { tailRecords } from "../../audit/tail.ts";
import type { Database } from "../../database.ts";
import { Fault } from "../../errors.ts";
import type { Gun } from "../../names.ts";

/** What watching needs from the house. */
export interface Watching {
  readonly database: Database;
  readonly news: LogNews;
  /** A stream says where it stands at least this often. */
  readonly heartbeatMs: number;
}

export interface TrustWatch {
  /** Empty: all collections. */
  readonly gun: Gun | "";
  /** The index to begin at; undefined: the end of the log as it is. */
  readonly from: bigint | undefined;
  /** Unix milliseconds: when the stream ends by itself. */
  readonly until: number;
  readonly signal: AbortSignal;
}

/** A message of a watch: where to go on after it, and what happened; without a record it is a sign of life. */
export interface Watched {
  readonly next: bigint;
  readonly record: StoredRecord | undefined;
}

/** What happens to the trust of collections, by the first word of its event type. */
const families = ["trust", "delegation", "publication", "signature"];
const pageSize = 100;

/**
 * What was recorded about the trust of collections, in the order of the log, and what comes, until its time is over or the signal
 * aborts. Nothing is buffered but a page: a slow reader is read for slowly. Whose time is over before the end of the log is told where
 * it stands, so that a short call comes on as well. Throws INVALID_FIELD for a cursor that the log has not reached.
 */
export async function* watchTrust(
  { database, news, heartbeatMs }: Watching,
  { gun, from, until, signal }: TrustWatch,
): AsyncIterable<Watched> {
  const size = await logSize(database);
  let next = from ?? size;
  if (next > size) throw beyondTheEnd(size);
  let saidAt = Number.NEGATIVE_INFINITY;
  while (!signal.aborted) {
    const tail = await tailRecords(database, { gun, families }, next, pageSize);
    for (const record of tail.records) {
      if (signal.aborted) return;
      if (isTold(record)) yield { next: record.index + 1n, record };
    }
    next = tail.next;
    const isOver = Date.now() >= until;
    const saidSome = tail.isEnd && tail.records.length > 0;
    if (isOver || saidSome || Date.now() - saidAt >= heartbeatMs) {
      yield { next, record: undefined };
      saidAt = Date.now();
    }
    if (isOver) return;
    if (tail.isEnd) await news.grown(next, Math.max(1, Math.min(heartbeatMs, until - Date.now())), signal);
  }
}

/** Waiting there would miss whatever comes before: the log is another one, or older than the cursor, as after a restore. */
function beyondTheEnd(size: bigint): Fault {
  const fault = `must not be beyond the end of the log, which is ${size}; read anew what you keep, and begin at the end or at 0`;
  return new Fault("INVALID_FIELD", `The cursor ${fault}.`, { fields: [{ field: "cursor", fault }] });
}

/** What was done and what became of it; neither questions nor what changed nothing. */
function isTold({ record }: StoredRecord): boolean {
  return (record.stage === "RESULT" || record.stage === "INTENT") && !record.event_type.endsWith(".unchanged.v1");
}
