import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { zipSync } from "fflate";
import { type PossessionProof, TeamServiceService } from "../../gen/imagetrust/v1/team.ts";
import { runCommand } from "../../src/cli/program.ts";
import { canonicalKeyIdOf, certificateKey } from "../../src/tuf/key.ts";
import { possessionText, verifiesPossession } from "../../src/x509/possession.ts";
import { ecPair, type MadeCertificate, makeCertificate, signatureKinds } from "../x509/make-certificate.ts";
import { type FakeService, refusal, startFakeService } from "./fake-service.ts";

const { submitCertificate, replaceCertificate, createPossessionChallenge, updateTeam } = TeamServiceService;
const nonce = "0a".repeat(32);
const passphrase = "correct horse";
let service: FakeService;
let text = "";
const alice = makeCertificate(new Date(), { keys: ecPair() });
const rsa = makeCertificate(new Date(), {
  keys: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  signature: signatureKinds.rsaSha256,
});

const textFor = (member: string, made: MadeCertificate): string =>
  possessionText({
    audience: "imagetrust/test",
    caller: "spiffe://example.org/p\u00f6rtal",
    member,
    key: canonicalKeyIdOf(certificateKey(made.pem)),
    nonce,
    expiresAt: new Date("2026-11-24T21:00:00Z"),
  });

before(async () => {
  service = await startFakeService();
  service.answer(createPossessionChallenge, () => ({
    challenge: { id: nonce, text, canonicalKeyId: "k", expireTime: new Date("2026-11-24T21:00:00Z") },
  }));
  service.answer(submitCertificate, () => ({ certificate: undefined, outcome: undefined }));
  service.answer(replaceCertificate, () => ({ certificate: undefined, replaced: [], outcome: undefined }));
  service.answer(updateTeam, () => ({ team: undefined, outcome: undefined }));
});
after(() => service.close());

function write(name: string, content: string | Uint8Array): string {
  const file = join(service.folder, name);
  writeFileSync(file, content);
  return file;
}

const plainPem = (key: KeyObject): string => String(key.export({ type: "pkcs8", format: "pem" }));
const sealedPem = (key: KeyObject): string =>
  String(key.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase }));

function bundleOf(made: MadeCertificate, keyPem: string): string {
  const zip = zipSync({ "cert.pem": Buffer.from(made.pem), "key.pem": Buffer.from(keyPem) });
  return write("bundle.zip", zip);
}

/** Runs a certificate command; answers what arrived, and asserts that no byte of the key or its passphrase did, or was printed. */
async function certificate(made: MadeCertificate, ...args: readonly string[]) {
  const before = service.arrivals.length;
  const run = await service.run("certificate", ...args);
  const arrivals = service.arrivals.slice(before);
  const secret = plainPem(made.privateKey).split("\n")[1] ?? "";
  for (const said of [...arrivals.map(({ bytes }) => bytes.toString("latin1")), run.out, run.err]) {
    for (const part of [secret, passphrase, "PRIVATE KEY"]) assert.ok(!said.includes(part), "the key stays here");
  }
  const last = <T>(method: { path: string; requestDeserialize: (bytes: Buffer) => T }): T | undefined => {
    const bytes = arrivals.findLast(({ path }) => path === method.path)?.bytes;
    return bytes && method.requestDeserialize(bytes);
  };
  return {
    ...run,
    submitted: last(submitCertificate),
    replaced: last(replaceCertificate),
    asked: last(createPossessionChallenge),
  };
}

function assertProves(made: MadeCertificate, proof: PossessionProof | undefined): void {
  assert.ok(proof);
  assert.equal(proof.challenge, nonce);
  assert.ok(verifiesPossession(made.publicKey, text, proof.signature));
}

for (const [kind, made] of [
  ["ECDSA", alice],
  ["RSA", rsa],
] as const) {
  test(`a bundle's ${kind} key signs the challenge here`, async () => {
    text = textFor("alice", made);
    const bundle = bundleOf(made, plainPem(made.privateKey));
    const { code, err, asked, submitted } = await certificate(made, "submit", "alice", "--bundle", bundle, "--prove");
    assert.equal(code, 0, err);
    assert.deepEqual([asked?.member, asked?.certificatePem], ["alice", made.pem]);
    assertProves(made, submitted?.possessionProof);
  });

  test(`openssl signs the challenge elsewhere as the command says, with a key of ${kind}`, async () => {
    text = textFor("alice", made);
    const [cert, out] = [write("cert.pem", made.pem), join(service.folder, "its challenge.txt")];
    const { code, out: told } = await certificate(made, "challenge", "alice", cert, "--out", out);
    assert.equal(code, 0);
    assert.equal(readFileSync(out, "utf8"), text);
    const [, , openssl = "", , prove = ""] = told.split("\n");
    write("key.pem", plainPem(made.privateKey));
    execFileSync("sh", ["-c", openssl], { cwd: service.folder, stdio: "pipe" });
    const words = /^imagetrust certificate (prove alice \S+ --challenge \S+ --signature) '(.+)'$/.exec(prove);
    assert.ok(words?.[1] && words[2], prove);
    const proved = await certificate(made, ...words[1].split(" "), words[2]);
    assert.equal(proved.code, 0, proved.err);
    assertProves(made, proved.submitted?.possessionProof);
    if (kind === "RSA") {
      const pss = openssl.replace("-sign", "-sigopt rsa_padding_mode:pss -sign");
      execFileSync("sh", ["-c", pss], { cwd: service.folder, stdio: "pipe" });
      assertProves(made, { challenge: nonce, signature: readFileSync(words[2]) });
    }
  });
}

test("an encrypted key is opened with a passphrase from a file, or one that is asked for", async () => {
  text = textFor("alice", alice);
  const [cert, key] = [write("cert.pem", alice.pem), write("sealed.pem", sealedPem(alice.privateKey))];
  const local = ["prove", "alice", cert, "--proof-key", key];
  const file = write("passphrase", `${passphrase}\n`);
  const opened = await certificate(alice, ...local, "--passphrase-file", file);
  assert.equal(opened.code, 0, opened.err);
  assertProves(alice, opened.submitted?.possessionProof);
  const legacy = write(
    "legacy.pem",
    String(alice.privateKey.export({ type: "sec1", format: "pem", cipher: "aes-128-cbc", passphrase })),
  );
  const old = await certificate(alice, "prove", "alice", cert, "--proof-key", legacy, "--passphrase-file", file);
  assertProves(alice, old.submitted?.possessionProof);
  const wrong = await certificate(alice, ...local, "--passphrase-file", write("wrong", "battery"));
  assert.deepEqual([wrong.code, wrong.asked], [2, undefined]);
  assert.match(wrong.err, /passphrase is wrong/);
  const unasked = await certificate(alice, ...local);
  assert.deepEqual([unasked.code, unasked.asked], [2, undefined]);
  assert.match(unasked.err, /--passphrase-file/);
  const questions: string[] = [];
  const before = service.requests(submitCertificate).length;
  const code = await runCommand([...service.connection, "certificate", ...local], {
    out: () => undefined,
    err: () => undefined,
    colour: false,
    isTerminal: false,
    onInterrupt: () => () => undefined,
    input: async function* () {},
    askSecret: (question) => {
      questions.push(question);
      return Promise.resolve(passphrase);
    },
  });
  assert.deepEqual([code, questions], [0, ["Passphrase of the private key: "]]);
  assertProves(alice, service.requests(submitCertificate)[before]?.possessionProof);
});

test("nothing is signed but a challenge for this member and key", async () => {
  const bundle = bundleOf(alice, plainPem(alice.privateKey));
  const strange = [
    textFor("bob", alice),
    textFor("alice", rsa),
    `${textFor("alice", alice)}more`,
    textFor("alice", alice).replace("imagetrust", "other"),
    '{"signed":{"_type":"Targets"}}',
    "",
  ];
  for (const asked of strange) {
    text = asked;
    const { code, err, submitted } = await certificate(alice, "add", "alice", "--bundle", bundle, "--prove");
    assert.notEqual(code, 0);
    assert.match(err, /nothing was signed/);
    assert.equal(submitted, undefined);
  }
});

test("without --prove the key is neither read nor asked for, and the refusal names the remedy", async () => {
  service.answer(submitCertificate, () => {
    throw refusal(9, "POSSESSION_UNPROVEN", "Prove it (`imagetrust certificate add --prove`).");
  });
  const { code, err, asked } = await certificate(alice, "add", "alice", "--bundle", bundleOf(alice, "no key at all"));
  service.answer(submitCertificate, () => ({ certificate: undefined, outcome: undefined }));
  assert.deepEqual([code, asked], [1, undefined]);
  assert.match(err, /POSSESSION_UNPROVEN/);
  assert.match(err, /--prove/);
});

test("a replacement is proved as a submission is, and knows whose it is", async () => {
  text = textFor("alice", alice);
  const bundle = bundleOf(alice, plainPem(alice.privateKey));
  const { code, err, replaced } = await certificate(
    alice,
    "replace",
    "1b",
    "--bundle",
    bundle,
    "--prove",
    "--member",
    "alice",
  );
  assert.equal(code, 0, err);
  assertProves(alice, replaced?.possessionProof);
});

test("a command line that cannot be meant is refused before anything is sent", async () => {
  const [cert, bundle] = [write("cert.pem", alice.pem), bundleOf(alice, plainPem(rsa.privateKey))];
  for (const [told, ...args] of [
    [/not that of the certificate/, "add", "alice", "--bundle", bundle, "--prove"],
    [/--proof-key/, "add", "alice", cert, "--prove"],
    [/together/, "add", "alice", cert, "--challenge", nonce],
    [/either --prove/, "add", "alice", cert, "--challenge", nonce, "--signature", cert, "--prove"],
    [/--member/, "replace", "1b", "--bundle", bundle, "--prove"],
    [
      /holds no key\.pem/,
      "add",
      "alice",
      "--bundle",
      write("bare.zip", zipSync({ "cert.pem": Buffer.from(alice.pem) })),
      "--prove",
    ],
    [/cannot be read/, "add", "alice", cert, "--proof-key", write("junk.pem", "junk")],
  ] as const) {
    const before = service.arrivals.length;
    const { code, err } = await certificate(alice, ...args);
    assert.deepEqual([code, service.arrivals.length], [2, before], err);
    assert.match(err, told);
  }
});

test("a team's update sends what is to change and nothing else", async () => {
  const update = async (...args: readonly string[]) => {
    const run = await service.run("team", "update", "qa", ...args);
    assert.equal(run.code, 0, run.err);
    const request = service.requests(updateTeam).at(-1);
    return [request?.updateMask, request?.displayName, request?.labels, request?.requiresPossessionProof];
  };
  assert.deepEqual(await update("--require-proof"), [["requires_possession_proof"], "", {}, true]);
  assert.deepEqual(await update("--take-unproven", "--display-name", "Q"), [
    ["display_name", "requires_possession_proof"],
    "Q",
    {},
    false,
  ]);
  assert.deepEqual(await update("--label", "a=b"), [["labels"], "", { a: "b" }, false]);
  assert.deepEqual(await update("--no-labels"), [["labels"], "", {}, false]);
});
