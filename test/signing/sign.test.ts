import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { describe, it } from "node:test";
import type { BackendKey, KeyBackend } from "../../src/signing/backend.ts";
import { signPayload } from "../../src/signing/sign.ts";
import { canonicalKeyIdOf } from "../../src/tuf/key.ts";
import { faultOf } from "../conformance/key-backend.ts";

const never = new AbortController().signal;
const payload = Buffer.from("payload");
const newPair = () => generateKeyPairSync("ec", { namedCurve: "P-256" });
const { publicKey, privateKey } = newPair();
const spki = publicKey.export({ type: "spki", format: "der" });
const key: BackendKey = { id: canonicalKeyIdOf({ keyType: "ecdsa", public: spki }), algorithm: "ecdsa", spki };

/** A backend that answers every call to sign with these bytes. */
const answering = (signature: Buffer): KeyBackend => ({
  name: "answering",
  generate: () => Promise.resolve(key),
  get: () => Promise.resolve(key),
  sign: () => Promise.resolve(signature),
});
const rawBy = (signer: KeyObject, content = payload) =>
  sign("sha256", content, { key: signer, dsaEncoding: "ieee-p1363" });

describe("signing a payload", () => {
  it("gives the backend's signature when it verifies", async () => {
    const signature = rawBy(privateKey);
    assert.deepEqual(await signPayload(answering(signature), key, payload, never), signature);
  });

  const wrong: readonly [string, Buffer][] = [
    ["another key's", rawBy(newPair().privateKey)],
    ["over other bytes", rawBy(privateKey, Buffer.from("other"))],
    ["in DER", sign("sha256", payload, privateKey)],
    ["cut off", rawBy(privateKey).subarray(1)],
    ["empty", Buffer.alloc(0)],
  ];
  for (const [name, signature] of wrong) {
    it(`refuses a signature that is ${name}`, async () => {
      const signing = signPayload(answering(signature), key, payload, never);
      await assert.rejects(signing, faultOf("SIGNING_UNAVAILABLE", /does not verify/));
    });
  }
});
