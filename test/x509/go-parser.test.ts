import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { rootCertificates } from "node:tls";
import { canonicalKeyIdOf, certificateKey } from "../../src/tuf/key.ts";
import { parseDelegationCertificate } from "../../src/x509/certificate.ts";
import { element, sequence } from "../../src/x509/der.ts";
import { partGoRefuses } from "../../src/x509/go-parser.ts";
import { certificatePem } from "../../src/x509/pem.ts";
import { makeNotaryCli } from "../stack/notary-cli.ts";
import { daysFrom, ecPair, extension, hex, makeCertificate } from "./make-certificate.ts";

const now = new Date();
const text = (value: string): Buffer => Buffer.from(value, "latin1");
const san = (...names: readonly Buffer[]): Buffer => extension("551d11", sequence(...names));
const uri = (value: string): Buffer => san(element(0x86, text(value)));

/** The extensions that certificates of companies' authorities bear. */
const usual = [
  extension("551d0e", element(0x04, Buffer.alloc(20, 7))),
  extension("551d23", sequence(element(0x80, Buffer.alloc(20, 7)))),
  extension("551d0f", "03020780", true),
  extension("551d25", "300a06082b06010505070302"),
  san(
    element(0x81, text("alice@example.org")),
    element(0x82, text("alice.example.org")),
    element(0x86, text("spiffe://example.org/alice")),
    element(0x87, hex("7f000001")),
  ),
  extension("551d20", sequence(sequence(hex("06032a0304")))),
  extension(
    "551d1f",
    sequence(sequence(element(0xa0, element(0xa0, element(0x86, text("http://example.org/a.crl")))))),
  ),
  extension(
    "2b06010505070101",
    sequence(sequence(hex("06082b06010505073001"), element(0x86, text("http://o.example.org")))),
  ),
  extension("2a0304", "0500"),
];
const rich = makeCertificate(now, { extensions: usual });

/** The certificate with these bytes in place of those, once; both in hex and of one length. */
function patched(from: string, to: string, der = rich.der): Buffer {
  const at = der.indexOf(hex(from));
  assert.ok(at > 0 && from.length === to.length);
  return Buffer.concat([der.subarray(0, at), hex(to), der.subarray(at + to.length / 2)]);
}

/** The certificate with a signature that leaves a bit of its last octet unused. */
function partOctet(): Buffer {
  const head = sequence(hex("06082a8648ce3d040302"));
  const der = Buffer.from(rich.der);
  const signature = der.lastIndexOf(head) + head.length;
  der[signature + 2] = 1;
  return der;
}

const withExtension = (...extensions: Buffer[]): Buffer => makeCertificate(now, { extensions }).der;

const refused: readonly [string, Buffer, RegExp][] = [
  ["a version that does not exist", patched("a003020102", "a003020109"), /version/],
  ["a negative serial number", makeCertificate(now, { serial: hex("80ff") }).der, /serial number/],
  [
    "another algorithm inside than outside",
    patched("06082a8648ce3d040302", "06082a8648ce3d040303"),
    /signature algorithm/,
  ],
  ["a signature of a part of an octet", partOctet(), /its signature is/],
  ["a name with a character its type does not have", patched("0c05616c696365", "1305616c696340"), /issuer/],
  [
    "a name of a type that Go does not know",
    patched("0c0400000061", "1c0400000061", makeCertificate(now, { name: "\0\0\0a" }).der),
    /issuer/,
  ],
  ["a policy that is no identifier", withExtension(extension("551d20", "300430020500")), /certificate policies/],
  ["an identifier beyond 31 bits", withExtension(extension("69ffffffffffff7f", "0500")), /list of extensions/],
  ["one extension twice", withExtension(extension("2a0304", "0500"), extension("2a0304", "0500")), /twice/],
  ["a key usage that is no bit string", withExtension(extension("551d0f", "0500")), /key usage/],
  ["a key usage with rubbish behind it", withExtension(extension("551d0f", "030207800500")), /key usage/],
  ["a mail address that is not ASCII", withExtension(san(element(0x81, text("\xe9@b.org")))), /alternative name/],
  ["an address of five bytes", withExtension(san(element(0x87, Buffer.alloc(5)))), /alternative name/],
  ["a URI with a broken escape", withExtension(uri("http://example.org/%zz")), /alternative name/],
  ["a URI with a broken host", withExtension(uri("http://a..b/")), /alternative name/],
  ["name constraints", withExtension(extension("551d1e", "3000")), /name constraints/],
  ["a key identifier that is no string", withExtension(extension("551d0e", "0500")), /subject key identifier/],
  [
    "an authority's identifier that is no sequence",
    withExtension(extension("551d23", "0500")),
    /authority key identifier/,
  ],
  ["a purpose that is no identifier", withExtension(extension("551d25", "30020500")), /extended key usage/],
  ["a relative distribution point", withExtension(extension("551d1f", "30063004a002a100")), /CRL/],
  [
    "an access description without a place",
    withExtension(extension("2b06010505070101", "3007300506032a0304")),
    /access/,
  ],
];

describe("a certificate that OpenSSL reads and Go does not", () => {
  for (const [name, der, expected] of refused) {
    it(`is refused: ${name}`, () => {
      assert.ok(new X509Certificate(der).subject !== "");
      const result = parseDelegationCertificate(certificatePem(der), now);
      assert.ok(!result.ok);
      const readable = result.faults.filter((fault) => fault.startsWith("must be readable by Notary"));
      assert.equal(readable.length, 1, result.faults.join(" | "));
      assert.match(readable[0] ?? "", expected);
    });
  }
});

describe("a certificate that Go reads", () => {
  it("passes with every usual extension, and is the key that metadata names", () => {
    const result = parseDelegationCertificate(rich.pem, now);
    assert.ok(result.ok);
    const key = certificateKey(result.value.pem);
    assert.equal(key.public.toString(), result.value.pem);
    assert.equal(canonicalKeyIdOf(key), canonicalKeyIdOf({ keyType: "ecdsa", public: result.value.spki }));
  });

  it("passes if a public authority of the web issued it to itself", () => {
    for (const pem of rootCertificates) assert.equal(partGoRefuses(new X509Certificate(pem).raw), undefined);
  });

  it("passes with a common URI", () => {
    for (const value of ["urn:example:alice", "https://a.example.org:443/b?c=%20#d", "imagetrust://user/alice"]) {
      assert.equal(partGoRefuses(withExtension(uri(value))), undefined, value);
    }
  });
});

describe("the notary command", () => {
  it("accepts every certificate that passed, also damaged ones", async () => {
    const cli = await makeNotaryCli({ url: "https://127.0.0.1:1", caFile: "" });
    after(() => cli.remove());
    const file = join(cli.folder, "certificate.pem");
    const accepts = async (pem: string): Promise<boolean> => {
      await writeFile(file, pem);
      return (await cli.run("delegation", "add", "example.org/a", "targets/a", file, "--all-paths")).code === 0;
    };
    const whole = [
      rich.pem,
      makeCertificate(now, { keys: ecPair("P-521"), extensions: usual }).pem,
      makeCertificate(now, { version1: true }).pem,
      makeCertificate(now, { from: daysFrom(now, 0.9) }).pem,
    ];
    for (const pem of whole) {
      assert.ok(parseDelegationCertificate(pem, now).ok);
      assert.ok(await accepts(pem));
    }
    for (let at = 4; at < rich.der.length - 72; at += 5) {
      const damaged = Buffer.from(rich.der);
      damaged[at] = (damaged[at] ?? 0) ^ (at % 2 === 0 ? 0x80 : 0x01);
      const pem = certificatePem(damaged);
      if (!parseDelegationCertificate(pem, now).ok) continue;
      assert.ok(await accepts(pem), `byte ${at} changed: ${damaged.toString("hex", at - 8, at + 8)}`);
    }
  });
});
