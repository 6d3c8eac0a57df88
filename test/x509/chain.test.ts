import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseDelegationCertificate } from "../../src/x509/certificate.ts";
import { type CertificateWish, daysFrom, type MadeCertificate, makeCertificate } from "./make-certificate.ts";

const now = new Date("2026-11-22T10:00:00Z");
const made = (wish: CertificateWish = {}): MadeCertificate => makeCertificate(now, wish);
const faultsOf = (text: string): readonly string[] => {
  const result = parseDelegationCertificate(text, now);
  return result.ok ? [] : result.faults;
};
const assertFault = (text: string, expected: RegExp): void => {
  const faults = faultsOf(text);
  assert.equal(faults.length, 1, `one fault, not: ${faults.join(" | ") || "none"}`);
  assert.match(faults[0] ?? "", expected);
};

describe("a chain", () => {
  const root = made({ name: "root", authority: true });
  const middle = made({ name: "middle", authority: true, issuer: root });
  const leaf = made({ name: "alice", issuer: middle });
  const stranger = made({ name: "middle", authority: true });

  it("is accepted leaf first, with or without its root, and only the leaf is kept", () => {
    for (const text of [leaf.pem + middle.pem, leaf.pem + middle.pem + root.pem]) {
      const result = parseDelegationCertificate(text, now);
      assert.ok(result.ok);
      assert.equal(result.value.pem, leaf.pem);
      assert.equal(result.value.issuer, "CN=middle");
    }
  });

  it("is refused when the leaf does not come first", () => {
    assertFault(root.pem + middle.pem + leaf.pem, /put the leaf first/);
    assertFault(middle.pem + leaf.pem, /put the leaf first/);
  });

  it("is refused when a link is missing or the order above the leaf is wrong", () => {
    assertFault(leaf.pem + root.pem, /certificate 2 did not issue certificate 1/);
    assert.match(faultsOf(leaf.pem + root.pem + middle.pem).join(), /certificate 2 did not issue certificate 1/);
  });

  it("is refused when a member only bears the issuer's name but did not sign", () => {
    assertFault(leaf.pem + stranger.pem, /certificate 2 did not issue certificate 1/);
  });

  it("is refused when a member holds the issuer's key but bears another name", () => {
    const renamed = made({ name: "other", keys: middle, authority: true });
    assertFault(leaf.pem + renamed.pem, /certificate 2 did not issue certificate 1/);
  });

  it("is refused when it holds another person's certificate", () => {
    assertFault(leaf.pem + made({ name: "bob" }).pem, /certificate 2 did not issue certificate 1/);
  });

  it("is judged by its leaf: an old authority above it does not matter", () => {
    const old = made({ name: "old", authority: true, to: daysFrom(now, -0.5) });
    assert.deepEqual(faultsOf(made({ issuer: old }).pem + old.pem), []);
  });

  it("names the damaged member", () => {
    assertFault(
      `${leaf.pem}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`,
      /certificate 2 is truncated/,
    );
  });
});
