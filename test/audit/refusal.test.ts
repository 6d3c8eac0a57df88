import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Call } from "../../src/audit/call.ts";
import { everyRecord, listRecords, type StoredRecord } from "../../src/audit/query.ts";
import { recordRefusal } from "../../src/audit/refusal.ts";
import { createRefusals } from "../../src/audit/refusals.ts";
import { createTallies } from "../../src/audit/tallies.ts";
import { type Database, openDatabase } from "../../src/database.ts";
import { Fault } from "../../src/errors.ts";
import { checkLog } from "./check-log.ts";
import { type LogDatabase, logDatabases } from "./log-database.ts";
import { appendAll, nginx, sampleCall, sampleDraft, strictLog } from "./samples.ts";

const at = (seconds: number): Date => new Date(Date.UTC(2026, 0, 1) + seconds * 1_000);
const denied = new Fault("NOT_PERMITTED", "Not for you.");

function callOf(id: string, changes: Partial<Call> = {}): Call {
  return sampleCall({ actor: { type: "caller", id, authentication: "mtls", certificateSha256: "" }, ...changes });
}

async function readAll(log: LogDatabase): Promise<readonly StoredRecord[]> {
  await log.sequencer().sequenceOnce();
  await checkLog(log.app);
  const { records } = await listRecords(log.app, everyRecord, { size: 1_000, token: "" });
  return records.toReversed();
}

describe("a refused call", () => {
  const openLog = logDatabases();

  test("is recorded with its reason in the caller's own history", async () => {
    const log = await openLog();
    await recordRefusal(log.app, callOf("eve"), denied, at(0));
    const [entry] = await readAll(log);
    assert.deepEqual(entry?.subject, { type: "caller", id: "eve" });
    assert.deepEqual(entry.record.result, { code: "PERMISSION_DENIED", reason: "NOT_PERMITTED" });
    assert.equal(entry.record.stage, "DENIED");
    assert.equal(entry.record.severity, "WARNING");
  });

  test("joins the history of the thing it was about only when that has one", async () => {
    const log = await openLog();
    await appendAll(log.app, [sampleDraft()]);
    await log.sequencer().sequenceOnce();
    await recordRefusal(log.app, callOf("eve"), denied, at(0), { type: "gun", id: nginx });
    await recordRefusal(log.app, callOf("eve"), denied, at(0), { type: "gun", id: "made.up/by-eve" });
    const subjects = (await readAll(log)).map(({ subject }) => subject.id);
    assert.deepEqual(subjects, [nginx, nginx, "eve"]);
  });

  test("that held a private key leaves nothing of its request in the record", async () => {
    const log = await openLog();
    const planted = "planted-secret";
    const call = callOf("eve", {
      requestDigest: planted,
      requestId: planted,
      reason: planted,
      userAgent: planted,
      authorization: { action: "SubmitCertificate", resource: planted, decision: "ALLOW", policies: [planted] },
    });
    await recordRefusal(log.app, call, new Fault("PRIVATE_KEY_PRESENTED", planted), at(0));
    const [entry] = await readAll(log);
    assert.ok(!entry?.leaf.includes(planted));
    assert.equal(entry?.record.severity, "ALERT");
  });
});

describe("a flood of refused calls", () => {
  const openLog = logDatabases();

  test("is recorded one by one at first, and then as at least so many more", async () => {
    const log = await openLog();
    const refusals = createRefusals(log.app, strictLog(), () => at(9));
    for (let i = 0; i < 200; i++) {
      const method = i % 2 === 0 ? "imagetrust.v1.TeamService/CreateTeam" : "imagetrust.v1.TeamService/DeleteTeam";
      await refusals.record(callOf("eve", { method, reason: "said by eve" }), denied, at(i / 40));
    }
    await refusals.record(callOf("ann"), denied, at(5));
    await refusals.flush(at(9));
    await refusals.flush(at(9));
    const entries = await readAll(log);
    assert.equal(entries.filter(({ record }) => record.event_type === "call.refused.v1").length, 11);
    const summary = entries.at(-1);
    assert.equal(entries.length, 12);
    assert.equal(summary?.record.event_type, "call.refused_repeatedly.v1");
    assert.deepEqual(summary.subject, { type: "caller", id: "eve" });
    assert.deepEqual(summary.record.actor.id, "eve");
    assert.deepEqual(summary.record.change?.after, {
      at_least: 190,
      first: at(10 / 40).toISOString(),
      last: at(199 / 40).toISOString(),
      methods: ["imagetrust.v1.TeamService/CreateTeam", "imagetrust.v1.TeamService/DeleteTeam"],
    });
    assert.equal(summary.record.reason, undefined);
  });

  test("is summarised by itself when its window ends", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const log = await openLog();
    const written = Promise.withResolvers<void>();
    let transactions = 0;
    const watched: Database = {
      ...log.app,
      transaction: async (work, options) => {
        const result = await log.app.transaction(work, options);
        transactions += 1;
        if (transactions === 11) written.resolve();
        return result;
      },
    };
    const refusals = createRefusals(watched, strictLog(), () => at(11));
    for (let i = 0; i < 11; i++) await refusals.record(callOf("eve"), denied, at(0));
    t.mock.timers.tick(10_000);
    await written.promise;
    t.mock.timers.reset();
    assert.equal((await readAll(log)).length, 11);
  });

  test("is kept while the database is away, and told when it is back", async () => {
    const log = await openLog();
    const away = openDatabase({ url: "postgres://nobody@127.0.0.1:1/none" });
    let current = away;
    const database: Database = { ...away, transaction: (work, options) => current.transaction(work, options) };
    const refusals = createRefusals(database, strictLog(), () => at(0));
    for (let i = 0; i < 10; i++) {
      await assert.rejects(refusals.record(callOf("eve"), denied, at(0)), { reason: "DATABASE_UNAVAILABLE" });
    }
    await refusals.record(callOf("eve"), denied, at(0));
    await assert.rejects(refusals.flush(at(1)), { reason: "DATABASE_UNAVAILABLE" });
    current = log.app;
    await refusals.record(callOf("eve"), denied, at(2));
    await refusals.flush(at(3));
    await away.close();
    const [summary, ...others] = await readAll(log);
    assert.equal(others.length, 0);
    assert.deepEqual(summary?.record.change?.diff, [
      "at least 2 more calls of this caller were refused with NOT_PERMITTED",
    ]);
  });
});

describe("the tallies of refusals", () => {
  const limits = { singles: 2, windowMs: 10_000, keys: 3 };

  test("count per caller and reason, and begin anew when the window is over", () => {
    const tallies = createTallies(limits);
    const count = (id: string, reason: "NOT_FOUND" | "NOT_PERMITTED", s: number) =>
      tallies.count(callOf(id), reason, at(s));
    assert.deepEqual(
      [0, 1, 2].map((s) => count("a", "NOT_FOUND", s)),
      [true, true, false],
    );
    assert.equal(count("a", "NOT_PERMITTED", 2), true);
    assert.equal(count("b", "NOT_FOUND", 2), true);
    assert.equal(count("a", "NOT_FOUND", 10), true, "a new window");
    const floods = tallies.take(at(10)).map(({ call, reason, calls }) => ({ id: call.actor.id, reason, calls }));
    assert.deepEqual(floods, [{ id: "a", reason: "NOT_FOUND", calls: 1 }]);
    assert.deepEqual(tallies.take(at(10)), []);
  });

  test("keep a bounded number of callers apart and count the others together", () => {
    const tallies = createTallies(limits);
    const alone = Array.from({ length: 1_000 }, (_, i) => tallies.count(callOf(`bot${i}`), "NOT_FOUND", at(0)));
    assert.equal(alone.filter(Boolean).length, 3);
    const floods = tallies.take(at(1));
    assert.deepEqual(
      floods.map(({ call, isMixed, calls }) => ({ id: call.actor.id, isMixed, calls })),
      [{ id: "audit", isMixed: true, calls: 997 }],
    );
    assert.equal(tallies.count(callOf("late"), "NOT_FOUND", at(1)), false, "the windows of others still run");
    assert.equal(tallies.count(callOf("later"), "NOT_FOUND", at(11)), true, "they are over and forgotten");
  });
});
