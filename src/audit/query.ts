import type { Bindings, Database, Queryable, Transaction } from "../database.ts";
import type { Gun, MemberId, TeamId } from "../names.ts";
import { timeBlock } from "./log-store.ts";
import { pageTokenOf, parsePageToken } from "./page-token.ts";
import type { AuditRecord, Subject } from "./record.ts";

/** Which records are wanted: all conditions must hold; an empty one asks nothing. */
export interface RecordFilter {
  /** Records of this subject's own history. */
  readonly subject: Subject | undefined;
  /** Records about these things, whatever their subject. */
  readonly gun: Gun | "";
  readonly team: TeamId | "";
  readonly member: MemberId | "";
  readonly actor: string;
  readonly eventTypes: readonly string[];
  /** `OK`, `REFUSED` (all that is not OK), or a gRPC status name; any of them. */
  readonly results: readonly string[];
  /** When it occurred: from inclusive, until exclusive. */
  readonly from: Date | undefined;
  readonly until: Date | undefined;
}

export const everyRecord: RecordFilter = {
  subject: undefined,
  gun: "",
  team: "",
  member: "",
  actor: "",
  eventTypes: [],
  results: [],
  from: undefined,
  until: undefined,
};

/** A record in its place in the log. */
export interface StoredRecord {
  readonly index: bigint;
  readonly eventId: string;
  readonly subject: Subject;
  readonly subjectSeq: bigint;
  readonly occurredAt: Date;
  readonly sequencedAt: Date;
  /** The bytes that are hashed. */
  readonly leaf: Buffer;
  readonly record: AuditRecord;
}

export interface RecordPage {
  readonly records: readonly StoredRecord[];
  /** Empty on the last page. */
  readonly nextToken: string;
}

/**
 * Lists records, newest first; only what is in the log (Sequencer.catchUp first, to find one's own). `size` is at least 1.
 * Throws Fault INVALID_FIELD for a token of another listing.
 */
export async function listRecords(
  database: Database,
  filter: RecordFilter,
  page: { readonly size: number; readonly token: string },
): Promise<RecordPage> {
  const identity = { ...filter, from: filter.from?.toISOString() ?? "", until: filter.until?.toISOString() ?? "" };
  const place = parsePageToken(page.token, identity);
  const rows = await database.transaction((tx) => readPage(tx, filter, place?.before, page.size + 1), {
    readOnly: true,
  });
  const records = rows.slice(0, page.size).map(storedRecordOf);
  const last = records.at(-1);
  const isLast = rows.length <= page.size || last === undefined;
  return { records, nextToken: isLast ? "" : pageTokenOf({ before: last.index }, identity) };
}

async function readPage(
  tx: Transaction,
  filter: RecordFilter,
  before: bigint | undefined,
  limit: number,
): Promise<readonly StoredRow[]> {
  const range = await rangeOf(tx, filter, before);
  if (range === undefined) return [];
  const { conditions, bindings } = conditionsOf(filter);
  // One team may have millions of records and another two: the plan must fit the values, not their average.
  await tx.run("set local plan_cache_mode = force_custom_plan");
  return tx.rows<StoredRow>(
    `select ${storedColumns} from ${sourceOf(filter)}
     where ${[...boundsOf(filter), ...conditions].join(" and ")} order by e.idx desc limit :limit`,
    { ...bindings, ...range, limit },
  );
}

/** Reads one record by its index or its event id; undefined when the log holds none. */
export async function getRecord(
  db: Queryable,
  id: { readonly index: bigint } | { readonly eventId: string },
): Promise<StoredRecord | undefined> {
  const condition = "index" in id ? "e.idx = :index" : "e.event_id = :eventId";
  const row = await db.row<StoredRow>(`select ${storedColumns} from audit.entry e where ${condition}`, { ...id });
  return row === undefined ? undefined : storedRecordOf(row);
}

/** An entry as it is read from the table, by `storedColumns`. */
export interface StoredRow {
  readonly idx: bigint;
  readonly event_id: string;
  readonly subject_type: Subject["type"];
  readonly subject_id: string;
  readonly subject_seq: bigint;
  readonly occurred_at: Date;
  readonly sequenced_at: Date;
  readonly leaf: Buffer;
}

export const storedColumns =
  "e.idx, e.event_id, e.subject_type, e.subject_id, e.subject_seq, e.occurred_at, e.sequenced_at, e.leaf";

export function storedRecordOf(row: StoredRow): StoredRecord {
  const { record } = JSON.parse(row.leaf.toString()) as { record: AuditRecord };
  return {
    index: row.idx,
    eventId: row.event_id,
    subject: { type: row.subject_type, id: row.subject_id },
    subjectSeq: row.subject_seq,
    occurredAt: row.occurred_at,
    sequencedAt: row.sequenced_at,
    leaf: row.leaf,
    record,
  };
}

/** What the filter asks records to be about. */
function thingsOf(filter: RecordFilter): readonly Subject[] {
  const named = [
    { type: "gun" as const, id: filter.gun },
    { type: "team" as const, id: filter.team },
    { type: "member" as const, id: filter.member },
  ];
  return [...(filter.subject === undefined ? [] : [filter.subject]), ...named.filter(({ id }) => id !== "")];
}

function sourceOf(filter: RecordFilter): string {
  const joins = thingsOf(filter).map((_, i) => `join audit.entry_about a${i} on a${i}.idx = e.idx`);
  return ["audit.entry e", ...joins].join(" ");
}

/** The bounds stand on each table joined: the planner does not derive an inequality from an equality. */
function boundsOf(filter: RecordFilter): readonly string[] {
  const tables = ["e", ...thingsOf(filter).map((_, i) => `a${i}`)];
  return tables.map((table) => `${table}.idx >= :first and ${table}.idx < :end`);
}

function conditionsOf(filter: RecordFilter): { conditions: readonly string[]; bindings: Bindings } {
  const conditions: string[] = [];
  const bindings: Record<string, unknown> = {};
  const require = (condition: string, values: Bindings): void => {
    conditions.push(condition);
    Object.assign(bindings, values);
  };
  thingsOf(filter).forEach(({ type, id }, i) => {
    require(`a${i}.type = :type${i} and a${i}.id = :id${i}`, { [`type${i}`]: type, [`id${i}`]: id });
  });
  if (filter.subject !== undefined) {
    const { type, id } = filter.subject;
    require("e.subject_type = :subjectType and e.subject_id = :subjectId", { subjectType: type, subjectId: id });
  }
  if (filter.actor !== "") require("e.actor = :actor", { actor: filter.actor });
  if (filter.eventTypes.length > 0) {
    require("e.event_type = any(:eventTypes)", { eventTypes: filter.eventTypes });
  }
  if (filter.results.length > 0) {
    const refused = filter.results.includes("REFUSED") ? " or e.result <> 'OK'" : "";
    require(`(e.result = any(:results)${refused})`, { results: filter.results });
    // Said once more for the planner, which has an index of failures.
    if (!filter.results.includes("OK")) conditions.push("e.result <> 'OK'");
  }
  if (filter.from !== undefined) require("e.occurred_at >= :from", { from: filter.from });
  if (filter.until !== undefined) require("e.occurred_at < :until", { until: filter.until });
  return { conditions, bindings };
}

/** The indexes the records can lie at: below the page's end, and in blocks that hold the time asked for; undefined for none. */
async function rangeOf(
  db: Queryable,
  filter: RecordFilter,
  before: bigint | undefined,
): Promise<{ readonly first: bigint; readonly end: bigint } | undefined> {
  const end = before ?? greatestIndex;
  if (filter.from === undefined && filter.until === undefined) return { first: 0n, end };
  const row = await db.row<{ first: bigint | null; last: bigint | null }>(
    `with tail as (select coalesce(max(block) + 1, 0) as block from audit.time_index),
     blocks as (
       select block, min_occurred, max_occurred from audit.time_index
       union all
       select tail.block, min(e.occurred_at), max(e.occurred_at)
       from tail join audit.entry e on e.idx >= tail.block * :width::bigint group by tail.block)
     select min(block) as first, max(block) as last from blocks
     where (:from::timestamptz is null or max_occurred >= :from) and (:until::timestamptz is null or min_occurred < :until)`,
    { width: timeBlock, from: filter.from ?? null, until: filter.until ?? null },
  );
  if (row === undefined || row.first === null || row.last === null) return undefined;
  const ending = (row.last + 1n) * timeBlock;
  return { first: row.first * timeBlock, end: ending < end ? ending : end };
}

const greatestIndex = 2n ** 63n - 1n;
