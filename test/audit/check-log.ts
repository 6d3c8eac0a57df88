import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import canonicalize from "canonicalize";
import type { Queryable } from "../../src/database.ts";

/** What a whole and honest log holds. */
export interface CheckedLog {
  readonly size: number;
  /** Event ids in the order of the log. */
  readonly eventIds: readonly string[];
  readonly types: readonly string[];
}

/**
 * Recomputes everything that audit.entry claims, from its leaves alone and without the code that wrote them: canonical bytes,
 * gapless indexes and subject histories, hashes of predecessors, heads, derived columns, the lists by subject, and that no
 * record stands in the log twice or waits while it is in the log. Throws an AssertionError at the first lie.
 */
export async function checkLog(db: Queryable): Promise<CheckedLog> {
  const state = await db.row<{ size: bigint; origin: string }>("select size, origin from audit.log_state");
  const rows = await db.rows<EntryRow>("select * from audit.entry order by idx");
  assert.equal(rows.length, Number(state?.size), "the log's size and its entries");
  const heads = new Map<string, { seq: number; hash: string }>();
  const about = new Set<string>();
  rows.forEach((row, i) => {
    const leaf = readLeaf(row.leaf);
    assert.equal(Number(row.idx), i, "indexes have no gap");
    assert.equal(leaf.log.index, i);
    assert.equal(leaf.log.origin, state?.origin);
    checkColumns(row, leaf);
    const subject = keyOf(leaf.record.subject);
    const head = heads.get(subject);
    assert.equal(leaf.log.subject_seq, (head?.seq ?? 0) + 1, `the history of ${subject} has no gap`);
    assert.equal(leaf.log.prev, head?.hash ?? null, `the history of ${subject} is linked`);
    heads.set(subject, { seq: leaf.log.subject_seq, hash: hashOf(row.leaf) });
    for (const thing of thingsOf(leaf)) about.add(`${thing} ${i}`);
  });
  await checkHeads(db, heads);
  await checkAbout(db, about, rows);
  const eventIds = rows.map((row) => row.event_id);
  assert.equal(new Set(eventIds).size, eventIds.length, "no record stands in the log twice");
  await checkIntake(db);
  await checkTimes(db, rows);
  return { size: rows.length, eventIds, types: rows.map((row) => row.event_type) };
}

interface EntryRow {
  readonly idx: bigint;
  readonly event_id: string;
  readonly subject_type: string;
  readonly subject_id: string;
  readonly subject_seq: bigint;
  readonly prev: Buffer | null;
  readonly occurred_at: Date;
  readonly sequenced_at: Date;
  readonly actor: string;
  readonly method: string;
  readonly event_type: string;
  readonly gun: string | null;
  readonly result: string;
  readonly severity: string;
  readonly trace_id: string | null;
  readonly leaf: Buffer;
}

interface Thing {
  readonly type: string;
  readonly id: string;
}

interface Leaf {
  readonly log: { v: number; origin: string; index: number; subject_seq: number; prev: string | null; time: string };
  readonly record: {
    event_id: string;
    event_type: string;
    nonce: string;
    occurred_at: string;
    method: string;
    severity: string;
    result: { code: string };
    actor: { id: string };
    subject: Thing;
    about?: readonly Thing[] | { truncated: true; sha256: string };
    gun?: string;
    trace_id?: string;
  };
}

function readLeaf(bytes: Buffer): Leaf {
  assert.ok(bytes.length <= 60_000, "a leaf holds at most 60,000 bytes");
  const leaf = JSON.parse(bytes.toString()) as Leaf;
  assert.equal(canonicalize(leaf), bytes.toString(), "a leaf is canonical JSON");
  assert.deepEqual(Object.keys(leaf), ["log", "record"]);
  assert.equal(leaf.log.v, 1);
  assert.match(leaf.record.nonce, /^[0-9a-f]{32}$/);
  return leaf;
}

function hashOf(leaf: Buffer): string {
  return createHash("sha256")
    .update(Buffer.concat([Buffer.of(0), leaf]))
    .digest("hex");
}

function keyOf({ type, id }: Thing): string {
  return `${type} ${id}`;
}

function thingsOf({ record }: Leaf): readonly string[] {
  const about = Array.isArray(record.about) ? record.about : [];
  const gun = record.gun === undefined ? [] : [{ type: "gun", id: record.gun }];
  return [record.subject, ...gun, ...about].map(keyOf);
}

function checkColumns(row: EntryRow, { log, record }: Leaf): void {
  const columns = {
    event_id: row.event_id,
    subject: { type: row.subject_type, id: row.subject_id },
    seq: Number(row.subject_seq),
    prev: row.prev?.toString("hex") ?? null,
    occurred: row.occurred_at.toISOString(),
    sequenced: row.sequenced_at.toISOString(),
    actor: row.actor,
    method: row.method,
    event_type: row.event_type,
    gun: row.gun,
    result: row.result,
    severity: row.severity,
    trace_id: row.trace_id,
  };
  assert.deepEqual(columns, {
    event_id: record.event_id,
    subject: record.subject,
    seq: log.subject_seq,
    prev: log.prev,
    occurred: record.occurred_at,
    sequenced: log.time,
    actor: record.actor.id,
    method: record.method,
    event_type: record.event_type,
    gun: record.gun ?? null,
    result: record.result.code,
    severity: record.severity,
    trace_id: record.trace_id ?? null,
  });
}

async function checkHeads(db: Queryable, heads: ReadonlyMap<string, { seq: number; hash: string }>): Promise<void> {
  const rows = await db.rows<{ type: string; id: string; seq: bigint; leaf_hash: Buffer }>(
    "select * from audit.subjects",
  );
  const stored = new Map(
    rows.map((row) => [keyOf(row), { seq: Number(row.seq), hash: row.leaf_hash.toString("hex") }]),
  );
  assert.deepEqual(stored, heads, "the heads are those of the histories");
}

/** A list of things too long for its leaf is checked by its hash elsewhere; here its rows are only allowed. */
async function checkAbout(db: Queryable, about: ReadonlySet<string>, entries: readonly EntryRow[]): Promise<void> {
  const cut = new Set(entries.filter((row) => isCut(readLeaf(row.leaf))).map((row) => Number(row.idx)));
  const rows = await db.rows<Thing & { idx: bigint }>("select type, id, idx from audit.entry_about");
  const stored = rows.filter((row) => !cut.has(Number(row.idx))).map((row) => `${keyOf(row)} ${row.idx}`);
  const expected = [...about].filter((line) => !cut.has(Number(line.slice(line.lastIndexOf(" ")))));
  assert.deepEqual(new Set(stored), new Set(expected), "records are listed under all that they are about");
}

function isCut({ record }: Leaf): boolean {
  return record.about !== undefined && !Array.isArray(record.about);
}

async function checkIntake(db: Queryable): Promise<void> {
  const both = await db.rows("select event_id from audit.intake join audit.entry using (event_id)");
  assert.equal(both.length, 0, "what is in the log waits no more");
}

async function checkTimes(db: Queryable, entries: readonly EntryRow[]): Promise<void> {
  const rows = await db.rows<{ block: bigint; min_occurred: Date; max_occurred: Date }>(
    "select * from audit.time_index order by block",
  );
  const expected = Array.from({ length: Math.floor(entries.length / 1024) }, (_, block) => {
    const times = entries.slice(block * 1024, (block + 1) * 1024).map((row) => row.occurred_at.getTime());
    return {
      block: BigInt(block),
      min_occurred: new Date(Math.min(...times)),
      max_occurred: new Date(Math.max(...times)),
    };
  });
  assert.deepEqual([...rows], expected, "the time index knows every full block");
}
