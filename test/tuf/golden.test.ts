import assert from "node:assert/strict";
import { test } from "node:test";
import { releasesRole } from "../../src/names.ts";
import { isSignedBy, parseRoot, parseSnapshot, parseTargets, parseTimestamp } from "../../src/tuf/envelope.ts";
import { canonicalKeyIdOf, certificateKey, parseServerKey, tufKeyIdOf } from "../../src/tuf/key.ts";
import { isValidWith, viewDelegationFile } from "../../src/tuf/orphans.ts";
import { envelopeOf, rootPayload, targetsPayload } from "../../src/tuf/payload.ts";
import { golden } from "./golden.ts";

const root = parseRoot(golden("root-2"));
const targets = parseTargets(golden("targets"));
const releases = parseTargets(golden("targets-releases"));
const rsaFile = parseTargets(golden("targets-rsa2048"));
const snapshot = parseSnapshot(golden("snapshot"));
const timestamp = parseTimestamp(golden("timestamp"));

function delegated(name: string) {
  const role = targets.content.roles.find((candidate) => candidate.name === name);
  assert.ok(role);
  return role;
}

interface CertificateFixture {
  readonly name: string;
  readonly pem: string;
  readonly tufKeyId: string;
  readonly canonicalKeyId: string;
}
const certificates = JSON.parse(golden("certificates").toString()) as readonly CertificateFixture[];

for (const { name, pem, tufKeyId, canonicalKeyId } of certificates) {
  test(`the key ids of certificate ${name} are those of the notary CLI`, () => {
    const key = certificateKey(pem);
    assert.equal(tufKeyIdOf(key), tufKeyId);
    assert.equal(canonicalKeyIdOf(key), canonicalKeyId);
    const [id] = delegated(`targets/${name}`).keyIds;
    const published = targets.content.keys.find((candidate) => tufKeyIdOf(candidate) === id);
    assert.deepEqual(published, key);
  });
}

for (const [name, envelope] of Object.entries({ root, targets, releases, rsaFile, snapshot, timestamp })) {
  test(`notary's ${name} is written again byte for byte`, () => {
    assert.equal(envelopeOf(envelope.payload, envelope.signatures).toString(), envelope.bytes.toString());
  });
}

/** Ours have whole seconds where Go writes nanoseconds. */
function inWholeSeconds(payload: Buffer): string {
  return payload.toString().replace(/("expires":"[^".]*)\.\d+Z"/, '$1Z"');
}

test("what notary's root says gives notary's payload", () => {
  assert.equal(rootPayload(root.content).toString(), inWholeSeconds(root.payload));
});

for (const [name, envelope] of Object.entries({ targets, releases, rsaFile })) {
  test(`what notary's ${name} says gives notary's payload`, () => {
    assert.equal(targetsPayload(envelope.content).toString(), inWholeSeconds(envelope.payload));
  });
}

test("notary's base roles verify by the keys of its root", () => {
  const { keys, roles } = root.content;
  assert.ok(isSignedBy(root, keys, roles.root));
  assert.ok(isSignedBy(targets, keys, roles.targets));
  assert.ok(isSignedBy(snapshot, keys, roles.snapshot));
  assert.ok(isSignedBy(timestamp, keys, roles.timestamp));
  assert.ok(!isSignedBy(timestamp, keys, roles.snapshot));
  assert.ok(!isSignedBy(targets, keys, roles.root));
});

test("a delegation file verifies by each key of its role, and by both", () => {
  const role = delegated(releasesRole);
  assert.ok(isSignedBy(releases, targets.content.keys, role));
  assert.ok(isSignedBy(releases, targets.content.keys, { ...role, threshold: 2 }));
  assert.ok(!isSignedBy(releases, targets.content.keys, { ...role, threshold: 3 }));
  assert.ok(!isSignedBy(releases, targets.content.keys, delegated("targets/p384")));
  const methods = releases.signatures.map((signature) => signature.method).sort();
  assert.deepEqual(methods, ["ecdsa", "rsapss"]);
});

test("a delegation file stays valid while one of its signers is left, and is orphaned without them", () => {
  const keys = targets.content.keys.filter((key) => delegated(releasesRole).keyIds.includes(tufKeyIdOf(key)));
  const others = targets.content.keys.filter((key) => !keys.includes(key));
  assert.equal(keys.length, 2);
  assert.ok(isValidWith(releases.bytes, keys, 1));
  for (const key of keys) assert.ok(isValidWith(releases.bytes, [key, ...others], 1));
  assert.ok(!isValidWith(releases.bytes, keys.slice(1), 2));
  assert.ok(!isValidWith(releases.bytes, others, 1));
  assert.ok(!isValidWith(Buffer.from("{}"), keys, 1));
});

test("two spellings of one certificate count as one signer", () => {
  const key = certificateKey(certificates.find(({ name }) => name === "p256")?.pem ?? "");
  const respelt = { ...key, public: Buffer.from(key.public.toString().replaceAll("\n", "\r\n")) };
  const keyIds = [key, respelt].map(tufKeyIdOf);
  const signature = releases.signatures.find(({ keyId }) => keyId === keyIds[0]);
  assert.ok(signature);
  const signatures = keyIds.map((keyId) => ({ ...signature, keyId }));
  const twice = parseTargets(envelopeOf(releases.payload, signatures));
  assert.equal(new Set(keyIds).size, 2);
  assert.ok(keyIds.every((keyId) => isSignedBy(twice, [key, respelt], { keyIds: [keyId], threshold: 1 })));
  assert.ok(!isSignedBy(twice, [key, respelt], { keyIds, threshold: 2 }));
});

test("a delegation file shows its tags and the keys it claims", () => {
  const view = viewDelegationFile(releases.bytes);
  assert.equal(view.version, 1);
  assert.deepEqual(view.tags, ["v1.0&<é>"]);
  assert.deepEqual([...view.signedBy].sort(), [...delegated(releasesRole).keyIds].sort());
});

test("the snapshot names the exact bytes of every file", () => {
  for (const [name, envelope] of Object.entries({ root, targets, "targets/releases": releases })) {
    assert.equal(snapshot.content.meta.get(name)?.length, envelope.bytes.length);
  }
});

test("the server's key answer is the key that the root names", () => {
  const key = parseServerKey(golden("snapshot-key"));
  assert.deepEqual(root.content.roles.snapshot.keyIds, [tufKeyIdOf(key)]);
  assert.equal(canonicalKeyIdOf(key) as string, tufKeyIdOf(key) as string);
});
