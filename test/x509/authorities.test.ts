import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { type Authorities, parseAuthorities } from "../../src/x509/authorities.ts";
import { parseDelegationCertificate } from "../../src/x509/certificate.ts";
import { element, sequence } from "../../src/x509/der.ts";
import {
  type CertificateWish,
  daysFrom,
  extension,
  hex,
  type MadeCertificate,
  makeCertificate,
  signatureKinds,
} from "./make-certificate.ts";
import { type ListWish, listPem, makeRevocationList } from "./make-revocation-list.ts";

const now = new Date("2026-11-22T10:00:00Z");
const folder = mkdtempSync(join(tmpdir(), "imagetrust-authorities-"));
after(() => rmSync(folder, { recursive: true }));

const made = (wish: CertificateWish = {}): MadeCertificate => makeCertificate(now, wish);
const authority = (wish: CertificateWish = {}): MadeCertificate => made({ name: "root", authority: true, ...wish });
const keyUsage = (bits: string): Buffer => extension("551d0f", bits, true);
const purposesOf = (...ids: readonly string[]): Buffer =>
  extension("551d25", sequence(...ids.map((id) => hex(`06082b060105050703${id}`))));
const [clientAuth, serverAuth, codeSigning] = ["02", "01", "03"];
const excludesExample = sequence(element(0xa1, sequence(element(0x82, Buffer.from("example.org")))));

function trust(anchors: readonly MadeCertificate[], lists?: readonly Buffer[]): Authorities {
  const parsed = parseAuthorities(Buffer.from(anchors.map(({ pem }) => pem).join("")), lists);
  assert.ok(parsed.ok, JSON.stringify(parsed));
  return parsed.value;
}

/** What we say: `ok`, the faults, or why revocation is unknown. */
function verdictOf(chain: readonly MadeCertificate[], authorities: Authorities): string {
  const result = parseDelegationCertificate(chain.map(({ pem }) => pem).join(""), now, authorities);
  return result.ok ? "ok" : (result.unknown ?? result.faults.join(" | "));
}

/** Whether the openssl command takes the chain to these roots. */
function opensslTakes(
  chain: readonly MadeCertificate[],
  roots: readonly MadeCertificate[],
  lists: readonly Buffer[] = [],
): boolean {
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const [leaf, ...between] = chain;
  assert.ok(leaf);
  const crls = lists.length === 0 ? [] : ["-crl_check_all", "-CRLfile", file("crls.pem", lists.map(listPem).join(""))];
  try {
    execFileSync(
      "openssl",
      [
        ...["verify", "-partial_chain", "-attime", String(now.getTime() / 1_000), ...crls],
        ...["-CAfile", file("roots.pem", roots.map(({ pem }) => pem).join(""))],
        ...["-untrusted", file("between.pem", between.map(({ pem }) => pem).join("")), file("leaf.pem", leaf.pem)],
      ],
      { stdio: "pipe" },
    );
    return true;
  } catch {
    return false;
  }
}

interface Case {
  readonly name: string;
  readonly root?: CertificateWish;
  readonly middle?: CertificateWish;
  readonly leaf?: CertificateWish;
  /** What our verdict must match. */
  readonly says: RegExp;
  /** Where openssl's differs: it knows what we refuse to judge, or does not ask. */
  readonly opensslDiffers?: string;
}

const odd = extension("2b060104018f4d01", "0500", true);
const cases: readonly Case[] = [
  { name: "nothing wrong", says: /^ok$/ },
  {
    name: "all usages said",
    says: /^ok$/,
    root: { extensions: [keyUsage("03020106")], pathLength: 1 },
    middle: { extensions: [keyUsage("03020204"), purposesOf(clientAuth, serverAuth)], pathLength: 0 },
    leaf: { extensions: [keyUsage("03020780"), purposesOf(clientAuth)] },
  },
  { name: "code signing", leaf: { extensions: [purposesOf(codeSigning)] }, says: /^ok$/ },
  {
    name: "an intermediate that is no authority",
    middle: { authority: false },
    says: /intermediate authority CN=middle is none/,
  },
  {
    name: "an intermediate that may not sign certificates",
    middle: { extensions: [keyUsage("03020780")] },
    says: /certificate 2 did not issue certificate 1/,
  },
  {
    name: "an intermediate that has ended",
    middle: { to: daysFrom(now, -0.5) },
    says: /CN=middle is valid from .* to/,
  },
  { name: "an intermediate that has not begun", middle: { from: daysFrom(now, 0.5) }, says: /CN=middle is valid from/ },
  {
    name: "an authority that has ended",
    root: { to: daysFrom(now, -0.5) },
    says: /its authority CN=root is valid from/,
  },
  { name: "a path that is too long", root: { pathLength: 0 }, says: /CN=root, which allows 0 authorities below it/ },
  {
    name: "a leaf that is an authority",
    leaf: { authority: true },
    says: /of a member, not of an authority/,
    opensslDiffers: "any purpose will do",
  },
  {
    name: "a leaf for servers only",
    leaf: { extensions: [purposesOf(serverAuth)] },
    says: /client authentication or code signing/,
    opensslDiffers: "no purpose was named",
  },
  {
    name: "an intermediate for servers only",
    middle: { extensions: [purposesOf(serverAuth)] },
    says: /client authentication or code signing/,
    opensslDiffers: "no purpose was named",
  },
  {
    name: "a leaf that may not sign",
    leaf: { extensions: [keyUsage("03020520")] },
    says: /allow digital signatures/,
    opensslDiffers: "no purpose was named",
  },
  {
    name: "a critical extension nobody knows, on the intermediate",
    middle: { extensions: [odd] },
    says: /CN=middle has 1\.3\.6/,
  },
  {
    name: "a critical extension nobody knows, on the leaf",
    leaf: { extensions: [odd] },
    says: /the certificate has 1\.3\.6/,
  },
  {
    name: "name constraints, which are not understood",
    middle: { extensions: [extension("551d1e", excludesExample, false)] },
    says: /CN=middle has 2\.5\.29\.30/,
    opensslDiffers: "it understands them",
  },
  {
    name: "an authority that may not sign certificates",
    root: { extensions: [keyUsage("03020102")] },
    says: /none of them issued it/,
  },
  {
    name: "an intermediate signed with SHA-1",
    middle: { signature: signatureKinds.ecdsaSha1 },
    says: /sound authorities only.*SHA-1/,
    opensslDiffers: "its security level is the system's",
  },
];

describe("with authorities configured, a certificate", () => {
  for (const { name, says, opensslDiffers, ...wish } of cases) {
    it(`is judged as openssl judges it: ${name}`, () => {
      const root = authority(wish.root);
      const middle = made({ name: "middle", authority: true, issuer: root, ...wish.middle });
      const chain = [made({ issuer: middle, ...wish.leaf }), middle];
      const verdict = verdictOf(chain, trust([root]));
      assert.match(verdict, says);
      if (opensslDiffers === undefined) assert.equal(opensslTakes(chain, [root]), verdict === "ok", verdict);
    });
  }
});

describe("the configured authorities", () => {
  const root = authority();
  const middle = made({ name: "middle", authority: true, issuer: root });
  const leaf = made({ issuer: middle, serial: hex("2b") });

  it("are each trusted by themselves, and what stands below them comes with the certificate", () => {
    assert.equal(verdictOf([leaf, middle, root], trust([root])), "ok", "the authority may come with the chain");
    assert.equal(verdictOf([leaf], trust([middle])), "ok");
    assert.equal(verdictOf([leaf, middle], trust([made({ name: "other", authority: true }), root])), "ok");
    assert.match(
      verdictOf([leaf], trust([root])),
      /none of them issued it .*ends at issuer CN=middle.*send the certificates between/,
    );
    assert.match(verdictOf([made()], trust([root])), /none of them issued it/);
    const namesake = authority();
    assert.match(verdictOf([leaf, middle], trust([namesake])), /none of them issued it/);
    assert.match(verdictOf([root], trust([root])), /none of them issued it/);
    const forged = made({ issuer: { ...root, privateKey: middle.privateKey } });
    assert.match(verdictOf([forged], trust([root])), /none of them issued it/);
  });

  it("are several with one name and key while one is renewed: that which is good now counts", () => {
    const old = authority({ keys: root, to: daysFrom(now, -0.1) });
    for (const anchors of [
      [old, root],
      [root, old],
    ]) {
      assert.equal(verdictOf([leaf, middle], trust(anchors)), "ok");
    }
  });

  const listed = (ofRoot: ListWish | undefined, ofMiddle: ListWish | undefined): readonly Buffer[] => [
    ...(ofRoot ? [makeRevocationList(now, root, ofRoot)] : []),
    ...(ofMiddle ? [makeRevocationList(now, middle, ofMiddle)] : []),
  ];
  const ended = { from: daysFrom(now, -9), to: daysFrom(now, -2) };
  const other = made({ name: "middle", authority: true });
  const revocations: readonly (readonly [string, readonly Buffer[], RegExp])[] = [
    ["none revoked", listed({}, { serials: ["2c", "00ff"] }), /^ok$/],
    ["the leaf", listed({}, { serials: ["2b"] }), /intermediate authority CN=middle revoked the certificate/],
    [
      "the intermediate",
      listed({ serials: ["2a"] }, {}),
      /its authority CN=root revoked the intermediate authority CN=middle/,
    ],
    [
      "nobody by a list that has ended",
      listed({}, ended),
      /cannot be told.*CN=middle is current.*good until 2026-11-20/,
    ],
    [
      "the leaf by a list that has ended",
      listed({}, { ...ended, serials: ["2b"] }),
      /CN=middle revoked the certificate/,
    ],
    ["nobody by a list that has not begun", listed({}, { from: daysFrom(now, 1) }), /cannot be told/],
    [
      "no list of the intermediate",
      listed({}, undefined),
      /cannot be told: there is no revocation list of the intermediate/,
    ],
    ["no list of the root", listed(undefined, {}), /there is no revocation list of its authority CN=root/],
    ["a list by another key", listed({}, { signer: other }), /there is no revocation list of the intermediate/],
  ];
  for (const [name, lists, says] of revocations) {
    it(`revoke as openssl understands it: ${name}`, () => {
      const verdict = verdictOf([leaf, middle], trust([root], lists));
      assert.match(verdict, says);
      assert.equal(opensslTakes([leaf, middle], [root], lists), verdict === "ok");
    });
  }

  it("revoke only if they may sign lists, with RSA as well", () => {
    const rsa = authority({
      keys: generateKeyPairSync("rsa", { modulusLength: 2048 }),
      signature: signatureKinds.rsaSha256,
      extensions: [keyUsage("03020106")],
    });
    const signed = { signature: signatureKinds.rsaSha256 };
    const member = made({ issuer: rsa, ...signed });
    const list = (serials: readonly string[]): Buffer => makeRevocationList(now, rsa, { serials, ...signed });
    assert.equal(verdictOf([member], trust([rsa], [list(["2b"])])), "ok");
    assert.match(verdictOf([member], trust([rsa], [list(["2a"])])), /revoked/);
    const mute = authority({ keys: root, extensions: [keyUsage("03020204")] });
    assert.match(
      verdictOf([leaf, middle], trust([mute], listed({}, {}))),
      /there is no revocation list of its authority/,
    );
  });

  it("are refused as a set, each fault named", () => {
    const faultsOf = (bundle: string, lists?: readonly (Buffer | string)[]): string => {
      const parsed = parseAuthorities(
        Buffer.from(bundle),
        lists?.map((list) => Buffer.from(list)),
      );
      return parsed.ok ? "" : parsed.faults.join(" | ");
    };
    assert.match(faultsOf(""), /there is no PEM certificate/);
    assert.match(faultsOf(root.pem.slice(0, 300)), /no END line/);
    assert.match(faultsOf(root.pem + leaf.pem), /block 2 is no authority's certificate/);
    assert.match(faultsOf(root.pem.repeat(101)), /at most 100/);
    const lists = [
      "nothing",
      makeRevocationList(now, root).subarray(0, 60),
      listPem(makeRevocationList(now, root, { to: "none" })),
      makeRevocationList(now, root, { extensions: [extension("551d1b", "020101", true)] }),
      makeRevocationList(now, root, { signature: signatureKinds.ecdsaSha1 }),
      root.pem,
    ];
    const faults = faultsOf(root.pem, lists);
    for (const told of [
      /file 1 holds no certificate revocation list/,
      /file 2 holds a revocation list that is truncated/,
      /file 3 .* does not say until when/,
      /file 4 .*partial.*2\.5\.29\.27/,
      /file 5 .*not signed with SHA-256/,
      /file 6 holds something that is no revocation list/,
    ]) {
      assert.match(faults, told);
    }
    const both = listPem(makeRevocationList(now, root)) + listPem(makeRevocationList(now, middle));
    assert.equal(faultsOf(root.pem, [both, makeRevocationList(now, root)]), "");
  });
});
