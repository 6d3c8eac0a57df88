import assert from "node:assert/strict";
import { constants, generateKeyPairSync, sign } from "node:crypto";
import { test } from "node:test";
import type { TufKeyId } from "../../src/names.ts";
import { type TufKey, tufKeyIdOf } from "../../src/tuf/key.ts";
import { verifySignature } from "../../src/tuf/signature.ts";
import { makeSigner, signWith } from "./collection.ts";

const payload = Buffer.from("payload");
const other = Buffer.from("payloae");

for (const [curve, length] of [
  ["secp224r1", 56],
  ["P-256", 64],
  ["P-384", 96],
  ["P-521", 132],
] as const) {
  test(`ecdsa on ${curve} is r||s of ${length} bytes over SHA-256`, () => {
    const signer = makeSigner(curve);
    const signature = signWith(signer, payload);
    assert.equal(signature.sig.length, length);
    assert.ok(verifySignature(signer.key, signature, payload));
    assert.ok(!verifySignature(signer.key, signature, other));
    const der = sign("sha256", payload, signer.privateKey);
    assert.ok(!verifySignature(signer.key, { ...signature, sig: der }, payload));
    const padded = Buffer.concat([
      Buffer.alloc(1),
      signature.sig.subarray(0, length / 2),
      Buffer.alloc(1),
      signature.sig.subarray(length / 2),
    ]);
    assert.ok(!verifySignature(signer.key, { ...signature, sig: padded }, payload));
    assert.ok(!verifySignature(signer.key, { ...signature, sig: Buffer.alloc(length) }, payload));
    const sha512 = sign("sha512", payload, { key: signer.privateKey, dsaEncoding: "ieee-p1363" });
    assert.ok(!verifySignature(signer.key, { ...signature, sig: sha512 }, payload));
  });
}

test("rsapss has a salt of 32 bytes; rsapkcs1v15 is verified as Notary does", () => {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const key: TufKey = { keyType: "rsa", public: publicKey.export({ type: "spki", format: "der" }) };
  const keyId = tufKeyIdOf(key);
  const pss = (saltLength: number) =>
    sign("sha256", payload, { key: privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength });
  const pkcs1 = sign("sha256", payload, privateKey);
  const holds = (method: string, sig: Buffer) => verifySignature(key, { keyId, method, sig }, payload);
  assert.ok(holds("rsapss", pss(32)));
  assert.ok(!holds("rsapss", pss(20)));
  assert.ok(!holds("rsapss", pkcs1));
  assert.ok(holds("rsapkcs1v15", pkcs1));
  assert.ok(!holds("rsapkcs1v15", pss(32)));
  assert.ok(!holds("rsapss", Buffer.alloc(0)));
  assert.ok(!verifySignature(key, { keyId, method: "rsapss", sig: pss(32) }, other));
});

test("eddsa is over the payload itself, by an ed25519 key", () => {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const key: TufKey = {
    keyType: "ed25519",
    public: Buffer.from(publicKey.export({ format: "jwk" }).x ?? "", "base64url"),
  };
  const signature = { keyId: tufKeyIdOf(key), method: "eddsa", sig: sign(null, payload, privateKey) };
  assert.ok(verifySignature(key, signature, payload));
  assert.ok(!verifySignature(key, signature, other));
  assert.ok(!verifySignature(key, { ...signature, sig: signature.sig.subarray(1) }, payload));
  assert.ok(!verifySignature(key, { ...signature, method: "ecdsa" }, payload));
});

test("a method that does not fit the key, an unknown one, and another key's id are no signature", () => {
  const signer = makeSigner();
  const signature = signWith(signer, payload);
  for (const method of ["rsapss", "rsapkcs1v15", "eddsa", "ECDSA", "", "constructor"]) {
    assert.ok(!verifySignature(signer.key, { ...signature, method }, payload));
  }
  assert.ok(!verifySignature(signer.key, { ...signature, keyId: "0".repeat(64) as TufKeyId }, payload));
  assert.ok(!verifySignature(makeSigner().key, signature, payload));
});

test("a key that cannot be read verifies nothing and throws nothing", () => {
  const key: TufKey = { keyType: "ecdsa", public: Buffer.from("not a key") };
  const signature = { keyId: tufKeyIdOf(key), method: "ecdsa", sig: Buffer.alloc(64) };
  assert.ok(!verifySignature(key, signature, payload));
});
