import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { RoleName, TufKeyId } from "../../src/names.ts";
import { isSignedBy, MetadataError, parseRoot, parseTargets } from "../../src/tuf/envelope.ts";
import { tufKeyIdOf } from "../../src/tuf/key.ts";
import { type DelegatedRole, rootPayload, type TargetsContent, targetsPayload } from "../../src/tuf/payload.ts";
import { history, people, signed, teamRole } from "./collection.ts";

const { member, colleague } = people;
const ids = [member, colleague].map(({ key }) => tufKeyIdOf(key));
const role: DelegatedRole = { name: teamRole, keyIds: ids, threshold: 1, paths: [""] };
const content: TargetsContent = {
  version: 1,
  expires: new Date("2040-01-02T03:04:05.678Z"),
  targets: new Map(),
  keys: [member.key, colleague.key],
  roles: [role],
};

test("targets are written as Notary writes them", () => {
  const [first, second] = [...ids].sort();
  const entry = (id: TufKeyId | undefined) => {
    const key = [member.key, colleague.key].find((candidate) => tufKeyIdOf(candidate) === id);
    return `"${id}":{"keytype":"ecdsa","keyval":{"private":null,"public":"${key?.public.toString("base64")}"}}`;
  };
  assert.equal(
    targetsPayload(content).toString(),
    `{"_type":"Targets","delegations":{"keys":{${entry(first)},${entry(second)}},"roles":[{"keyids":["${ids.join('","')}"],` +
      `"name":"targets/qa","paths":[""],"threshold":1}]},"expires":"2040-01-02T03:04:05Z","targets":{},"version":1}`,
  );
});

test("an empty file still has delegations, and empty paths and custom are left out", () => {
  const empty = targetsPayload({ ...content, keys: [], roles: [] }).toString();
  assert.match(empty, /^\{"_type":"Targets","delegations":\{"keys":\{\},"roles":\[\]\},"expires"/);
  const roles = [{ ...role, paths: [] }];
  const targets = new Map([["v1", { length: 1, hashes: new Map(), custom: undefined }]]);
  const text = targetsPayload({ ...content, roles, targets }).toString();
  assert.ok(!text.includes("paths") && !text.includes("custom"));
});

test("a delegation without keys can be written: nobody may sign", () => {
  const text = targetsPayload({ ...content, keys: [], roles: [{ ...role, keyIds: [] }] }).toString();
  assert.ok(text.includes('"keyids":[]'));
});

const root = parseRoot(history.root1).content;
const noKeys = { ...root, roles: { ...root.roles, targets: { keyIds: [], threshold: 1 } } };
const refused: Readonly<Record<string, () => Buffer>> = {
  "a role with a key that is not given": () => targetsPayload({ ...content, keys: [member.key] }),
  "a role with a key twice": () => targetsPayload({ ...content, roles: [{ ...role, keyIds: [...ids, ...ids] }] }),
  "a threshold above the keys": () => targetsPayload({ ...content, roles: [{ ...role, threshold: 3 }] }),
  "a threshold of 0": () => targetsPayload({ ...content, roles: [{ ...role, threshold: 0 }] }),
  "a delegation without keys that asks for two": () =>
    targetsPayload({ ...content, roles: [{ ...role, keyIds: [], threshold: 2 }] }),
  "two roles of one name": () => targetsPayload({ ...content, roles: [role, role] }),
  "version 0": () => targetsPayload({ ...content, version: 0 }),
  "a version beyond 2^31 - 1": () => targetsPayload({ ...content, version: 2 ** 31 }),
  "a broken version": () => targetsPayload({ ...content, version: 1.5 }),
  "no date": () => targetsPayload({ ...content, expires: new Date(Number.NaN) }),
  "a date beyond 9999": () => targetsPayload({ ...content, expires: new Date("+010000-01-01T00:00:00Z") }),
  "a tab in a path": () => targetsPayload({ ...content, roles: [{ ...role, paths: ["\t"] }] }),
  "a base role without keys": () => rootPayload(noKeys),
};
for (const [name, write] of Object.entries(refused)) {
  test(`${name} cannot be written`, () => {
    assert.throws(write, MetadataError);
  });
}

const text = fc.string({ unit: "grapheme", maxLength: 12 }).map((value) => value.replace(/\p{Cc}/gu, "·"));
const file = fc.record(
  {
    length: fc.maxSafeNat(),
    hashes: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => new Map([["sha256", Buffer.from(bytes)]])),
    custom: fc.option(fc.constant(new Map([["note", "é"]])), { nil: undefined }),
  },
  { noNullPrototype: true },
);
const contents = fc.record({
  version: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  expires: fc.date({ min: new Date(0), max: new Date("9999-12-31T23:59:59Z"), noInvalidDate: true }),
  targets: fc.uniqueArray(fc.tuple(text, file), { selector: ([name]) => name }).map((files) => new Map(files)),
  paths: fc.array(text, { maxLength: 3 }),
  threshold: fc.integer({ min: 1, max: 2 }),
});

test("what is written is read again as it was, and verifies", () => {
  fc.assert(
    fc.property(contents, ({ paths, threshold, ...rest }) => {
      const expires = new Date(Math.floor(rest.expires.getTime() / 1_000) * 1_000);
      const roles = [{ name: "targets/a/b" as RoleName, keyIds: ids, threshold, paths }];
      const whole = { ...content, ...rest, expires, roles };
      const payload = targetsPayload({ ...whole, expires: rest.expires });
      const envelope = parseTargets(signed(payload, member));
      assert.deepEqual(envelope.payload, payload);
      assert.deepEqual(targetsPayload(envelope.content), payload);
      assert.deepEqual(envelope.content.roles, roles);
      assert.deepEqual(envelope.content.expires, expires);
      assert.deepEqual(new Map(envelope.content.targets), new Map(whole.targets));
      assert.ok(isSignedBy(envelope, [member.key], { keyIds: ids.slice(0, 1), threshold: 1 }));
    }),
  );
});
