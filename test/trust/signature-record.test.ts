import assert from "node:assert/strict";
import { test } from "node:test";
import { boundRecord, mostRecordBytes } from "../../src/audit/bound-record.ts";
import { serviceCall } from "../../src/audit/call.ts";
import { composeRecord } from "../../src/audit/compose-record.ts";
import type { AuditRecord, RecordDraft } from "../../src/audit/record.ts";
import type { CanonicalKeyId, MemberId, RoleName, TagName, TeamId, TufKeyId } from "../../src/names.ts";
import { signatureRecords, toldSignatures } from "../../src/trust/follower/signature-record.ts";
import type { TagContent } from "../../src/trust/follower/signature-store.ts";
import { gunOf } from "./house.ts";

const key = (number: number) => ({
  tufKeyId: String(number).padStart(64, "0") as TufKeyId,
  canonicalKeyId: String(number).padStart(64, "1") as CanonicalKeyId,
  member: `m${number}` as MemberId,
});
const file = {
  gun: gunOf("dtr.example.org/dev/nginx"),
  role: "targets/qa" as RoleName,
  version: 3,
  sha256: "ab",
  keys: [key(1)],
  teams: ["qa" as TeamId],
};
const content = (tag: string): TagContent => ({ tag: tag as TagName, digest: Buffer.alloc(32, 1), length: 8 });

function readBack(draft: RecordDraft): AuditRecord {
  const call = serviceCall("follower", "follow", { traceId: "", spanId: "" }, new AbortController().signal);
  const identity = { eventId: "e", nonce: Buffer.alloc(16) };
  const bytes = boundRecord(composeRecord(call, draft, new Date(), identity));
  assert.ok(bytes.length <= mostRecordBytes);
  return JSON.parse(bytes.toString()) as AuditRecord;
}

test("what a record tells is read back from it: tags, digests, role, keys, members and teams", () => {
  const [added, ...more] = signatureRecords(file, { added: [content("1.0")], removed: [] });
  assert.ok(added !== undefined && more.length === 0);
  assert.equal(added.eventType, "signature.added.v1");
  assert.deepEqual(toldSignatures(readBack(added)), {
    role: "targets/qa",
    version: 3,
    sha256: "ab",
    keys: [{ key_id: key(1).canonicalKeyId, tuf_key_id: key(1).tufKeyId, member: "m1" }],
    teams: ["qa"],
    tags: [{ tag: "1.0", digest: `sha256:${"01".repeat(32)}`, length: 8 }],
  });
  assert.deepEqual(
    added.about.map(({ type }) => type),
    ["member", "team", "key"],
  );
});

test("a tag that names another image is taken away and added", () => {
  const records = signatureRecords(file, { added: [content("1.0")], removed: [content("1.0")] });
  assert.deepEqual(
    records.map(({ eventType }) => eventType),
    ["signature.removed.v1", "signature.added.v1"],
  );
  assert.equal(records[0]?.change?.after, null);
});

test("four thousand tags by hundreds of keys become some dozens of records, each whole and none too long", () => {
  const many = Array.from({ length: 4_000 }, (_, index) => content(`${index}-${"é".repeat(60)}`));
  const keys = Array.from({ length: 256 }, (_, index) => key(index));
  const records = signatureRecords({ ...file, keys }, { added: many, removed: [] });
  assert.ok(records.length <= 100, String(records.length));
  const told = records.flatMap((draft) => toldSignatures(readBack(draft))?.tags ?? []);
  assert.deepEqual(
    told.map(({ tag }) => tag),
    many.map(({ tag }) => tag),
  );
});
