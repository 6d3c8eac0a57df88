import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { canonicalKeyIdOf, certificateKey, type KeyType, parseServerKey, publicKeyOf } from "../../src/tuf/key.ts";
import { MetadataError } from "../../src/tuf/metadata-error.ts";
import { golden } from "./golden.ts";

const certificates = JSON.parse(golden("certificates").toString()) as readonly { name: string; pem: string }[];
const pemOf = (name: string): string => certificates.find((certificate) => certificate.name === name)?.pem ?? "";
const [p256, p384] = [pemOf("p256"), pemOf("p384")];

function spki(key: KeyObject): Buffer {
  return key.export({ type: "spki", format: "der" });
}

function answer(keytype: string, bytes: Buffer): Buffer {
  return Buffer.from(JSON.stringify({ keytype, keyval: { public: bytes.toString("base64"), private: null } }));
}

test("every way to write a certificate gives the PEM that Go writes", () => {
  const { keyType, public: pem } = certificateKey(pemOf("p256-text"));
  assert.equal(keyType, "ecdsa-x509");
  assert.equal(pem.toString(), p256);
  assert.match(pem.toString(), /^-----BEGIN CERTIFICATE-----\n(?:[^\n]{1,64}\n)+-----END CERTIFICATE-----\n$/);
});

test("a line of exactly 64 columns is followed by no empty one", () => {
  fc.assert(
    fc.property(fc.constantFrom("p224", "p256", "p384", "p521", "rsa2048", "rsa3072"), (name) => {
      assert.equal(certificateKey(pemOf(name).replaceAll("\n", "\r\n")).public.toString(), pemOf(name));
    }),
  );
});

const der = Buffer.from(p256.replace(/-----.*?-----/g, ""), "base64");
const block = (bytes: Buffer, label = "CERTIFICATE") =>
  `-----BEGIN ${label}-----\n${bytes.toString("base64")}\n-----END ${label}-----\n`;
const notCertificates = {
  "empty text": "",
  "text that is no PEM": "certificate",
  "two certificates": p256 + p384,
  "a certificate behind a key": block(Buffer.from("secret"), "PRIVATE KEY") + p256,
  "a public key": generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ type: "spki", format: "pem" }),
  "a truncated certificate": block(der.subarray(0, -1)),
  "a certificate with bytes behind it": block(Buffer.concat([der, Buffer.alloc(1)])),
  "a block that does not end": p256.replace(/-----END.*/, ""),
  "a block with headers": p256.replace("-----\n", "-----\nProc-Type: 4\n\n"),
  "a block that is no base64": p256.replace(/\nMII/, "\nM!I"),
};
for (const [name, text] of Object.entries(notCertificates)) {
  test(`${name} is not taken for a certificate's key`, () => {
    assert.throws(() => certificateKey(text.toString()), MetadataError);
  });
}

const { publicKey: p256Key } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const point = p256Key.export({ format: "jwk" });
const compressed = Buffer.concat([
  Buffer.from("3039301306072a8648ce3d020106082a8648ce3d030107032200", "hex"),
  Buffer.from([(Buffer.from(point.y ?? "", "base64url").at(-1) ?? 0) % 2 === 0 ? 2 : 3]),
  Buffer.from(point.x ?? "", "base64url"),
]);
const { publicKey: rsa } = generateKeyPairSync("rsa", { modulusLength: 2048 });

test("server keys of the types that Notary makes are read", () => {
  const { publicKey: ed25519 } = generateKeyPairSync("ed25519");
  const raw = Buffer.from(ed25519.export({ format: "jwk" }).x ?? "", "base64url");
  const keys: readonly (readonly [KeyType, Buffer])[] = [
    ["ecdsa", spki(p256Key)],
    ["rsa", spki(rsa)],
    ["ed25519", raw],
    ["ecdsa-x509", Buffer.from(p256)],
    ["rsa-x509", Buffer.from(pemOf("rsa2048"))],
  ];
  for (const [keyType, bytes] of keys) {
    assert.deepEqual(parseServerKey(answer(keyType, bytes)), { keyType, public: bytes });
  }
});

const unusable: Readonly<Record<string, readonly [string, Buffer]>> = {
  "an unknown type": ["dsa", spki(p256Key)],
  "a type of JavaScript's own": ["constructor", spki(p256Key)],
  "an RSA key called ecdsa": ["ecdsa", spki(rsa)],
  "an ECDSA key called rsa": ["rsa", spki(p256Key)],
  "an RSA certificate called ecdsa-x509": ["ecdsa-x509", Buffer.from(pemOf("rsa2048"))],
  "an RSA key of 1024 bits": ["rsa", spki(generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey)],
  "a curve that Go does not know": ["ecdsa", spki(generateKeyPairSync("ec", { namedCurve: "secp256k1" }).publicKey)],
  "a curve written out as parameters": [
    "ecdsa",
    spki(generateKeyPairSync("ec", { namedCurve: "P-256", paramEncoding: "explicit" }).publicKey),
  ],
  "a compressed point": ["ecdsa", compressed],
  "an RSA-PSS key": ["rsa", spki(generateKeyPairSync("rsa-pss", { modulusLength: 2048 }).publicKey)],
  "an ed25519 key of 31 bytes": ["ed25519", Buffer.alloc(31)],
  "bytes behind the key": ["ecdsa", Buffer.concat([spki(p256Key), Buffer.alloc(1)])],
  "an ed25519 key of 33 bytes": ["ed25519", Buffer.alloc(33)],
  "a certificate behind another block": ["ecdsa-x509", Buffer.from(block(Buffer.from("key"), "PUBLIC KEY") + p256)],
  "no bytes": ["ecdsa", Buffer.alloc(0)],
};
for (const [name, [keyType, bytes]] of Object.entries(unusable)) {
  test(`a server key with ${name} is refused`, () => {
    assert.throws(() => parseServerKey(answer(keyType, bytes)), MetadataError);
  });
}

test("a server key's answer is bounded and must be a key", () => {
  const padded = Buffer.concat([answer("ecdsa", spki(p256Key)), Buffer.alloc(256 * 1024, 0x20)]);
  assert.throws(() => parseServerKey(padded), MetadataError);
  for (const text of ["null", "[]", "{}", '{"keytype":"ecdsa"}', '{"keytype":"ecdsa","keyval":{"public":7}}']) {
    assert.throws(() => parseServerKey(Buffer.from(text)), MetadataError);
  }
});

test("a key is parsed once, and again after thousands of others", () => {
  const bytes = spki(p256Key);
  const first = publicKeyOf({ keyType: "ecdsa", public: bytes });
  assert.ok(first);
  assert.equal(publicKeyOf({ keyType: "ecdsa", public: Buffer.from(bytes) }), first);
  for (let number = 0; number < 2_100; number++) {
    const raw = Buffer.alloc(32);
    raw.writeUInt32BE(number);
    publicKeyOf({ keyType: "ed25519", public: raw });
  }
  const again = publicKeyOf({ keyType: "ecdsa", public: bytes });
  assert.notEqual(again, first);
  assert.ok(again?.equals(first));
});

test("a certificate that cannot be read has no canonical id", () => {
  assert.throws(() => canonicalKeyIdOf({ keyType: "ecdsa-x509", public: Buffer.from("x") }), MetadataError);
});
