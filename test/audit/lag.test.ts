import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createLag } from "../../src/audit/lag.ts";
import type { Database } from "../../src/database.ts";
import { logDatabases } from "./log-database.ts";
import { appendAll, sampleDraft, until } from "./samples.ts";

const at = (seconds: number): number => 5_000 + seconds * 1_000;

describe("the log's lag", () => {
  test("grows while the same record waits, and not under a steady stream", () => {
    const lag = createLag();
    lag.observe({ oldest: 1n, newest: 5n }, 5, at(0));
    lag.observe({ oldest: 5n, newest: 900n }, 800, at(20));
    assert.equal(lag.msAt(at(29)), 29_000, "record 5 still waits");
    lag.observe({ oldest: 6n, newest: 1_900n }, 800, at(29));
    assert.equal(lag.msAt(at(40)), 11_000, "all seen at 0 s is sequenced; the mark moved on to 29 s");
    lag.observe(undefined, 0, at(41));
    assert.equal(lag.msAt(at(900)), 0);
  });

  test("is no matter up to 30 s and 50,000 records, and refuses changes beyond either", () => {
    const lag = createLag();
    lag.observe({ oldest: 1n, newest: 1n }, 50_000, at(0));
    lag.admit(at(30));
    assert.throws(() => lag.admit(at(30.001)), { reason: "AUDIT_BEHIND" });
    lag.observe({ oldest: 2n, newest: 2n }, 50_001, at(31));
    assert.throws(() => lag.admit(at(31)), { reason: "AUDIT_BEHIND" });
    lag.observe({ oldest: 2n, newest: 2n }, 50_000, at(31));
    lag.admit(at(31));
  });
});

describe("a sequencer that cannot go on", () => {
  const openLog = logDatabases();

  test("refuses changes after 30 s of its standing still, and admits them when it has caught up", async () => {
    const { app, owner, sequencer: make } = await openLog();
    let clock = at(0);
    const sequencer = make({ uptimeMs: () => clock });
    await appendAll(app, [sampleDraft()]);
    const hold = Promise.withResolvers<void>();
    const blocked = owner.transaction(async (tx) => {
      await tx.row("select from audit.log_state for update");
      sequencer.start();
      await hold.promise;
    });
    try {
      await until(() => isBlocked(owner), "the sequencer is blocked");
      sequencer.admit();
      clock = at(30.001);
      assert.equal(sequencer.lagMs, 30_001);
      assert.throws(() => sequencer.admit(), { reason: "AUDIT_BEHIND" });
    } finally {
      hold.resolve();
      await blocked;
    }
    await until(() => sequencer.lagMs === 0, "it caught up");
    sequencer.admit();
  });

  test("counts what waits where ids have gaps, and refuses changes at 50,001 records", async () => {
    const { app, owner, sequencer: make } = await openLog();
    const sequencer = make();
    await appendAll(app, [sampleDraft()]);
    const copy = (records: number) =>
      owner.run(
        `insert into audit.intake(event_id, subject_type, subject_id, about_types, about_ids, occurred_at, record)
         select gen_random_uuid(), subject_type, subject_id, '{}', '{}', occurred_at, record
         from (select * from audit.intake limit 1) as one, generate_series(1, :records)`,
        { records },
      );
    await owner.row("select setval(pg_get_serial_sequence('audit.intake', 'id'), 1000000)");
    await copy(1_024);
    assert.equal(await sequencer.sequenceOnce(), 1_024);
    sequencer.admit();
    await copy(51_023);
    await sequencer.sequenceOnce();
    assert.throws(() => sequencer.admit(), { reason: "AUDIT_BEHIND" });
    await sequencer.sequenceOnce();
    sequencer.admit();
  });
});

async function isBlocked(db: Database): Promise<boolean> {
  return (await db.row("select from pg_locks where not granted")) !== undefined;
}
