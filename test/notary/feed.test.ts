import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseFeed } from "../../src/notary/feed.ts";

const parse = (body: unknown) => parseFeed(Buffer.from(JSON.stringify(body)));
const record = {
  ID: "7",
  CreatedAt: "2026-03-01T12:00:00Z",
  GUN: "dtr.example.org/dev/a",
  Version: 3,
  SHA256: "ab",
  Category: "update",
};

test("a row tells its id, GUN, and the timestamp's version and hash", () => {
  const row = { id: 7n, gun: "dtr.example.org/dev/a", version: 3, sha256: "ab" };
  assert.deepEqual(parse({ count: 1, records: [record] }), [row]);
  assert.deepEqual(parse({ count: 1, records: [{ ...record, ID: 7 }] }), [row]);
});

test("no records are an empty feed", () => {
  assert.deepEqual(parse({ count: 0, records: null }), []);
  assert.deepEqual(parse({ count: 0, records: [] }), []);
});

test("rows come in the order of their ids", () => {
  const rows = parse({ records: ["10", "9", "2"].map((ID) => ({ ...record, ID })) });
  assert.deepEqual(
    rows?.map(({ id }) => id),
    [2n, 9n, 10n],
  );
});

test("a row that names nothing keeps its id, and one without an id is left out", () => {
  const rows = parse({
    records: [{ ID: "1" }, { GUN: "x" }, null, 3, { ID: "-1" }, { ID: "2", GUN: 5, Version: "x" }],
  });
  assert.deepEqual(
    rows,
    [1n, 2n].map((id) => ({ id, gun: "", version: 0, sha256: "" })),
  );
});

test("what is no answer of a changefeed is none, and nothing makes the parser throw", () => {
  for (const body of ["", "[]", "{}", "no", '{"records":3}']) assert.equal(parseFeed(Buffer.from(body)), undefined);
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      const rows = parseFeed(Buffer.from(text)) ?? parseFeed(Buffer.from(`{"records":[${text}]}`)) ?? [];
      for (const { id, gun } of rows) assert.ok(id >= 0n && typeof gun === "string");
    }),
  );
});
