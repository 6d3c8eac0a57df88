import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import pg from "pg";
import { appendRecord } from "../../src/audit/append.ts";
import type { RecordDraft } from "../../src/audit/record.ts";
import { type Changing, type Decision, makeChange } from "../../src/changes/mutation.ts";
import { nothingToPublish, type Progress } from "../../src/changes/outcome.ts";
import { quietPlan } from "../../src/changes/plan.ts";
import { type Database, openDatabase, type Transaction } from "../../src/database.ts";
import { Fault } from "../../src/errors.ts";
import { borrowPostgres, type SharedPostgres } from "../stack/shared-postgres.ts";
import { makeCall, noOptions } from "../trust/house.ts";

let postgres: SharedPostgres;
let owner: pg.Client;
let database: Database;
let followed: Progress["follow"];
before(async () => {
  postgres = await borrowPostgres();
  database = openDatabase({ url: postgres.appUrl });
  owner = new pg.Client({ connectionString: postgres.ownerUrl });
  await owner.connect();
  await owner.query("create table things(name text primary key); grant all on things to imagetrust_app");
});
after(async () => {
  await owner.end();
  await database.close();
  await postgres.stop();
});
beforeEach(async () => {
  await owner.query("truncate things; delete from requests");
  followed = async () => ({ state: "PUBLISHED", publications: [], rollout: undefined, teamRevisions: [] });
});

const changing = (): Changing => ({
  database,
  append: appendRecord,
  admit: () => undefined,
  progress: { follow: (commitment, waiting) => followed(commitment, waiting) },
  now: () => new Date(),
});

const record: RecordDraft = {
  eventType: "thing.made.v1",
  stage: "RESULT",
  severity: "INFO",
  subject: { type: "team", id: "thing" },
  about: [],
  result: "OK",
  resultReason: "",
  gun: undefined,
  change: undefined,
  publication: undefined,
};

/** Makes a thing of that name, or finds it made. */
function making(name: string) {
  return async (tx: Transaction): Promise<Decision> => {
    const made = await tx.run("insert into things(name) values (:name) on conflict do nothing", { name });
    const commitment = { collection: undefined, rolloutId: undefined };
    return { plan: quietPlan(`make ${name}`), changed: made === 1, record, commitment, resource: name };
  };
}

const digestOf = (digit: string): string => digit.repeat(64);
const things = async (): Promise<number> => (await database.rows("select 1 from things")).length;
const records = async (): Promise<number> =>
  Number((await database.row<{ n: bigint }>("select count(*) as n from audit.intake"))?.n);

test("a change and its record are kept together", async () => {
  const before = await records();
  await makeChange(changing(), makeCall(), noOptions, making("one"));
  assert.deepEqual([await things(), (await records()) - before], [1, 1]);
});

test("a question keeps nothing but its record", async () => {
  const before = await records();
  const { outcome } = await makeChange(changing(), makeCall(), { ...noOptions, validateOnly: true }, making("one"));
  assert.equal(outcome.validatedOnly, true);
  assert.deepEqual([await things(), (await records()) - before], [0, 1]);
});

test("a repeated request_id answers the change made before, and decides nothing again", async () => {
  const call = { requestId: "r1", requestDigest: digestOf("a") };
  await makeChange(changing(), makeCall(call), noOptions, making("one"));
  const repeated = await makeChange(changing(), makeCall(call), noOptions, making("two"));
  assert.equal(repeated.outcome.requestReplayed, true);
  assert.equal(repeated.resource, "one");
  assert.equal(await things(), 1);
});

test("two calls at once with one request_id make one change", async () => {
  const call = { requestId: "r2", requestDigest: digestOf("a") };
  const made = await Promise.all(
    Array.from({ length: 8 }, (_, n) => makeChange(changing(), makeCall(call), noOptions, making(`thing-${n}`))),
  );
  assert.equal(made.filter((one) => !one.outcome.requestReplayed).length, 1);
  assert.equal(await things(), 1);
});

test("a request_id that comes with another body is refused", async () => {
  await makeChange(changing(), makeCall({ requestId: "r3", requestDigest: digestOf("a") }), noOptions, making("one"));
  const other = makeCall({ requestId: "r3", requestDigest: digestOf("b") });
  await assert.rejects(makeChange(changing(), other, noOptions, making("two")), { reason: "REQUEST_ID_REUSED" });
});

test("a plan that is no longer the one previewed is refused and nothing is kept", async () => {
  const { outcome } = await makeChange(changing(), makeCall(), { ...noOptions, validateOnly: true }, making("one"));
  await assert.rejects(
    makeChange(changing(), makeCall(), { ...noOptions, planEtag: `${outcome.planEtag}x` }, making("one")),
    { reason: "PLAN_CHANGED" },
  );
  assert.equal(await things(), 0);
  await makeChange(changing(), makeCall(), { ...noOptions, planEtag: outcome.planEtag }, making("one"));
  assert.equal(await things(), 1);
});

test("a call with less than 250 ms left is refused before its transaction", async () => {
  const hurried = makeCall({ deadline: Date.now() + 200 });
  await assert.rejects(makeChange(changing(), hurried, noOptions, making("one")), { reason: "DEADLINE_TOO_SHORT" });
  assert.equal(await things(), 0);
});

test("a change whose progress cannot be read is PENDING, not an error", async () => {
  followed = () => Promise.reject(new Fault("DATABASE_UNAVAILABLE", "The database is not available."));
  const commitment = { collection: { id: 1n, generation: 1n }, rolloutId: undefined };
  const { outcome } = await makeChange(changing(), makeCall(), noOptions, async (tx) => ({
    ...(await making("one")(tx)),
    commitment,
  }));
  assert.equal(outcome.state, "PENDING");
  assert.equal(await things(), 1);
});

test("a COMMIT without an answer is OUTCOME_UNKNOWN, and the request_id tells that nothing was kept", async () => {
  // The backend ends itself while it commits: what a crash at that instant looks like to the caller.
  await owner.query(`create function die() returns trigger language plpgsql security definer as
    $$ begin perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(5); return null; end $$`);
  await owner.query(`create constraint trigger die after insert on things deferrable initially deferred
    for each row execute function die()`);
  const call = { requestId: "r4", requestDigest: digestOf("a") };
  try {
    await assert.rejects(makeChange(changing(), makeCall(call), noOptions, making("one")), {
      reason: "OUTCOME_UNKNOWN",
    });
  } finally {
    await owner.query("drop trigger die on things; drop function die()");
  }
  const repeated = await makeChange(changing(), makeCall(call), noOptions, making("one"));
  assert.equal(repeated.outcome.requestReplayed, false);
  assert.equal(await things(), 1);
});

test("a lost race is decided again from its beginning", async () => {
  let attempts = 0;
  await makeChange(changing(), makeCall(), noOptions, async (tx) => {
    attempts += 1;
    if (attempts === 1) await tx.run("do $$ begin raise exception 'race' using errcode = '40001'; end $$");
    return await making("one")(tx);
  });
  assert.equal(attempts, 2);
  assert.equal(await things(), 1);
});

test("what is decided already and settled is UNCHANGED", async () => {
  await makeChange(changing(), makeCall(), noOptions, making("one"));
  const again = await makeChange(changing(), makeCall(), noOptions, async (tx) => ({
    ...(await making("one")(tx)),
    commitment: nothingToPublish,
  }));
  assert.equal(again.outcome.state, "UNCHANGED");
});
