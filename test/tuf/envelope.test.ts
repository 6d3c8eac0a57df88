import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { TufKeyId } from "../../src/names.ts";
import { canonicalJson } from "../../src/tuf/canonical.ts";
import {
  isSignedBy,
  MetadataError,
  parseRoot,
  parseSnapshot,
  parseTargets,
  parseTimestamp,
} from "../../src/tuf/envelope.ts";
import { parseJson } from "../../src/tuf/json.ts";
import { parseServerKey, tufKeyIdOf } from "../../src/tuf/key.ts";
import { viewDelegationFile } from "../../src/tuf/orphans.ts";
import { envelopeOf } from "../../src/tuf/payload.ts";
import {
  delegationFile,
  healthyWalk,
  history,
  makeSigner,
  people,
  signed,
  signWith,
  targetsFile,
} from "./collection.ts";

type Change = readonly [from: string | RegExp, to: string];

function changed(bytes: Buffer, ...changes: readonly Change[]): Buffer {
  let text = bytes.toString();
  for (const [from, to] of changes) {
    const next = text.replace(from, to);
    assert.notEqual(next, text, `nothing to change: ${from}`);
    text = next;
  }
  return Buffer.from(text);
}

const file = delegationFile(7, people.member);
const parent = history.targets4;

const accepted: Readonly<Record<string, readonly Change[]>> = {
  "the greatest version": [['"version":7', '"version":2147483647']],
  "a time in nanoseconds": [["2040-01-01T00:00:00Z", "2040-01-01T00:00:00.123456789Z"]],
  "a time with an offset": [["2040-01-01T00:00:00Z", "2040-02-29T23:59:59+02:00"]],
  "absent delegations": [[/"delegations":\{.*?\},"expires"/, '"expires"']],
  "delegations of null": [['"keys":{},"roles":[]', '"keys":null,"roles":null']],
  "unknown fields": [['"version":7', '"version":7,"x_future":{"a":[1,null]}']],
  "whitespace and another order": [
    [/^\{"signed":(.*),"signatures":(\[.*\])\}$/s, ' {\n"signatures": $2,\r\n\t"signed" : $1 } \n'],
  ],
};
for (const [name, changes] of Object.entries(accepted)) {
  test(`a delegation file with ${name} is read`, () => {
    assert.deepEqual(viewDelegationFile(changed(file, ...changes)).tags, ["v1"]);
  });
}

const refused: Readonly<Record<string, Change>> = {
  "version 0": ['"version":7', '"version":0'],
  "a version beyond 2^31 - 1": ['"version":7', '"version":2147483648'],
  "a version that is text": ['"version":7', '"version":"7"'],
  "no version": [',"version":7', ""],
  "a version in two spellings": ['"version":7', '"version":7,"Version":8'],
  "a field that Go would fold into targets": ['"targets":{', '"targetſ":{},"targets":{'],
  "another type": ['"Targets"', '"Root"'],
  "a type in lower case": ['"Targets"', '"targets"'],
  "a day that does not exist": ["2040-01-01", "2039-02-29"],
  "an hour that does not exist": ["T00:00", "T24:00"],
  "a time without a zone": ["00:00:00Z", "00:00:00"],
  "a time before 1970": ["2040-01-01", "0001-01-01"],
  "a length below zero": ['"length":7', '"length":-7'],
  "a sha256 that is too short": [/"sha256":"[^"]*"/, '"sha256":"AQE="'],
  "base64 in another spelling": [/"sha256":"([^"]*)E="/, '"sha256":"$1F="'],
  "a key id that is none": [/"keyid":"[^"]*"/, '"keyid":"<script>"'],
  "a signature that is no object": [/"signatures":\[.*\]/, '"signatures":[1]'],
  "a control character in a tag": ['"v1"', '"v1\\u0007"'],
  "no signed part": ['"signed"', '"unsigned"'],
};
for (const [name, change] of Object.entries(refused)) {
  test(`a delegation file with ${name} is refused`, () => {
    assert.throws(() => viewDelegationFile(changed(file, change)), MetadataError);
  });
}

const refusedParents: Readonly<Record<string, Change>> = {
  "a threshold of 0": ['"threshold":1', '"threshold":0'],
  "a role outside targets": ['"name":"targets/qa"', '"name":"root"'],
  "a role with an empty segment": ['"name":"targets/qa"', '"name":"targets//qa"'],
  "a role in upper case": ['"name":"targets/qa"', '"name":"targets/QA"'],
  "a role whose key is not given": [/"keyids":\["/, `"keyids":["${"0".repeat(64)}","`],
  "two roles of one name": [/"roles":\[(\{.*?\})\]/, '"roles":[$1,$1]'],
  "a key without a value": [/"keyval":\{[^}]*\}/, '"keyval":{}'],
};
for (const [name, change] of Object.entries(refusedParents)) {
  test(`targets with ${name} are refused`, () => {
    assert.throws(() => parseTargets(changed(parent, change)), MetadataError);
  });
}

test("a root lacks no role, a snapshot neither root nor targets, a timestamp no snapshot", () => {
  assert.throws(() => parseRoot(changed(history.root1, ['"timestamp":{', '"timestamps":{'])), MetadataError);
  assert.throws(() => parseSnapshot(changed(healthyWalk.snapshot, ['"root":{', '"boot":{'])), MetadataError);
  assert.throws(() => parseSnapshot(changed(healthyWalk.snapshot, ["sha256", "sha512"])), MetadataError);
  assert.throws(() => parseTimestamp(changed(healthyWalk.timestamp, ['"snapshot":{', '"napshot":{'])), MetadataError);
  assert.throws(() => parseTimestamp(healthyWalk.snapshot), MetadataError);
});

test("more signatures than anybody needs are refused", () => {
  const { payload, signatures } = parseTargets(file);
  const [signature] = signatures;
  assert.ok(signature);
  const many = (count: number) =>
    envelopeOf(
      payload,
      Array.from({ length: count }, () => signature),
    );
  assert.equal(parseTargets(many(256)).signatures.length, 256);
  assert.throws(() => parseTargets(many(257)), MetadataError);
});

test("the size bound can be set", () => {
  assert.ok(parseTargets(file, file.length));
  assert.throws(() => parseTargets(file, file.length - 1), MetadataError);
});

test("signatures are over the whole signed part, unknown fields included, whatever its spelling", () => {
  const text =
    '{"z":1,"_type":"Targets","version":3,"expires":"2040-01-01T00:00:00.5Z","targets":{"<b>":{"length":0,"hashes":{}}}}';
  const payload = Buffer.from(canonicalJson(parseJson(Buffer.from(text))));
  const { keyId, method, sig } = signWith(people.member, payload);
  const signatures = JSON.stringify([{ keyid: keyId, method: method.toUpperCase(), sig: sig.toString("base64") }]);
  const envelope = parseTargets(Buffer.from(`{"signatures":${signatures},\n"signed":${text}}`));
  assert.deepEqual(envelope.payload, payload);
  const role = { keyIds: [keyId], threshold: 1 };
  assert.ok(isSignedBy(envelope, [people.member.key], role));
  const without = parseTargets(Buffer.from(`{"signatures":${signatures},"signed":${text.replace('"z":1,', "")}}`));
  assert.ok(!isSignedBy(without, [people.member.key], role));
});

test("a key under another id than its own verifies nothing, even where another key of the role signed", () => {
  const { member, colleague } = people;
  const twice = parseTargets(signed(parseTargets(file).payload, member, colleague));
  const [, id] = [member, colleague].map(({ key }) => tufKeyIdOf(key));
  assert.ok(id);
  const role = { keyIds: [tufKeyIdOf(member.key), id], threshold: 1 };
  assert.ok(isSignedBy(twice, [member.key, colleague.key], role));
  const swapped = changed(targetsFile(4), [
    new RegExp(`("${id}":\\{.*?"public":")[^"]*`),
    `$1${makeSigner().key.public.toString("base64")}`,
  ]);
  const { keys } = parseTargets(swapped).content;
  assert.deepEqual(keys.map(tufKeyIdOf), [tufKeyIdOf(member.key)]);
  assert.ok(!isSignedBy(twice, keys, role));
  assert.ok(isSignedBy(parseTargets(file), keys, role));
});

test("a key of an unknown type is left out, and its role remains", () => {
  const id = tufKeyIdOf(people.colleague.key);
  const unknown = changed(targetsFile(4), [new RegExp(`("${id}":\\{"keytype":")ecdsa`), "$1sphincs"]);
  const { keys, roles } = parseTargets(unknown).content;
  assert.deepEqual(keys.map(tufKeyIdOf), [tufKeyIdOf(people.member.key)]);
  assert.ok(roles[0]?.keyIds.includes(id));
});

test("a threshold counts signers: neither the same signature twice nor keys outside the role", () => {
  const { member, colleague, stranger } = people;
  const payload = parseTargets(file).payload;
  const keys = [member.key, colleague.key, stranger.key];
  const role = { keyIds: [tufKeyIdOf(member.key), tufKeyIdOf(colleague.key)], threshold: 2 };
  assert.ok(isSignedBy(parseTargets(signed(payload, member, colleague)), keys, role));
  assert.ok(!isSignedBy(parseTargets(signed(payload, member, member)), keys, role));
  assert.ok(!isSignedBy(parseTargets(signed(payload, member, stranger)), keys, role));
  assert.ok(!isSignedBy(parseTargets(signed(payload)), keys, { ...role, threshold: 1 }));
  assert.ok(!isSignedBy(parseTargets(file), keys, { ...role, threshold: 0 }));
  assert.ok(!isSignedBy(parseTargets(file), keys, { keyIds: ["0".repeat(64) as TufKeyId], threshold: 1 }));
});

test("whatever the bytes, nothing but MetadataError is thrown", () => {
  const readers = [parseRoot, parseTargets, parseSnapshot, parseTimestamp, parseServerKey];
  const sources = [history.root2, parent, file, healthyWalk.snapshot, healthyWalk.timestamp];
  const mutated = fc
    .tuple(
      fc.constantFrom(...sources),
      fc.array(fc.tuple(fc.nat(), fc.nat(3), fc.uint8Array({ maxLength: 3 })), { maxLength: 3 }),
    )
    .map(([source, edits]) => {
      const bytes = [...source];
      for (const [at, count, replacement] of edits) bytes.splice(at % bytes.length, count, ...replacement);
      return Buffer.from(bytes);
    });
  const garbage = fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes));
  const json = fc.json({ maxDepth: 4 }).map((text) => Buffer.from(text));
  fc.assert(
    fc.property(fc.oneof(mutated, garbage, json), fc.constantFrom(...readers), (bytes, read) => {
      try {
        read(bytes);
      } catch (error) {
        assert.ok(error instanceof MetadataError, String(error));
      }
    }),
    { numRuns: 1_000 },
  );
});
