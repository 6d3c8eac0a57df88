import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import fc from "fast-check";
import { appendRecord } from "../../src/audit/append.ts";
import { leafHashOf } from "../../src/audit/leaf.ts";
import { pageTokenOf, parsePageToken } from "../../src/audit/page-token.ts";
import { everyRecord, getRecord, listRecords, type RecordFilter } from "../../src/audit/query.ts";
import type { Database } from "../../src/database.ts";
import type { Gun, MemberId, TeamId } from "../../src/names.ts";
import { logDatabases } from "./log-database.ts";
import { appendAll, nginx, sampleCall, sampleDraft } from "./samples.ts";

const minute = (n: number): Date => new Date(Date.UTC(2026, 2, 3, 10, n));

describe("listing records", () => {
  const openLog = logDatabases();
  let app: Database;

  before(async () => {
    const log = await openLog();
    app = log.app;
    const member = { type: "member" as const, id: "bob" };
    const team = { type: "team" as const, id: "qa" };
    const bob = sampleCall({ actor: { type: "caller", id: "bob", authentication: "mtls", certificateSha256: "" } });
    const refused = { eventType: "call.refused.v1", stage: "DENIED" as const, result: "PERMISSION_DENIED" };
    const records = [
      [sampleCall(), sampleDraft({ eventType: "team.created.v1", subject: team, about: [], gun: undefined })],
      [sampleCall(), sampleDraft({ eventType: "member.added.v1", subject: member, about: [team], gun: undefined })],
      [sampleCall(), sampleDraft()],
      [bob, sampleDraft({ ...refused, subject: { type: "caller", id: "bob" }, about: [], gun: undefined })],
      [bob, sampleDraft({ ...refused, result: "INVALID_ARGUMENT", about: [] })],
      [sampleCall(), sampleDraft({ subject: { type: "gun", id: "r.example/a" }, gun: "r.example/a" as Gun })],
    ] as const;
    for (const [i, [call, draft]] of records.entries()) {
      await app.transaction((tx) => appendRecord(tx, call, draft, minute(i)));
    }
    await log.sequencer().sequenceOnce();
  });

  async function indexes(filter: Partial<RecordFilter>): Promise<readonly number[]> {
    const { records } = await listRecords(app, { ...everyRecord, ...filter }, { size: 50, token: "" });
    return records.map(({ index }) => Number(index));
  }

  const cases: readonly (readonly [string, Partial<RecordFilter>, readonly number[]])[] = [
    ["no filter: newest first", {}, [5, 4, 3, 2, 1, 0]],
    ["a subject's own history", { subject: { type: "team", id: "qa" } }, [0]],
    ["all about a team", { team: "qa" as TeamId }, [5, 2, 1, 0]],
    ["all about a GUN", { gun: nginx }, [4, 2]],
    ["a team on one GUN", { gun: nginx, team: "qa" as TeamId }, [2]],
    ["a member", { member: "bob" as MemberId }, [1]],
    ["an actor", { actor: "bob" }, [4, 3]],
    ["event types", { eventTypes: ["team.created.v1", "member.added.v1"] }, [1, 0]],
    ["OK", { results: ["OK"] }, [5, 2, 1, 0]],
    ["refused", { results: ["REFUSED"] }, [4, 3]],
    ["one status", { results: ["INVALID_ARGUMENT"] }, [4]],
    ["OK or one status", { results: ["OK", "INVALID_ARGUMENT"] }, [5, 4, 2, 1, 0]],
    ["from, inclusive", { from: minute(4) }, [5, 4]],
    ["until, exclusive", { until: minute(2) }, [1, 0]],
    ["a range of time and an actor", { from: minute(1), until: minute(4), actor: "alice" }, [2, 1]],
    ["a time when nothing happened", { from: minute(30) }, []],
    ["a GUN that has no records", { gun: "r.example/none" as Gun }, []],
  ];
  for (const [name, filter, expected] of cases) {
    test(`answers ${name}`, async () => {
      assert.deepEqual(await indexes(filter), expected);
    });
  }

  test("gives one record by index or event id, with the bytes that are hashed", async () => {
    const first = await getRecord(app, { index: 2n });
    assert.ok(first !== undefined);
    const { leaf_hash } = (await app.row<{ leaf_hash: Buffer }>(
      "select prev as leaf_hash from audit.entry where idx = 4",
    )) ?? { leaf_hash: Buffer.alloc(0) };
    assert.deepEqual(leafHashOf(first.leaf), leaf_hash);
    assert.deepEqual(await getRecord(app, { eventId: first.eventId }), first);
    assert.equal(first.record.event_id, first.eventId);
    assert.deepEqual(first.subject, { type: "gun", id: nginx });
    assert.equal(first.subjectSeq, 1n);
    assert.equal(first.occurredAt.getTime(), minute(2).getTime());
    assert.equal(await getRecord(app, { index: 99n }), undefined);
    assert.equal(await getRecord(app, { eventId: "018f0000-0000-7000-8000-000000000000" }), undefined);
  });
});

describe("pages of records", () => {
  const openLog = logDatabases();

  test("show every record once, newest first, though records are added meanwhile", async () => {
    const { app, sequencer: make } = await openLog();
    const sequencer = make();
    const filter = { ...everyRecord, gun: nginx };
    await appendAll(
      app,
      Array.from({ length: 10 }, () => sampleDraft()),
    );
    await sequencer.sequenceOnce();
    const seen: bigint[] = [];
    let token = "";
    do {
      const page = await listRecords(app, filter, { size: 3, token });
      seen.push(...page.records.map(({ index }) => index));
      token = page.nextToken;
      await appendAll(app, [sampleDraft()]);
      await sequencer.sequenceOnce();
    } while (token !== "");
    assert.deepEqual(seen, [9n, 8n, 7n, 6n, 5n, 4n, 3n, 2n, 1n, 0n]);
  });

  test("end without a token when the last one is full", async () => {
    const { app, sequencer: make } = await openLog();
    await appendAll(app, [sampleDraft(), sampleDraft()]);
    assert.equal(
      (await listRecords(app, everyRecord, { size: 2, token: "" })).records.length,
      0,
      "nothing waits in a list",
    );
    await make().sequenceOnce();
    const page = await listRecords(app, everyRecord, { size: 2, token: "" });
    assert.deepEqual([page.records.length, page.nextToken], [2, ""]);
  });

  test("of a time range hold exactly the records of that range, in many blocks of a log out of order", async () => {
    const { app, sequencer: make } = await openLog();
    const sequencer = make();
    const start = Date.UTC(2026, 0, 1);
    await app.transaction(async (tx) => {
      for (let i = 0; i < 2_300; i++) {
        const late = i % 100 === 0 ? 600 : 0;
        await appendRecord(tx, sampleCall(), sampleDraft(), new Date(start + (i - late) * 1_000));
      }
    });
    while ((await sequencer.sequenceOnce()) > 0);
    const all = await app.rows<{ idx: bigint; occurred_at: Date }>("select idx, occurred_at from audit.entry");
    const second = fc.integer({ min: -700, max: 2_400 });
    await fc.assert(
      fc.asyncProperty(second, second, async (a, b) => {
        const [from, until] = [new Date(start + a * 1_000), new Date(start + b * 1_000)];
        const page = await listRecords(app, { ...everyRecord, from, until }, { size: 3_000, token: "" });
        const expected = all.filter((row) => row.occurred_at >= from && row.occurred_at < until).map((row) => row.idx);
        assert.deepEqual(
          page.records.map(({ index }) => index),
          expected.sort((x, y) => Number(y - x)),
        );
      }),
      { numRuns: 20 },
    );
  });

  test("of one listing are refused by another, and so is every token that nobody gave out", async () => {
    const { app } = await openLog();
    const token = pageTokenOf({ before: 7n }, { filter: "one" });
    assert.deepEqual(parsePageToken(token, { filter: "one" }), { before: 7n });
    const refusal = (error: { reason?: string; fields?: readonly { field: string }[] }): boolean =>
      error.reason === "INVALID_FIELD" && error.fields?.[0]?.field === "page_token";
    assert.throws(() => parsePageToken(token, { filter: "another" }), refusal);
    await assert.rejects(listRecords(app, everyRecord, { size: 5, token }), refusal);
    const hostile = fc.oneof(
      fc.string(),
      fc.base64String(),
      fc.uint8Array({ maxLength: 40 }).map((b) => Buffer.from(b).toString("base64url")),
    );
    fc.assert(
      fc.property(
        hostile.filter((text) => text !== ""),
        (text) => {
          assert.throws(() => parsePageToken(text, { filter: "one" }), refusal);
        },
      ),
    );
    // The first 12 characters hold the place, which is no secret; all others tie it to its listing.
    fc.assert(
      fc.property(fc.integer({ min: 12, max: token.length - 1 }), fc.constantFrom("A", "z", "!", "="), (at, other) => {
        const bent = token.slice(0, at) + other + token.slice(at + 1);
        fc.pre(bent !== token);
        assert.throws(() => parsePageToken(bent, { filter: "one" }), refusal);
      }),
    );
  });
});
