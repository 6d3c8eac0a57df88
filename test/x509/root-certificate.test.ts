import assert from "node:assert/strict";
import { sign, X509Certificate } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Fault } from "../../src/errors.ts";
import { type Gun, parseGun } from "../../src/names.ts";
import { isDer } from "../../src/x509/der.ts";
import { partGoRefuses } from "../../src/x509/go-parser.ts";
import { issueRootCertificate, type RootCertificateRequest } from "../../src/x509/root-certificate.ts";
import { ecPair, hex } from "./make-certificate.ts";

const keys = ecPair();
const spki = keys.publicKey.export({ type: "spki", format: "der" });
const gunOf = (length: number): Gun => {
  const gun = parseGun("dtr.example.org/dev/nginx".padEnd(length, "x"));
  assert.ok(gun.ok);
  return gun.value;
};
const signer = (pair: typeof keys) => (tbs: Buffer) =>
  Promise.resolve(sign("sha256", tbs, { key: pair.privateKey, dsaEncoding: "ieee-p1363" }));
const requestOf = (change: Partial<RootCertificateRequest> = {}): RootCertificateRequest => ({
  gun: gunOf(25),
  spki,
  serial: hex("00112233445566778899aabbccddeeff"),
  notBefore: new Date("2026-11-22T10:00:00.900Z"),
  notAfter: new Date("2036-11-19T10:00:00Z"),
  sign: signer(keys),
  ...change,
});
/** RFC 5280 encodings of keyUsage (critical, digitalSignature and keyEncipherment), codeSigning, and a critical "no CA". */
const extensions = [
  "0603551d0f0101ff0404030205a0",
  "0603551d25040c300a06082b06010505070303",
  "0603551d130101ff04023000",
];

describe("a root certificate", () => {
  it("is Notary's template for the root key of a GUN", async () => {
    const certificate = new X509Certificate(await issueRootCertificate(requestOf()));
    assert.equal(certificate.subject, "CN=dtr.example.org/dev/nginx");
    assert.equal(certificate.issuer, certificate.subject);
    assert.equal(certificate.serialNumber, "112233445566778899AABBCCDDEEFF");
    assert.deepEqual(certificate.validFromDate, new Date("2026-11-22T10:00:00Z"));
    assert.deepEqual(certificate.validToDate, new Date("2036-11-19T10:00:00Z"));
    assert.equal(certificate.signatureAlgorithm, "ecdsa-with-SHA256");
    assert.ok(certificate.publicKey.equals(keys.publicKey));
    assert.ok(!certificate.ca);
    for (const extension of extensions) assert.ok(certificate.raw.includes(hex(extension)), extension);
    assert.ok(certificate.verify(keys.publicKey));
  });

  it("bears the whole GUN, also beyond X.520's 64 characters", async () => {
    for (const length of [64, 65, 127, 128, 255]) {
      const pem = await issueRootCertificate(requestOf({ gun: gunOf(length) }));
      assert.equal(new X509Certificate(pem).subject, `CN=${gunOf(length)}`);
    }
  });

  it("is DER that verifies, whatever the serial, the times and the bits of the signature", async () => {
    const serial = fc.uint8Array({ minLength: 16, maxLength: 16 });
    const time = fc.date({ min: new Date(0), max: new Date("2200-01-01T00:00:00Z"), noInvalidDate: true });
    await fc.assert(
      fc.asyncProperty(serial, time, time, async (number, notBefore, notAfter) => {
        const request = requestOf({ serial: Buffer.from(number), notBefore, notAfter });
        const certificate = new X509Certificate(await issueRootCertificate(request));
        const expected = BigInt(`0x${request.serial.toString("hex")}`);
        return (
          isDer(certificate.raw) &&
          certificate.verify(keys.publicKey) &&
          BigInt(`0x${certificate.serialNumber}`) === expected
        );
      }),
      { numRuns: 300 },
    );
  });

  it("keeps its times to the second, on both sides of the year 2050", async () => {
    for (const time of [
      "1950-01-01T00:00:00Z",
      "2049-12-31T23:59:59Z",
      "2050-01-01T00:00:00Z",
      "2051-02-28T01:02:03Z",
    ]) {
      const date = new Date(time);
      const pem = await issueRootCertificate(requestOf({ notBefore: date, notAfter: date }));
      const { validFromDate, validToDate, raw } = new X509Certificate(pem);
      assert.deepEqual([validFromDate, validToDate], [date, date]);
      assert.equal(partGoRefuses(raw), undefined);
    }
  });

  it("is written in PEM as OpenSSL and Go write it", async () => {
    const pem = await issueRootCertificate(requestOf());
    assert.equal(pem, new X509Certificate(pem).toString());
  });

  it("has its signer see the same bytes for the same request", async () => {
    const seen: Buffer[] = [];
    const watching = requestOf({
      sign: (tbs) => {
        seen.push(tbs);
        return signer(keys)(tbs);
      },
    });
    await issueRootCertificate(watching);
    await issueRootCertificate(watching);
    assert.equal(seen.length, 2);
    assert.deepEqual(seen[0], seen[1]);
  });

  it("is not issued on the signature of another key", async () => {
    await assert.rejects(
      issueRootCertificate(requestOf({ sign: signer(ecPair()) })),
      (error) => error instanceof Fault && error.reason === "SIGNING_UNAVAILABLE",
    );
  });
});
