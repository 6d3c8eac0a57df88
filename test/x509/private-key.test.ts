import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import { zipSync } from "fflate";
import { holdsPrivateKey } from "../../src/x509/private-key.ts";
import { daysFrom, ecPair, hex, type KeyPair, makeCertificate, signatureKinds } from "./make-certificate.ts";

const now = new Date("2026-11-22T10:00:00Z");
const text = (value: string): Uint8Array => Buffer.from(value);

const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const pairs: Readonly<Record<string, KeyPair>> = {
  rsa,
  "rsa-pss": generateKeyPairSync("rsa-pss", { modulusLength: 2048 }),
  dsa: generateKeyPairSync("dsa", { modulusLength: 2048, divisorLength: 256 }),
  "P-256": ecPair("P-256"),
  "P-521": ecPair("P-521"),
  secp256k1: ecPair("secp256k1"),
  ed25519: generateKeyPairSync("ed25519"),
  x25519: generateKeyPairSync("x25519"),
};

/** Every DER that node:crypto can write of a private key. */
function structuresOf(name: string, key: KeyObject): readonly (readonly [string, Buffer])[] {
  const der = { format: "der" } as const;
  const sealed = { cipher: "aes-256-cbc", passphrase: "secret" };
  return [
    [`${name} as PKCS#8`, key.export({ ...der, type: "pkcs8" })],
    [`${name} as encrypted PKCS#8`, key.export({ ...der, type: "pkcs8", ...sealed })],
    ...(key.asymmetricKeyType === "rsa"
      ? ([[`${name} as PKCS#1`, key.export({ ...der, type: "pkcs1" })]] as const)
      : []),
    ...(key.asymmetricKeyType === "ec" ? ([[`${name} as SEC1`, key.export({ ...der, type: "sec1" })]] as const) : []),
  ];
}

const structures = Object.entries(pairs).flatMap(([name, pair]) => structuresOf(name, pair.privateKey));
const armoured = (der: Buffer, label = "PRIVATE KEY"): string =>
  `-----BEGIN ${label}-----\n${der.toString("base64").replace(/.{64}/g, "$&\n")}\n-----END ${label}-----\n`;

/** What happens to a key on its way through shells, YAML, JSON, spreadsheets and mail. */
const manglings: Readonly<Record<string, (der: Buffer) => Uint8Array>> = {
  "as it is": (der) => der,
  "behind other bytes": (der) => Buffer.concat([Buffer.from("cert="), der, Buffer.alloc(9)]),
  "cut off at its end": (der) => der.subarray(0, der.length - 9),
  "in PEM": (der) => text(armoured(der)),
  "in PEM without its END line": (der) => text(armoured(der).replace(/-----END.*/s, "")),
  "in PEM without its BEGIN line": (der) => text(armoured(der).replace(/^.*\n/, "")),
  "in PEM on one line": (der) => text(armoured(der).replaceAll("\n", " ")),
  "in PEM without any white space": (der) => text(armoured(der).replace(/\s/g, "")),
  "in PEM escaped for JSON": (der) => text(JSON.stringify({ pem: armoured(der) })),
  "in PEM escaped twice": (der) => text(JSON.stringify(JSON.stringify(armoured(der)))),
  "in PEM escaped for a URL": (der) => text(encodeURIComponent(armoured(der))),
  "in PEM as a form field": (der) => text(new URLSearchParams({ key: armoured(der) }).toString()),
  "in PEM as UTF-16": (der) => Buffer.from(armoured(der), "utf16le"),
  "in PEM under a certificate's label": (der) => text(armoured(der, "CERTIFICATE")),
  "in the base64 of PEM": (der) => text(Buffer.from(armoured(der)).toString("base64")),
  "in base64": (der) => text(der.toString("base64")),
  "in base64 of the URL alphabet": (der) => text(der.toString("base64url")),
  "in base64 of the URL alphabet behind words": (der) => text(`my key ${der.toString("base64url")}`),
  "in base64 with every line indented": (der) =>
    text(`key: |\n${der.toString("base64").replace(/.{1,40}/g, "    $&\n")}`),
  "in base64 with escaped line ends": (der) => text(der.toString("base64").replace(/.{30}/g, "$&\\n")),
  "in base64 with escaped slashes": (der) =>
    text(der.toString("base64").replaceAll("/", "\\/").replaceAll("+", "\\u002B")),
  "in base64 twice": (der) => text(Buffer.from(der.toString("base64")).toString("base64")),
  "in hex": (der) => text(der.toString("hex")),
  "in hex with colons": (der) => text(der.toString("hex").replace(/..(?!$)/g, "$&:")),
};

describe("a private key is seen", () => {
  for (const [mangling, mangle] of Object.entries(manglings)) {
    it(`${mangling}, of every kind`, () => {
      for (const [name, der] of structures) assert.ok(holdsPrivateKey(mangle(der)), name);
    });
  }

  it("wherever it stands in any request", () => {
    const words = fc.string({ maxLength: 300 });
    const chosen = fc.constantFrom(...structures.map(([, der]) => der));
    fc.assert(
      fc.property(words, words, chosen, fc.constantFrom(...Object.values(manglings)), (before, after, der, mangle) =>
        holdsPrivateKey(Buffer.concat([text(`${before}\n`), mangle(der), text(`\n${after}`)])),
      ),
      { numRuns: 300 },
    );
  });

  it("by its first line", () => {
    for (const [name, der] of structures) {
      assert.ok(holdsPrivateKey(der.subarray(0, 45)), name);
      assert.ok(holdsPrivateKey(text(der.toString("base64").slice(0, 64))), name);
    }
  });

  it("at any alignment inside longer base64", () => {
    const der = structures[0]?.[1] ?? Buffer.alloc(0);
    for (const before of [1, 2, 3, 4, 5]) {
      const run = Buffer.concat([randomBytes(before), der, randomBytes(7)]).toString("base64");
      for (const word of ["", "a", "ab", "abc"]) assert.ok(holdsPrivateKey(text(word + run)));
    }
  });

  it("as one of several blocks", () => {
    const { pem } = makeCertificate(now);
    const key = armoured(ecPair().privateKey.export({ type: "sec1", format: "der" }), "EC PRIVATE KEY");
    assert.ok(holdsPrivateKey(text(pem + key)));
    assert.ok(holdsPrivateKey(text(key + pem + pem)));
  });

  it("by its armour alone, whatever the label", () => {
    for (const label of ["ENCRYPTED PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK", "TSS2 PRIVATE KEY"]) {
      assert.ok(holdsPrivateKey(text(`-----BEGIN ${label}-----\n`)), label);
      assert.ok(holdsPrivateKey(text(`-----END ${label}-----\n`)), label);
    }
  });

  it("as a file of notary's, with headers and an encrypted body", () => {
    const body = randomBytes(120).toString("base64");
    assert.ok(holdsPrivateKey(text(`-----BEGIN ENCRYPTED PRIVATE KEY-----\nrole: targets\n\n${body}\n-----END`)));
    assert.ok(holdsPrivateKey(text(`Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n${body}`)));
  });

  it("as a JWK, also one inside a JSON string", () => {
    for (const name of ["rsa", "P-256", "ed25519"]) {
      const jwk = JSON.stringify(pairs[name]?.privateKey.export({ format: "jwk" }));
      assert.ok(holdsPrivateKey(text(jwk)), name);
      assert.ok(holdsPrivateKey(text(JSON.stringify({ value: jwk }))), name);
    }
  });

  it("as PKCS#12, a Java key store, OpenSSH, PuTTY, age, and what openssl prints of a key", () => {
    const pkcs12 = hex("308209c7020103308209 8d06092a864886f70d010701a082097e");
    const berPkcs12 = hex("3080020103308006092a864886f70d010701a0802480");
    const files = [
      pkcs12,
      berPkcs12,
      text(Buffer.concat([pkcs12, randomBytes(40)]).toString("base64")),
      hex("feedfeed0000000200000001"),
      text("openssh-key-v1\0none"),
      text(Buffer.from(`openssh-key-v1\0${"x".repeat(60)}`).toString("base64")),
      text("PuTTY-User-Key-File-3: ssh-ed25519"),
      ...["AGE-SECRET-KEY-1QQQ", "Private-Key: (256 bit)\npriv:\n"].map(text),
    ];
    for (const [index, file] of files.entries()) assert.ok(holdsPrivateKey(file), `file ${index}`);
  });

  it("as a client bundle, also in base64, and in any zip that stores a key", () => {
    const key = Buffer.from(armoured(structures[0]?.[1] ?? Buffer.alloc(0)));
    const cert = Buffer.from(makeCertificate(now).pem);
    const bundle = zipSync({ "ca.pem": cert, "cert.pem": cert, "key.pem": key, "env.sh": Buffer.from("export A=b") });
    assert.ok(holdsPrivateKey(bundle));
    assert.ok(holdsPrivateKey(text(Buffer.from(bundle).toString("base64"))));
    assert.ok(holdsPrivateKey(zipSync({ "bundle/alice.p12": Buffer.from("x") })));
    assert.ok(holdsPrivateKey(zipSync({ "alice.txt": [key, { level: 0 }] })));
  });
});

describe("what is no private key is let through", () => {
  const issuer = makeCertificate(now, { name: "private key authority", authority: true });
  const certificates = [
    ...Object.values(pairs)
      .filter(({ privateKey }) => privateKey.asymmetricKeyType === "ec")
      .map((keys) => makeCertificate(now, { keys, issuer })),
    makeCertificate(now, { keys: rsa, signature: signatureKinds.rsaSha256 }),
    makeCertificate(now, { version1: true, serial: Buffer.from([1]) }),
    makeCertificate(now, {
      version1: true,
      serial: Buffer.from([0]),
      keys: generateKeyPairSync("ed25519"),
      signature: signatureKinds.ed25519,
    }),
    issuer,
  ];

  it("certificates and chains in every form that people send", () => {
    const chain = { pem: certificates.map(({ pem }) => pem).join(""), der: issuer.der, name: "chain" };
    for (const { pem, der, name } of [...certificates, chain]) {
      const forms = [
        der,
        text(pem),
        text(`subject=CN = ${name}\nX509v3 Private Key Usage Period:\n${pem}`),
        text(pem.replaceAll("\n", "\\n")),
        text(pem.replaceAll("\n", " ")),
        text(Buffer.from(pem).toString("base64")),
        text(der.toString("hex")),
        Buffer.from(pem, "utf16le"),
        zipSync({ "ca.pem": Buffer.from(pem), "cert.pem": Buffer.from(pem) }),
      ];
      for (const [index, form] of forms.entries()) assert.ok(!holdsPrivateKey(form), `${name}, form ${index}`);
    }
  });

  it("public keys and certificates of any life, name and serial", () => {
    const wishes = fc.record({
      name: fc.string({ maxLength: 64 }),
      serial: fc.uint8Array({ minLength: 1, maxLength: 20 }),
      days: fc.integer({ min: 1, max: 20_000 }),
      version1: fc.boolean(),
    });
    fc.assert(
      fc.property(wishes, ({ name, serial, days, version1 }) => {
        const wish = { name, serial: Buffer.from(serial), to: daysFrom(now, days), version1 };
        const { pem, der, publicKey } = makeCertificate(now, wish);
        const spki = publicKey.export({ type: "spki", format: "pem" });
        return [text(pem), der, text(String(spki)), text(JSON.stringify({ pem }))].every(
          (form) => !holdsPrivateKey(form),
        );
      }),
      { numRuns: 200 },
    );
  });

  it("names, reasons and any other bytes", () => {
    const reasons = [
      "in the end, the private key was lost",
      "BEGIN",
      "rotate PRIVATE KEY of alice",
      "END CERTIFICATE PRIVATE KEY",
      "DO NOT SEND PRIVATE KEYS",
    ];
    for (const reason of reasons) assert.ok(!holdsPrivateKey(text(reason)), reason);
    fc.assert(fc.property(fc.string({ maxLength: 1_000 }), (value) => !holdsPrivateKey(text(value))));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 4_000 }), (bytes) => !holdsPrivateKey(bytes)));
    fc.assert(fc.property(fc.base64String({ maxLength: 4_000 }), (value) => !holdsPrivateKey(text(value))));
  });

  it("in time linear in the size, whatever the bytes", () => {
    const mib = 1024 * 1024;
    const units = [
      "\\",
      "0",
      "A",
      " ",
      "END",
      "PRIVATE",
      "BEGIN PRIVATE",
      "PK\u0003\u0004",
      '"kty":"d":"',
      "&#x00",
      "-----BEGIN ",
    ];
    for (const unit of units) {
      const started = performance.now();
      holdsPrivateKey(text(unit.repeat(mib / unit.length)));
      assert.ok(performance.now() - started < 5_000, `${JSON.stringify(unit)} took too long`);
    }
  });
});
