import assert from "node:assert/strict";
import { test } from "node:test";
import type { PeerCertificate } from "node:tls";
import fc from "fast-check";
import { callerOf } from "../../src/rpc/identity.ts";

function certificate(parts: { readonly san?: string; readonly cn?: string | string[] }): PeerCertificate {
  return {
    subject: { CN: parts.cn },
    subjectaltname: parts.san,
    fingerprint256: "AB:CD:01",
    valid_to: "Jan  2 03:04:05 2030 GMT",
  } as unknown as PeerCertificate;
}

const idOf = (parts: Parameters<typeof certificate>[0]) => callerOf(certificate(parts))?.id;

test("a URI names the caller before any CN, among other names too", () => {
  assert.equal(idOf({ san: "URI:spiffe://x/dev", cn: "admin" }), "spiffe://x/dev");
  assert.equal(idOf({ san: "DNS:a.b, IP Address:10.0.0.1, URI:spiffe://x/dev, DNS:c", cn: "admin" }), "spiffe://x/dev");
  assert.equal(idOf({ san: 'URI:"spiffe://x/a, URI:spiffe://x/admin"' }), "spiffe://x/a, URI:spiffe://x/admin");
});

test("without a URI the CN does", () => {
  assert.equal(idOf({ san: "DNS:a.b", cn: "qa robot" }), "qa robot");
  assert.equal(idOf({ cn: "admin" }), "admin");
});

test("a certificate that names nobody clearly names nobody", () => {
  for (const parts of [
    {},
    { cn: "" },
    { cn: ["a", "b"] },
    { cn: "spiffe://x/admin" },
    { cn: "a\u0000b" },
    { cn: "a\u202eb" },
    { cn: "a".repeat(256) },
    { san: "URI:spiffe://x/a, URI:spiffe://x/b", cn: "admin" },
    { san: "URI:", cn: "admin" },
    { san: 'DNS:"unfinished, URI:spiffe://x/a', cn: "admin" },
    { san: "URI:spiffe://x/a, nonsense", cn: "admin" },
  ]) {
    assert.equal(idOf(parts), undefined, JSON.stringify(parts));
  }
});

test("fingerprint and end of the certificate are taken along", () => {
  const caller = callerOf(certificate({ cn: "a" }));
  assert.equal(caller?.certificateSha256, "abcd01");
  assert.equal(caller?.notAfter, Date.UTC(2030, 0, 2, 3, 4, 5));
});

test("whatever stands in another kind of name never becomes the caller", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 40 }), (text) => {
      const id = idOf({ san: `DNS:${JSON.stringify(`x ${text}`)}, URI:spiffe://x/dev`, cn: "admin" });
      assert.ok(id === "spiffe://x/dev" || id === undefined);
    }),
  );
});
