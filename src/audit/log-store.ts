import type { Database, Queryable, Transaction } from "../database.ts";
import { type Batch, type Head, type LogState, planBatch, type WaitingRecord } from "./batch.ts";
import type { Subject } from "./record.ts";

/** The channel on which sequencers say that records wait (`waiting`) or that the log has grown (`grown`). */
export const logChannel = "imagetrust_audit";

/** Most records, and about the most bytes, that one transaction moves into the log. */
export const batchRecords = 1_024;
const batchBytes = 8 * 1_048_576;

export interface LogReading extends LogState {
  /** Intake ids of the oldest and newest record that waits; undefined when none does. */
  readonly waiting: { readonly oldest: bigint; readonly newest: bigint } | undefined;
}

/** Reads how far the log has come and whether records wait. */
export async function readLog(db: Queryable): Promise<LogReading> {
  const row = await db.row<LogState & { oldest: bigint | null; newest: bigint | null }>(
    `select size, epoch, origin, (select min(id) from audit.intake) as oldest, (select max(id) from audit.intake) as newest
     from audit.log_state`,
  );
  if (row === undefined) throw new Error("audit.log_state has no row.");
  const { size, epoch, origin, oldest, newest } = row;
  return { size, epoch, origin, waiting: oldest === null || newest === null ? undefined : { oldest, newest } };
}

/** How many records wait, counted up to `most`. */
export async function countWaiting(db: Queryable, most: number): Promise<number> {
  const row = await db.row<{ depth: bigint }>(
    "select count(*) as depth from (select from audit.intake limit :most) as waiting",
    { most },
  );
  return Number(row?.depth ?? 0n);
}

/** Whether a record that waited under this intake id, or an older one, still waits. */
export async function isWaiting(db: Queryable, id: bigint): Promise<boolean> {
  const row = await db.row<{ waits: boolean }>("select exists(select from audit.intake where id <= :id) as waits", {
    id,
  });
  return row?.waits ?? false;
}

/** Makes the caller the only one who may extend the log; undefined when another was faster or the log has grown. */
export async function takeOver(db: Queryable, state: LogState): Promise<bigint | undefined> {
  const row = await db.row<{ epoch: bigint }>(
    "update audit.log_state set epoch = epoch + 1 where size = :size and epoch = :epoch returning epoch",
    { size: state.size, epoch: state.epoch },
  );
  return row?.epoch;
}

/**
 * Moves the oldest waiting records into the log and answers how many; undefined when the log is no longer at `state`.
 * All is read and computed first; then one transaction begins with the compare-and-swap on the state, which proves that
 * what was read still holds, and ends with one notification. Any number of processes may try at once.
 */
export async function moveBatch(database: Database, state: LogState, now: Date): Promise<number | undefined> {
  const waiting = await readWaiting(database);
  if (waiting.length === 0) return 0;
  const heads = await readHeads(database, waiting);
  const batch = planBatch(state, heads, waiting, now);
  const moved = await database.transaction(async (tx) => {
    if (!(await advance(tx, state, batch.entries.length))) return false;
    await removeWaiting(tx, waiting);
    await insertEntries(tx, batch);
    await insertAbout(tx, batch);
    await saveHeads(tx, batch.heads);
    await indexTimes(tx, state.size, state.size + BigInt(batch.entries.length));
    await tx.run("select pg_notify(:channel, 'grown')", { channel: logChannel });
    return true;
  });
  return moved ? batch.entries.length : undefined;
}

interface WaitingRow {
  readonly id: bigint;
  readonly event_id: string;
  readonly subject_type: Subject["type"];
  readonly subject_id: string;
  readonly about_types: readonly Subject["type"][];
  readonly about_ids: readonly string[];
  readonly record: Buffer;
}

async function readWaiting(db: Queryable): Promise<readonly WaitingRecord[]> {
  const rows = await db.rows<WaitingRow>(
    `select id, event_id, subject_type, subject_id, about_types, about_ids, record
     from (select *, sum(length(record)) over (order by id) as bytes
           from (select * from audit.intake order by id limit :most) as oldest) as measured
     where bytes - length(record) < :bytes order by id`,
    { most: batchRecords, bytes: batchBytes },
  );
  return rows.map((row) => ({
    id: row.id,
    eventId: row.event_id,
    subject: { type: row.subject_type, id: row.subject_id },
    about: row.about_types.map((type, i) => ({ type, id: row.about_ids[i] ?? "" })),
    record: row.record,
  }));
}

async function readHeads(db: Queryable, waiting: readonly WaitingRecord[]): Promise<readonly Head[]> {
  const rows = await db.rows<{ type: Subject["type"]; id: string; seq: bigint; leaf_hash: Buffer }>(
    `select type, id, seq, leaf_hash from audit.subjects
     where (type, id) in (select * from unnest(:types::text[], :ids::text[]))`,
    { types: waiting.map(({ subject }) => subject.type), ids: waiting.map(({ subject }) => subject.id) },
  );
  return rows.map(({ type, id, seq, leaf_hash }) => ({ subject: { type, id }, seq, leafHash: leaf_hash }));
}

/** Takes the state's row lock. A sequencer that falls silent in its transaction loses it after 5 s instead of the pool's minute. */
async function advance(tx: Transaction, state: LogState, by: number): Promise<boolean> {
  const advanced = await tx.run(
    `update audit.log_state set size = size + :by where size = :size and epoch = :epoch
     returning set_config('idle_in_transaction_session_timeout', '5s', true)`,
    { by, size: state.size, epoch: state.epoch },
  );
  return advanced === 1;
}

async function removeWaiting(tx: Transaction, waiting: readonly WaitingRecord[]): Promise<void> {
  const removed = await tx.run("delete from audit.intake where id = any(:ids::bigint[])", {
    ids: waiting.map(({ id }) => id),
  });
  if (removed !== waiting.length) throw new Error("Waiting audit records vanished before they were sequenced.");
}

async function insertEntries(tx: Transaction, { entries }: Batch): Promise<void> {
  await tx.run(
    `insert into audit.entry(idx, event_id, subject_type, subject_id, subject_seq, prev, occurred_at, sequenced_at,
       actor, method, event_type, gun, result, severity, trace_id, leaf)
     select * from unnest(:idx::bigint[], :eventId::uuid[], :subjectType::text[], :subjectId::text[], :subjectSeq::bigint[],
       :prev::bytea[], :occurredAt::timestamptz[], :sequencedAt::timestamptz[], :actor::text[], :method::text[],
       :eventType::text[], :gun::text[], :result::text[], :severity::text[], :traceId::text[], :leaf::bytea[])`,
    {
      idx: entries.map(({ idx }) => idx),
      eventId: entries.map(({ eventId }) => eventId),
      subjectType: entries.map(({ subject }) => subject.type),
      subjectId: entries.map(({ subject }) => subject.id),
      subjectSeq: entries.map(({ subjectSeq }) => subjectSeq),
      prev: entries.map(({ prev }) => prev ?? null),
      occurredAt: entries.map(({ record }) => record.occurred_at),
      sequencedAt: entries.map(({ sequencedAt }) => sequencedAt),
      actor: entries.map(({ record }) => record.actor.id),
      method: entries.map(({ record }) => record.method),
      eventType: entries.map(({ record }) => record.event_type),
      gun: entries.map(({ record }) => record.gun ?? null),
      result: entries.map(({ record }) => record.result.code),
      severity: entries.map(({ record }) => record.severity),
      traceId: entries.map(({ record }) => record.trace_id ?? null),
      leaf: entries.map(({ leaf }) => leaf),
    },
  );
}

async function insertAbout(tx: Transaction, { entries }: Batch): Promise<void> {
  const things = entries.flatMap(({ idx, about }) => about.map((subject) => ({ ...subject, idx })));
  await tx.run(
    "insert into audit.entry_about(type, id, idx) select * from unnest(:types::text[], :ids::text[], :idx::bigint[])",
    { types: things.map(({ type }) => type), ids: things.map(({ id }) => id), idx: things.map(({ idx }) => idx) },
  );
}

async function saveHeads(tx: Transaction, heads: readonly Head[]): Promise<void> {
  await tx.run(
    `insert into audit.subjects(type, id, seq, leaf_hash)
     select * from unnest(:types::text[], :ids::text[], :seqs::bigint[], :hashes::bytea[])
     on conflict (type, id) do update set seq = excluded.seq, leaf_hash = excluded.leaf_hash`,
    {
      types: heads.map(({ subject }) => subject.type),
      ids: heads.map(({ subject }) => subject.id),
      seqs: heads.map(({ seq }) => seq),
      hashes: heads.map(({ leafHash }) => leafHash),
    },
  );
}

/** Entries per row of audit.time_index. */
export const timeBlock = 1_024n;

/** Notes when the records of each block that is now full occurred. */
async function indexTimes(tx: Transaction, from: bigint, to: bigint): Promise<void> {
  if (from / timeBlock === to / timeBlock) return;
  await tx.run(
    `insert into audit.time_index(block, min_occurred, max_occurred)
     select idx / :width::bigint as block, min(occurred_at), max(occurred_at) from audit.entry
     where idx >= :first and idx < :end group by block`,
    { width: timeBlock, first: (from / timeBlock) * timeBlock, end: (to / timeBlock) * timeBlock },
  );
}
