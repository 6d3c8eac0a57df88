import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, X509Certificate } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseDelegationCertificate } from "../../src/x509/certificate.ts";
import { element, sequence } from "../../src/x509/der.ts";
import {
  type CertificateWish,
  daysFrom,
  ecPair,
  hex,
  type MadeCertificate,
  makeCertificate,
  signatureKinds,
} from "./make-certificate.ts";

const now = new Date("2026-11-22T10:00:00Z");
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const made = (wish: CertificateWish = {}): MadeCertificate => makeCertificate(now, wish);
const faultsOf = (text: string): readonly string[] => {
  const result = parseDelegationCertificate(text, now);
  return result.ok ? [] : result.faults;
};
/** Exactly one fault, and it speaks of this. */
const assertFault = (text: string, expected: RegExp): void => {
  const faults = faultsOf(text);
  assert.equal(faults.length, 1, `one fault, not: ${faults.join(" | ") || "none"}`);
  assert.match(faults[0] ?? "", expected);
  assert.match(faults[0] ?? "", /^must .*; /, "says what is right and what to do");
};

describe("a certificate that may be delegated to", () => {
  it("is read with every field that is kept", () => {
    const { pem, der, publicKey } = made({ name: "alice", serial: hex("01a2") });
    const result = parseDelegationCertificate(pem, now);
    assert.ok(result.ok);
    assert.deepEqual(result.value, {
      pem,
      sha256: createHash("sha256").update(der).digest("hex"),
      subject: "CN=alice",
      issuer: "CN=alice",
      serial: "01a2",
      notBefore: daysFrom(now, -1),
      notAfter: daysFrom(now, 365),
      keyAlgorithm: "ecdsa",
      spki: publicKey.export({ type: "spki", format: "der" }),
    });
  });

  for (const curve of ["P-256", "P-384", "P-521"]) {
    it(`may hold a key on ${curve}`, () => assert.deepEqual(faultsOf(made({ keys: ecPair(curve) }).pem), []));
  }

  it("may hold an RSA key of 2048 bits", () => {
    const result = parseDelegationCertificate(made({ keys: rsa, signature: signatureKinds.rsaSha256 }).pem, now);
    assert.ok(result.ok);
    assert.equal(result.value.keyAlgorithm, "rsa");
  });

  it("may be signed by an authority's Ed25519 key or with RSASSA-PSS and SHA-256", () => {
    const authority = made({
      name: "ca",
      authority: true,
      keys: generateKeyPairSync("ed25519"),
      signature: signatureKinds.ed25519,
    });
    assert.deepEqual(faultsOf(made({ issuer: authority, signature: signatureKinds.ed25519 }).pem), []);
    assert.deepEqual(faultsOf(made({ keys: rsa, signature: pss("0201") }).pem), []);
  });

  it("may be a version 1 certificate or an authority's own", () => {
    assert.deepEqual(faultsOf(made({ version1: true }).pem), []);
    assert.deepEqual(faultsOf(made({ authority: true }).pem), []);
  });

  it("may begin up to a day ahead, and may end this very second", () => {
    assert.deepEqual(faultsOf(made({ from: daysFrom(now, 1) }).pem), []);
    assert.deepEqual(faultsOf(made({ to: now }).pem), []);
  });

  it("may come with explanatory text before it, Windows line ends, a byte order mark and blank lines after it", () => {
    const { pem } = made();
    for (const text of [`subject=CN = alice\n${pem}`, pem.replaceAll("\n", "\r\n"), `\uFEFF${pem}`, `${pem}\n \n`]) {
      const result = parseDelegationCertificate(text, now);
      assert.ok(result.ok);
      assert.equal(result.value.pem, pem);
    }
  });

  it("is kept in PEM just as OpenSSL and Go write it, whatever the line length it came in", () => {
    const { der, pem } = made();
    const oneLine = `-----BEGIN CERTIFICATE-----\n${der.toString("base64")}\n-----END CERTIFICATE-----`;
    const result = parseDelegationCertificate(oneLine, now);
    assert.ok(result.ok);
    assert.equal(result.value.pem, pem);
    assert.equal(result.value.pem, new X509Certificate(der).toString());
  });
});

describe("a text that is no certificate", () => {
  const { pem, der } = made();
  const cases: readonly [string, string, RegExp][] = [
    ["empty", " \n", /empty/],
    ["no PEM", "hello", /-----BEGIN CERTIFICATE-----/],
    ["DER", der.toString("latin1"), /-----BEGIN CERTIFICATE-----/],
    ["base64 without armour", der.toString("base64"), /-----BEGIN CERTIFICATE-----/],
    ["a zip", "PK\u0003\u0004\u0014\u0000", /not a zip/],
    ["the base64 of a zip", "UEsDBBQAAAAIAA==", /not a zip/],
    ["over 64 KiB", pem.repeat(200), /64 KiB/],
    ["over ten certificates", pem.repeat(11), /at most 10/],
    ["cut off before its END line", pem.slice(0, -30), /no END line/],
    ["cut off inside its base64", withBody(der.toString("base64").slice(0, -7)), /damaged or cut off/],
    ["cut off inside its DER", withBody(der.subarray(0, -9).toString("base64")), /truncated/],
    ["followed by text", `${pem}and more`, /remove the text/],
    ["followed by bytes inside the block", withBody(Buffer.concat([der, hex("00")]).toString("base64")), /truncated/],
    ["BER and not DER", withBody(berOf(der).toString("base64")), /not DER/],
    ["DER of something else", withBody(sequence(hex("020100")).toString("base64")), /cannot be read/],
    ["a public key", label("PUBLIC KEY", pem), /one of PUBLIC KEY/],
    ["a certificate request", label("CERTIFICATE REQUEST", pem), /one of CERTIFICATE REQUEST/],
  ];
  for (const [name, text, expected] of cases) {
    it(`is refused: ${name}`, () => assertFault(text, expected));
  }

  it("never makes the parser throw or pass, whatever it is", () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => faultsOf(Buffer.from(bytes).toString("latin1")).length > 0));
    const lines = fc.constantFrom(
      "-----BEGIN CERTIFICATE-----",
      "-----END CERTIFICATE-----",
      "MIIB",
      "-----END X-----",
      "",
    );
    fc.assert(fc.property(fc.array(lines), (parts) => faultsOf(parts.join("\n")).length > 0));
  });

  it("never makes the parser throw when a certificate has one byte changed", () => {
    fc.assert(
      fc.property(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const damaged = Buffer.from(der);
        damaged[at] = (damaged[at] ?? 0) ^ change;
        faultsOf(withBody(damaged.toString("base64")));
      }),
      { numRuns: 500 },
    );
  });
});

describe("a certificate that Notary would refuse or could not use", () => {
  const compressed = (): Buffer => {
    const point = ecPair().publicKey.export({ type: "spki", format: "der" }).subarray(-64);
    const parity = ((point[63] ?? 0) & 1) === 0 ? "02" : "03";
    return Buffer.concat([hex(`3039301306072a8648ce3d020106082a8648ce3d030107032200${parity}`), point.subarray(0, 32)]);
  };
  const dsa = generateKeyPairSync("dsa", { modulusLength: 2048, divisorLength: 256 });
  const small = generateKeyPairSync("rsa", { modulusLength: 1024 });
  const pssOnly = generateKeyPairSync("rsa-pss", { modulusLength: 2048 });
  const withoutNull = sequence(
    sequence(hex("06092a864886f70d010101")),
    rsa.publicKey.export({ type: "spki", format: "der" }).subarray(19),
  );
  const cases: readonly [string, CertificateWish, RegExp][] = [
    ["expired", { to: new Date(now.getTime() - 1000) }, /expired, but it ended 2026-11-22T09:59:59Z/],
    ["more than a day ahead", { from: new Date(now.getTime() + 86_401_000) }, /begins 2026-11-23T10:00:01Z/],
    ["ending before it begins", { from: daysFrom(now, 0.5), to: daysFrom(now, 0.25) }, /end before/],
    ["signed with ECDSA and SHA-1", { signature: signatureKinds.ecdsaSha1 }, /SHA-1/],
    ["signed with RSA and SHA-1", { keys: rsa, signature: signatureKinds.rsaSha1 }, /SHA-1/],
    ["signed with RSA and MD5", { keys: rsa, signature: signatureKinds.rsaMd5 }, /SHA-1 or an older/],
    ["signed with RSASSA-PSS and its default, SHA-1", { keys: rsa, signature: pss() }, /SHA-1/],
    ["RSA of 1024 bits", { keys: small, signature: signatureKinds.rsaSha256 }, /at least 2048 bits, but it has 1024/],
    ["RSA for PSS only", { keys: pssOnly, signature: pss("0201") }, /not rsa-pss/],
    ["Ed25519", { keys: generateKeyPairSync("ed25519"), signature: signatureKinds.ed25519 }, /not ed25519/],
    ["DSA", { keys: dsa, signature: signatureKinds.dsaSha256 }, /not dsa/],
    ["P-224", { keys: ecPair("P-224") }, /not on secp224r1/],
    ["secp256k1", { keys: ecPair("secp256k1") }, /not on secp256k1/],
    ["a compressed point", { spki: compressed() }, /uncompressed/],
    ["an RSA key without its NULL", { keys: rsa, signature: signatureKinds.rsaSha256, spki: withoutNull }, /encode/],
  ];
  for (const [name, wish, expected] of cases) {
    it(`is refused: ${name}`, () => assertFault(made(wish).pem, expected));
  }

  it("is told every fault at once", () => {
    const bad = made({ keys: small, signature: signatureKinds.rsaSha1, to: daysFrom(now, -0.5) });
    const faults = faultsOf(`${bad.pem}rubbish`);
    assert.equal(faults.length, 4);
    for (const part of ["remove the text", "expired", "SHA-1", "2048 bits"]) {
      assert.ok(
        faults.some((fault) => fault.includes(part)),
        part,
      );
    }
  });
});

function withBody(base64: string): string {
  return `-----BEGIN CERTIFICATE-----\n${base64}\n-----END CERTIFICATE-----\n`;
}

function label(name: string, pem: string): string {
  return pem.replaceAll("CERTIFICATE", name);
}

/** The same certificate with its outer length in one byte more than needed, which OpenSSL reads and Go does not. */
function berOf(der: Buffer): Buffer {
  return Buffer.concat([hex("308300"), der.subarray(2)]);
}

/** RSASSA-PSS with that SHA-2 digest, or with the default parameters, which are SHA-1's. */
function pss(digest?: "0201"): { algorithm: Buffer; digest: string; options: object } {
  const sha256 = sequence(hex(`06096086480165030402 ${digest?.slice(2)}`), hex("0500"));
  const mask = sequence(hex("06092a864886f70d010108"), sha256);
  const parameters =
    digest === undefined ? sequence() : sequence(element(0xa0, sha256), element(0xa1, mask), hex("a203020120"));
  return {
    algorithm: sequence(hex("06092a864886f70d01010a"), parameters),
    digest: digest === undefined ? "sha1" : "sha256",
    options: { padding: 6, saltLength: digest === undefined ? 20 : 32 },
  };
}
