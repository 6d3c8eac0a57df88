import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import canonicalize from "canonicalize";
import fc from "fast-check";
import { boundRecord, mostRecordBytes } from "../../src/audit/bound-record.ts";
import { composeRecord, thingsOf } from "../../src/audit/compose-record.ts";
import { eventIdOf } from "../../src/audit/event-id.ts";
import { cleanText } from "../../src/audit/free-text.ts";
import { leafHashOf, leafOf, mostLeafBytes } from "../../src/audit/leaf.ts";
import type { AuditRecord, RecordDraft } from "../../src/audit/record.ts";
import { nginx, sampleCall, sampleDraft } from "./samples.ts";

const now = new Date("2026-03-03T10:00:00.123Z");
const identity = { eventId: "018f0000-0000-7000-8000-000000000000", nonce: Buffer.alloc(16, 7) };
const compose = (draft: Partial<RecordDraft> = {}, call = sampleCall()): AuditRecord =>
  composeRecord(call, sampleDraft(draft), now, identity);

test("an event id is a version 7 UUID of its time and sorts by it", () => {
  const id = eventIdOf(now, Buffer.alloc(10, 0xff));
  assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16), now.getTime());
  assert.ok(id < eventIdOf(new Date(now.getTime() + 1), Buffer.alloc(10)));
});

test("a record says who did what to which thing, why, and what came of it", () => {
  const publication = {
    uploadId: "7",
    kind: "PUBLISH",
    fromGeneration: "1",
    toGeneration: "2",
    teamRevisions: { qa: "3" },
    roles: [{ role: "targets", version: 2, payloadSha256: "ee".repeat(32), sha256: "" }],
    signed: false,
    detail: "",
  };
  const record = compose({ publication }, sampleCall({ reason: "new team", requestId: "r-1" }));
  assert.deepEqual(JSON.parse(boundRecord(record).toString()), {
    schema_version: 1,
    event_id: identity.eventId,
    nonce: "07".repeat(16),
    event_type: "delegation.delegated.v1",
    stage: "RESULT",
    severity: "NOTICE",
    occurred_at: "2026-03-03T10:00:00.123Z",
    method: "imagetrust.v1.DelegationService/Delegate",
    result: { code: "OK" },
    subject: { type: "gun", id: nginx },
    about: [{ type: "team", id: "qa" }],
    actor: { type: "caller", id: "alice", authentication: "mtls", certificate_sha256: "ab".repeat(32) },
    authorization: { action: "Delegate", resource: nginx, decision: "ALLOW", policies: ["owner"] },
    gun: nginx,
    change: { before: null, after: { team: "qa", paths: [""] }, diff: ["team qa may sign every tag"] },
    publication: {
      upload_id: "7",
      kind: "PUBLISH",
      from_generation: "1",
      to_generation: "2",
      team_revisions: { qa: "3" },
      roles: [{ role: "targets", version: 2, payload_sha256: "ee".repeat(32) }],
      signed: false,
    },
    request_id: "r-1",
    request_sha256: "cd".repeat(32),
    reason: "new team",
    peer: "127.0.0.1:50000",
    user_agent: "grpc-node-js/1.14.7",
    trace_id: "0af7651916cd43dd8448eb211c80319c",
    span_id: "b7ad6b7169203331",
  });
});

test("a record takes over nothing that it does not name", () => {
  const call = Object.assign(sampleCall(), { request: "planted-secret" });
  const change = Object.assign({ before: null, after: null, diff: [] }, { key: "planted-secret" });
  const draft = Object.assign(sampleDraft({ change }), { privateKey: "planted-secret" });
  assert.doesNotMatch(boundRecord(composeRecord(call, draft, now, identity)).toString(), /planted-secret/);
});

test("a record is listed once under each thing: its subject, its GUN, and what else it is about", () => {
  const about = [
    { type: "team" as const, id: "qa" },
    { type: "gun" as const, id: nginx },
    { type: "team" as const, id: "qa" },
  ];
  const things = thingsOf(sampleDraft({ subject: { type: "team", id: "qa" }, about }));
  assert.deepEqual(things, [
    { type: "team", id: "qa" },
    { type: "gun", id: nginx },
  ]);
});

test("free text becomes one bounded, printable line", () => {
  assert.equal(cleanText(" a\r\nb\u0000\u202ec\u2028 ", 100), "a b c");
  assert.equal(cleanText("abcdef", 4), "abc…");
  assert.equal(cleanText("ab😀cdef", 4), "ab…");
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const line = cleanText(text, 20);
      assert.ok(line.length <= 20 && line.isWellFormed());
      assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
      assert.equal(cleanText(line, 20), line);
    }),
  );
});

test("a record too long for a leaf keeps its smaller values; the largest become their hash and length", () => {
  const after = { list: Array.from({ length: 5_000 }, (_, i) => `path-${i}`) };
  const before = { list: Array.from({ length: 500 }, (_, i) => `path-${i}`) };
  const diff = ["much changed"];
  const bytes = boundRecord(compose({ change: { before, after, diff } }));
  assert.ok(bytes.length <= mostRecordBytes);
  const { change } = JSON.parse(bytes.toString()) as AuditRecord;
  const whole = Buffer.from(canonicalize(after) ?? "");
  const sha256 = createHash("sha256").update(whole).digest("hex");
  assert.deepEqual(change, { before, after: { sha256, length: whole.length, truncated: true }, diff });
});

test("no record is ever too long, and the same record is always cut in the same way", () => {
  const size = fc.integer({ min: 0, max: 80_000 });
  fc.assert(
    fc.property(size, size, size, size, size, fc.string({ unit: "binary", maxLength: 300 }), (b, a, d, p, n, text) => {
      const draft = {
        change: { before: "b".repeat(b), after: { "\u0001": "\u0001".repeat(a / 6) }, diff: ["d".repeat(d)] },
        about: Array.from({ length: n / 100 }, (_, i) => ({ type: "gun" as const, id: `${text}${i}` })),
        publication: {
          uploadId: "1",
          kind: "PUBLISH",
          fromGeneration: "1",
          toGeneration: "1",
          teamRevisions: { [text]: "x".repeat(d) },
          roles: Array.from({ length: p / 200 }, () => ({ role: text, version: 1, payloadSha256: "", sha256: "" })),
          signed: true,
          detail: "p".repeat(p),
        },
      };
      const greedy = '\u0001"\\€'.repeat(5_000);
      const call = sampleCall({ reason: greedy, userAgent: greedy, requestId: greedy, peer: greedy, method: greedy });
      const bytes = boundRecord(compose(draft, call));
      assert.ok(bytes.length <= mostRecordBytes, `${bytes.length} bytes`);
      assert.deepEqual(boundRecord(compose(draft, call)), bytes);
      assert.equal(canonicalize(JSON.parse(bytes.toString())), bytes.toString());
    }),
    { numRuns: 50 },
  );
});

test("a leaf is canonical JSON around the record's own bytes, and its hash is RFC 6962's", () => {
  const record = boundRecord(compose());
  const place = { origin: "log.example/1", index: 2n ** 60n, subjectSeq: 2n, prev: Buffer.alloc(32, 1), time: now };
  const leaf = leafOf(place, record);
  assert.equal(canonicalize(JSON.parse(leaf.toString())), leaf.toString());
  assert.deepEqual(JSON.parse(leaf.toString()).log, {
    v: 1,
    origin: "log.example/1",
    index: "1152921504606846976",
    subject_seq: 2,
    prev: "01".repeat(32),
    time: "2026-03-03T10:00:00.123Z",
  });
  assert.ok(leaf.includes(record));
  assert.equal(JSON.parse(leafOf({ ...place, prev: undefined }, record).toString()).log.prev, null);
  assert.equal(
    leafHashOf(Buffer.alloc(0)).toString("hex"),
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  );
});

test("the longest record fits a leaf wherever it stands in whichever log", () => {
  const longest = leafOf(
    {
      origin: "x".repeat(255),
      index: 2n ** 63n - 1n,
      subjectSeq: 2n ** 63n - 1n,
      prev: Buffer.alloc(32),
      time: now,
    },
    Buffer.alloc(mostRecordBytes, 0x20),
  );
  assert.ok(longest.length <= mostLeafBytes);
});
