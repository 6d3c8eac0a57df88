import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { appendRecord } from "../../src/audit/append.ts";
import type { RecordDraft, Subject } from "../../src/audit/record.ts";
import { createSequencer } from "../../src/audit/sequencer.ts";
import { type Database, openDatabase } from "../../src/database.ts";
import { startPostgres, type TestPostgres } from "../stack/postgres.ts";
import { checkLog } from "./check-log.ts";
import { appendAll, sampleCall, sampleDraft, strictLog, until } from "./samples.ts";

const now = () => new Date();

describe("the sequencer", () => {
  let postgres: TestPostgres;
  const opened: Database[] = [];
  before(async () => {
    postgres = await startPostgres();
  });
  after(async () => {
    await Promise.all(opened.map((database) => database.close()));
    await postgres.stop();
  });

  async function open(): Promise<{ app: Database; owner: Database; another: () => Database }> {
    const { appUrl, ownerUrl } = await postgres.createDatabase();
    const openUrl = (url: string) => {
      const database = openDatabase({ url });
      opened.push(database);
      return database;
    };
    return { app: openUrl(appUrl), owner: openUrl(ownerUrl), another: () => openUrl(appUrl) };
  }

  test("puts committed records into the log once, in order, and none of a change that was rolled back", async () => {
    const { app } = await open();
    await appendAll(app, [sampleDraft({ eventType: "one.v1" }), sampleDraft({ eventType: "two.v1" })]);
    await assert.rejects(
      app.transaction(async (tx) => {
        await appendRecord(tx, sampleCall(), sampleDraft({ eventType: "never.v1" }), now());
        throw new Error("undone");
      }),
      /undone/,
    );
    await appendAll(app, [sampleDraft({ eventType: "three.v1" })]);
    const sequencer = createSequencer(app, strictLog(), now);
    assert.equal(await sequencer.sequenceOnce(), 3);
    assert.equal(await sequencer.sequenceOnce(), 0);
    assert.deepEqual((await checkLog(app)).types, ["one.v1", "two.v1", "three.v1"]);
  });

  test("keeps every history gapless and linked for any mix of records and batches", async () => {
    const { app } = await open();
    const sequencer = createSequencer(app, strictLog(), now);
    const subject = fc.record({
      type: fc.constantFrom<Subject["type"]>("gun", "team", "member"),
      id: fc.constantFrom("a", "b", 'c"\\\u00e9'),
    });
    const draft = fc.record({
      subject,
      about: fc.array(subject, { maxLength: 3 }),
      change: fc.record({
        before: fc.jsonValue(),
        after: fc.jsonValue(),
        diff: fc.array(fc.string({ unit: "binary" }), { maxLength: 3 }),
      }),
    });
    let size = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(draft, { maxLength: 5 }), async (drafts) => {
        await appendAll(
          app,
          drafts.map((changes) => sampleDraft(changes as Partial<RecordDraft>)),
        );
        assert.equal(await sequencer.sequenceOnce(), drafts.length);
        size += drafts.length;
      }),
      { numRuns: 25 },
    );
    assert.equal((await checkLog(app)).size, size);
  });

  test("moves a backlog of several batches and indexes its times", async () => {
    const { app } = await open();
    await app.transaction(async (tx) => {
      for (let i = 0; i < 2_500; i++) {
        const at = new Date(Date.UTC(2026, 0, 1) + i * 1_000);
        await appendRecord(tx, sampleCall(), sampleDraft({ subject: { type: "team", id: `t${i % 7}` } }), at);
      }
    });
    const sequencer = createSequencer(app, strictLog(), now);
    const moved = [await sequencer.sequenceOnce(), await sequencer.sequenceOnce(), await sequencer.sequenceOnce()];
    assert.deepEqual(moved, [1_024, 1_024, 452]);
    assert.equal((await checkLog(app)).size, 2_500);
  });

  test("moves a batch of the longest records without holding more than a few megabytes of them", async () => {
    const { app } = await open();
    const long = sampleDraft({ change: { before: null, after: "x".repeat(50_000), diff: [] } });
    await appendAll(
      app,
      Array.from({ length: 200 }, () => long),
    );
    const sequencer = createSequencer(app, strictLog(), now);
    const first = await sequencer.sequenceOnce();
    assert.ok(first >= 150 && first < 200, `${first} records of 50,000 bytes in one batch`);
    assert.equal(await sequencer.sequenceOnce(), 200 - first);
    await checkLog(app);
  });

  test("lets two sequencers race over the same records: nothing lost, nothing twice, no gap", async () => {
    const { app, another } = await open();
    const log = strictLog();
    const sequencers = [createSequencer(another(), log, now), createSequencer(another(), log, now)];
    const appended = Promise.all(
      Array.from({ length: 4 }, (_, writer) =>
        appendAll(
          app,
          Array.from({ length: 50 }, (_, i) => sampleDraft({ eventType: `w${writer}.n${i}.v1` })),
        ),
      ),
    );
    let done = false;
    const race = sequencers.map(async (sequencer) => {
      let moved = 0;
      while (!done) moved += await sequencer.sequenceOnce();
      return moved;
    });
    await appended;
    await until(async () => (await app.row("select from audit.intake limit 1")) === undefined, "all was sequenced");
    done = true;
    const moved = await Promise.all(race);
    assert.ok(Math.min(...moved) > 0, `both took part: ${moved.join(" and ")}`);
    const { types } = await checkLog(app);
    assert.equal(types.length, 200);
    for (let writer = 0; writer < 4; writer++) {
      const own = types.filter((type) => type.startsWith(`w${writer}.`));
      assert.deepEqual(
        own,
        Array.from({ length: 50 }, (_, i) => `w${writer}.n${i}.v1`),
      );
    }
  });

  test("wakes on commit, and an idle replica's records are moved by the active one", async () => {
    const { app, another } = await open();
    const log = strictLog();
    const [older, newer] = [createSequencer(another(), log, now), createSequencer(another(), log, now)];
    older.start();
    await until(async () => (await epochOf(app)) === 1n, "the first took over");
    newer.start();
    await until(async () => (await epochOf(app)) === 2n, "the second took over");
    await appendAll(app, [sampleDraft()]);
    await older.catchUp(AbortSignal.timeout(5_000));
    assert.equal((await checkLog(app)).size, 1);
    assert.equal(await epochOf(app), 2n, "the active one was told; nobody had to take over");
    await Promise.all([older.stop(), newer.stop()]);
    assert.deepEqual(log.complaints, []);
  });

  test("is replaced when it is gone while records wait", async () => {
    const { app, another } = await open();
    const log = strictLog();
    const [standby, active] = [createSequencer(another(), log, now), createSequencer(another(), log, now)];
    standby.start();
    await until(async () => (await epochOf(app)) === 1n, "the standby-to-be took over");
    active.start();
    await until(async () => (await epochOf(app)) === 2n, "the second took over");
    await active.stop();
    await appendAll(app, [sampleDraft()]);
    await until(async () => (await app.row("select from audit.entry limit 1")) !== undefined, "the standby went on");
    assert.equal(await epochOf(app), 3n);
    await standby.stop();
    await checkLog(app);
  });

  test("finds a record that nobody announced", async () => {
    const { app, another } = await open();
    const sequencer = createSequencer(another(), strictLog(), now);
    sequencer.start();
    await appendAll(app, [sampleDraft()]);
    await until(async () => (await app.row("select from audit.entry limit 1")) !== undefined, "the poll found it");
    await sequencer.stop();
  });

  test("refuses changes while more than 50,000 records wait or it is behind by 30 seconds, and admits them afterwards", async () => {
    const { app, owner, another } = await open();
    let clock = Date.UTC(2026, 0, 1);
    const sequencer = createSequencer(another(), strictLog(), () => new Date(clock));
    await appendAll(app, [sampleDraft()]);
    let release = (): void => undefined;
    const blocked = owner.transaction(async (tx) => {
      await tx.row("select from audit.log_state for update");
      await new Promise<void>((resolve) => {
        release = resolve;
      });
    });
    await until(async () => (await lockedRows(owner)) > 0, "the log is held");
    sequencer.start();
    await until(() => sequencer.lagMs === 0 && isStuck(owner), "the sequencer stands still");
    sequencer.admit();
    clock += 30_001;
    assert.equal(sequencer.lagMs, 30_001);
    assert.throws(() => sequencer.admit(), { reason: "AUDIT_BEHIND" });
    release();
    await blocked;
    await until(() => sequencer.lagMs === 0, "it caught up");
    sequencer.admit();
    await sequencer.stop();

    await owner.run(
      `insert into audit.intake(event_id, subject_type, subject_id, about_types, about_ids, occurred_at, record)
       select gen_random_uuid(), 'log', 'x', '{}', '{}', now(), e.record
       from (select convert_from(leaf, 'UTF8')::json ->> 'record' as text from audit.entry limit 1) as one,
         lateral (select convert_to(one.text, 'UTF8') as record) as e, generate_series(1, 50001)`,
    );
    const another2 = createSequencer(another(), strictLog(), () => new Date(clock));
    await another2.sequenceOnce();
    assert.throws(() => another2.admit(), { reason: "AUDIT_BEHIND" });
    await another2.sequenceOnce();
    another2.admit();
  });

  test("makes the next partition of the log ahead of need, though the role that serves may not", async () => {
    const { app, owner } = await open();
    await owner.run("update audit.log_state set size = 4999999");
    const sequencer = createSequencer(app, strictLog(), now);
    await appendAll(app, [sampleDraft()]);
    assert.equal(await sequencer.sequenceOnce(), 1);
    await owner.run("update audit.log_state set size = 9999999");
    await appendAll(app, [sampleDraft(), sampleDraft()]);
    assert.equal(await sequencer.sequenceOnce(), 2);
    const rows = await owner.rows("select idx, tableoid::regclass::text as part from audit.entry order by idx");
    assert.deepEqual(
      [...rows],
      [
        { idx: 4_999_999n, part: "audit.entry_0" },
        { idx: 9_999_999n, part: "audit.entry_0" },
        { idx: 10_000_000n, part: "audit.entry_1" },
      ],
    );
    await assert.rejects(app.run("create table audit.mine()"), /permission denied/);
    await assert.rejects(owner.run("truncate audit.entry_1"), /append-only/);
    await assert.rejects(owner.run("delete from audit.entry_1"), /append-only/);
  });
});

async function epochOf(db: Database): Promise<bigint> {
  const row = await db.row<{ epoch: bigint }>("select epoch from audit.log_state");
  return row?.epoch ?? -1n;
}

async function lockedRows(db: Database): Promise<number> {
  const rows = await db.rows(
    "select from pg_locks where relation = 'audit.log_state'::regclass and mode = 'RowShareLock'",
  );
  return rows.length;
}

async function isStuck(db: Database): Promise<boolean> {
  return (
    (await db.row("select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()")) !==
    undefined
  );
}
