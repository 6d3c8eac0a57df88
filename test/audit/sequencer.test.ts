import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { appendRecord } from "../../src/audit/append.ts";
import type { RecordDraft, Subject } from "../../src/audit/record.ts";
import type { Database } from "../../src/database.ts";
import { checkLog } from "./check-log.ts";
import { logDatabases } from "./log-database.ts";
import { appendAll, sampleCall, sampleDraft, strictLog, until } from "./samples.ts";

describe("the sequencer", () => {
  const openLog = logDatabases();

  test("puts committed records into the log once, in order, and none of a change that was rolled back", async () => {
    const { app, sequencer: make } = await openLog();
    await appendAll(app, [sampleDraft({ eventType: "one.v1" }), sampleDraft({ eventType: "two.v1" })]);
    await assert.rejects(
      app.transaction(async (tx) => {
        await appendRecord(tx, sampleCall(), sampleDraft({ eventType: "never.v1" }), new Date());
        throw new Error("undone");
      }),
      /undone/,
    );
    await appendAll(app, [sampleDraft({ eventType: "three.v1" })]);
    const sequencer = make();
    assert.equal(await sequencer.sequenceOnce(), 3);
    assert.equal(await sequencer.sequenceOnce(), 0);
    assert.deepEqual((await checkLog(app)).types, ["one.v1", "two.v1", "three.v1"]);
  });

  test("keeps every history gapless and linked for any mix of records and batches", async () => {
    const { app, sequencer: make } = await openLog();
    const sequencer = make();
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
    const { app, sequencer: make } = await openLog();
    await app.transaction(async (tx) => {
      for (let i = 0; i < 2_500; i++) {
        const at = new Date(Date.UTC(2026, 0, 1) + i * 1_000);
        await appendRecord(tx, sampleCall(), sampleDraft({ subject: { type: "team", id: `t${i % 7}` } }), at);
      }
    });
    const sequencer = make();
    const moved = [await sequencer.sequenceOnce(), await sequencer.sequenceOnce(), await sequencer.sequenceOnce()];
    assert.deepEqual(moved, [1_024, 1_024, 452]);
    assert.equal((await checkLog(app)).size, 2_500);
    const order = await app.rows<{ occurred_at: Date }>("select occurred_at from audit.entry order by idx");
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a.occurred_at.getTime() - b.occurred_at.getTime()),
    );
  });

  test("moves a batch of the longest records without holding more than a few megabytes of them", async () => {
    const { app, sequencer: make } = await openLog();
    const long = sampleDraft({ change: { before: null, after: "x".repeat(50_000), diff: [] } });
    await appendAll(
      app,
      Array.from({ length: 200 }, () => long),
    );
    const sequencer = make();
    const first = await sequencer.sequenceOnce();
    assert.ok(first >= 150 && first < 200, `${first} records of 50,000 bytes in one batch`);
    assert.equal(await sequencer.sequenceOnce(), 200 - first);
    await checkLog(app);
  });

  test("lets two sequencers race over the same records: nothing lost, nothing twice, no gap", async () => {
    const { app, sequencer: make } = await openLog();
    const log = strictLog();
    const sequencers = [make({ log }), make({ log })];
    const moved = [0, 0];
    const bothTookPart = () => moved.every((count) => count > 0);
    const patience = Date.now() + 30_000;
    const appended = Promise.all(
      Array.from({ length: 4 }, async (_, writer) => {
        let n = 0;
        while (n < 50 || (!bothTookPart() && Date.now() < patience)) {
          await appendAll(app, [sampleDraft({ eventType: `w${writer}.n${n++}.v1` })]);
        }
        return n;
      }),
    );
    const finish = new AbortController();
    const race = sequencers.map(async (sequencer, at) => {
      while (!finish.signal.aborted) moved[at] = (moved[at] ?? 0) + (await sequencer.sequenceOnce());
    });
    const written = await appended;
    await until(async () => (await app.row("select from audit.intake limit 1")) === undefined, "all was sequenced");
    finish.abort();
    await Promise.all(race);
    assert.ok(bothTookPart(), `both took part: ${moved.join(" and ")}`);
    const { types } = await checkLog(app);
    for (const [writer, count] of written.entries()) {
      const own = types.filter((type) => type.startsWith(`w${writer}.`));
      assert.deepEqual(
        own,
        Array.from({ length: count }, (_, i) => `w${writer}.n${i}.v1`),
      );
    }
  });

  test("wakes on commit, and an idle replica's records are moved by the active one", async () => {
    const { app, sequencer: make } = await openLog();
    const log = strictLog();
    // Too rare a look to help: only hints move these records.
    const [older, newer] = [make({ log, pollMs: 60_000 }), make({ log, pollMs: 60_000 })];
    older.start();
    await until(async () => (await epochOf(app)) === 1n, "the first took over");
    newer.start();
    await until(async () => (await epochOf(app)) === 2n, "the second took over");
    await until(async () => (await listeners(app)) === 2, "both listen");
    await until(() => isQuiet(app), "both wait");
    await appendAll(app, [sampleDraft()]);
    newer.wake();
    await until(async () => (await sizeOf(app)) === 1n, "the active one moved it at once");
    await until(() => isQuiet(app), "both wait again");
    await appendAll(app, [sampleDraft()]);
    await older.catchUp(AbortSignal.timeout(5_000));
    assert.equal((await checkLog(app)).size, 2);
    assert.equal(await epochOf(app), 2n, "the active one was told; nobody had to take over");
    await Promise.all([older.stop(), newer.stop()]);
    assert.deepEqual(log.complaints, []);
  });

  test("is replaced when it is gone while records wait", async () => {
    const { app, sequencer: make } = await openLog();
    const log = strictLog();
    const [standby, active] = [make({ log }), make({ log })];
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
    const { app, sequencer: make } = await openLog();
    const sequencer = make();
    sequencer.start();
    await appendAll(app, [sampleDraft()]);
    await until(async () => (await app.row("select from audit.entry limit 1")) !== undefined, "the poll found it");
    await sequencer.stop();
  });
});

async function epochOf(db: Database): Promise<bigint> {
  const row = await db.row<{ epoch: bigint }>("select epoch from audit.log_state");
  return row?.epoch ?? -1n;
}

async function sizeOf(db: Database): Promise<bigint> {
  return (await db.row<{ size: bigint }>("select size from audit.log_state"))?.size ?? -1n;
}

async function listeners(db: Database): Promise<number> {
  const rows = await db.rows(
    "select from pg_stat_activity where datname = current_database() and state = 'idle' and query like 'listen%'",
  );
  return rows.length;
}

/** Whether nobody but the asker has run a statement for a while: every sequencer waits to be rung. */
async function isQuiet(db: Database): Promise<boolean> {
  const busy = await db.row(
    `select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
       and state_change > clock_timestamp() - interval '150 ms'`,
  );
  return busy === undefined;
}
