import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { requireAppendOnly } from "../../src/audit/append-only.ts";
import { logDatabases } from "./log-database.ts";
import { appendAll, sampleDraft } from "./samples.ts";

describe("the log's tables", () => {
  const openLog = logDatabases();

  test("let the role that serves neither change nor remove an entry, nor rename the log", async () => {
    const { app, sequencer: make } = await openLog();
    await appendAll(app, [sampleDraft()]);
    await make().sequenceOnce();
    for (const table of ["entry", "entry_0", "entry_about", "time_index"]) {
      await assert.rejects(app.run(`delete from audit.${table}`), /permission denied/);
      await assert.rejects(app.run(`truncate audit.${table}`), /permission denied/);
    }
    await assert.rejects(app.run("update audit.entry set actor = 'mallory'"), /permission denied/);
    await assert.rejects(app.run("update audit.entry_0 set leaf = ''"), /permission denied/);
    await assert.rejects(app.run("update audit.entry_about set id = 'x'"), /permission denied/);
    await assert.rejects(app.run("update audit.log_state set origin = 'another'"), /permission denied/);
    await assert.rejects(app.run("delete from audit.log_state"), /permission denied/);
    await assert.rejects(app.run("delete from audit.subjects"), /permission denied/);
    await assert.rejects(app.run("update audit.subjects set id = 'x'"), /permission denied/);
    await assert.rejects(app.run("update audit.intake set record = ''"), /permission denied/);
    await assert.rejects(app.run("drop trigger append_only on audit.entry"), /must be owner/);
    await assert.rejects(app.run("create table audit.mine()"), /permission denied/);
  });

  test("refuse changes even by their owner while the triggers stand", async () => {
    const { app, owner, sequencer: make } = await openLog();
    await appendAll(app, [sampleDraft()]);
    await make().sequenceOnce();
    for (const table of ["entry", "entry_0", "entry_about"]) {
      await assert.rejects(owner.run(`delete from audit.${table}`), /append-only/);
      await assert.rejects(owner.run(`update audit.${table} set idx = 7`), /append-only/);
      await assert.rejects(owner.run(`truncate audit.${table}`), /append-only/);
    }
  });

  test("make their next partition ahead of need, with its triggers, though the role that serves may make none", async () => {
    const { app, owner, sequencer: make } = await openLog();
    const sequencer = make();
    await owner.run("update audit.log_state set size = 4999999");
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
    await assert.rejects(owner.run("truncate audit.entry_1"), /append-only/);
    await assert.rejects(owner.run("delete from audit.entry_1"), /append-only/);
    await requireAppendOnly(app);
  });
});

describe("start-up", () => {
  const openLog = logDatabases();

  test("accepts the role that serves", async () => {
    const { app } = await openLog();
    await requireAppendOnly(app);
  });

  test("refuses the owner of the log, and says what to do", async () => {
    const { owner } = await openLog();
    await assert.rejects(requireAppendOnly(owner), /imagetrust_owner may DELETE audit\.entry; serve as imagetrust_app/);
  });

  for (const grant of ["update (leaf) on audit.entry_0", "delete on audit.entry", "truncate on audit.entry_about"]) {
    test(`refuses a role that was granted ${grant}`, async () => {
      const { app, owner } = await openLog();
      await owner.run(`grant ${grant} to imagetrust_app`);
      await assert.rejects(requireAppendOnly(app), /the role imagetrust_app may/);
    });
  }

  test("refuses a log whose triggers are gone or asleep", async () => {
    const { app, owner } = await openLog();
    await owner.run("alter table audit.entry_0 disable trigger never_truncated");
    await owner.run("drop trigger append_only on audit.entry_about");
    await assert.rejects(requireAppendOnly(app), (error: Error) => {
      assert.match(error.message, /never_truncated of audit\.entry_0/);
      assert.match(error.message, /append_only of audit\.entry_about/);
      return true;
    });
  });

  test("refuses connections whose commits need not survive a crash", async () => {
    const { app } = await openLog();
    await app.transaction(async (tx) => {
      await tx.run("set local synchronous_commit = off");
      await assert.rejects(requireAppendOnly(tx), /synchronous_commit is off/);
    });
  });
});
