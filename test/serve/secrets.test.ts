import assert from "node:assert/strict";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { indexOf } from "./secret-index.ts";
import { privateKeySecretOf, search, secretOf } from "./secrets.ts";

type Encoding = (bytes: Buffer) => Buffer;
const encodings: Readonly<Record<string, Encoding>> = {
  itself: (bytes) => bytes,
  hex: (bytes) => Buffer.from(bytes.toString("hex")),
  "upper-case hex": (bytes) => Buffer.from(bytes.toString("hex").toUpperCase()),
  base64: (bytes) => Buffer.from(bytes.toString("base64")),
  base64url: (bytes) => Buffer.from(bytes.toString("base64url")),
};
const bytes = (from: number) => fc.uint8Array({ minLength: from, maxLength: 40 }).map((array) => Buffer.from(array));

for (const [outer, encodeOuter] of Object.entries(encodings)) {
  test(`a secret in any form is found wherever it stands in something as ${outer}, and its absence is none`, () => {
    const inner = fc.constantFrom(...Object.values(encodings));
    const property = fc.property(bytes(16), bytes(0), bytes(0), inner, (secret, before, behind, encode) => {
      const within = Buffer.concat([before, encode(secret), behind]);
      const text = encodeOuter(within).toString("latin1");
      assert.deepEqual(search([secretOf("it", secret)], { name: "there", text }), ["it in there"]);
      const [it, other] = [secretOf("it", secret), secretOf("other", randomBytes(32))];
      assert.deepEqual(indexOf([other, it]).suspectsIn(text), [it]);
      const without = encodeOuter(Buffer.concat([before, behind])).toString("latin1");
      fc.pre(!Buffer.concat([before, behind]).includes(secret));
      assert.deepEqual(search([secretOf("it", secret)], { name: "there", text: without }), []);
    });
    fc.assert(property, { numRuns: 200 });
  });
}

test("a private key is found in PEM, in DER and as JSON, and its certificate's public key is none", () => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const secrets = [privateKeySecretOf("key", privateKey)];
  const shown = [
    privateKey.export({ type: "pkcs8", format: "pem" }),
    privateKey.export({ type: "sec1", format: "pem" }),
    privateKey.export({ type: "pkcs8", format: "der" }).toString("hex"),
    JSON.stringify(privateKey.export({ format: "jwk" })),
    JSON.stringify(privateKey.export({ type: "pkcs8", format: "pem" })),
  ];
  for (const text of shown) assert.equal(search(secrets, { name: "x", text: String(text) }).length, 1, String(text));
  const spki = publicKey.export({ type: "spki", format: "der" });
  for (const before of [0, 1, 2]) {
    const text = Buffer.concat([Buffer.alloc(before), spki]).toString("base64");
    assert.deepEqual(search(secrets, { name: "x", text }), [], `behind ${before} bytes`);
  }
});
