import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createPrivateKey } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { KeyRef, PublicationState } from "../../gen/imagetrust/v1/change.ts";
import { Delegation } from "../../gen/imagetrust/v1/delegation.ts";
import { SignatureServiceService, SignatureState, SignedTag, TagSignature } from "../../gen/imagetrust/v1/signature.ts";
import { Member, TeamServiceService } from "../../gen/imagetrust/v1/team.ts";
import { Trust, TrustServiceService } from "../../gen/imagetrust/v1/trust.ts";
import { canonicalKeyIdOf, certificateKey } from "../../src/tuf/key.ts";
import { createAuthority, type Identity, issueIdentity } from "../../src/x509/authority.ts";
import { notaryPrograms, startNotary, type TestNotary } from "../stack/notary.ts";
import { makeNotaryCli, type NotaryCli } from "../stack/notary-cli.ts";
import { borrowPostgres, type SharedPostgres } from "../stack/shared-postgres.ts";
import { type FakeService, startFakeService } from "./fake-service.ts";

const gun = "dtr.example.org/dev/nginx";
let postgres: SharedPostgres;
let notary: TestNotary;
let owner: NotaryCli;
let service: FakeService;
let alice: Identity;
let bob: Identity;

const cleanups: (() => unknown)[] = [];

before(async () => {
  postgres = await borrowPostgres();
  cleanups.unshift(() => postgres.stop());
  notary = await startNotary(postgres);
  cleanups.unshift(() => notary.stop());
  owner = await makeNotaryCli(notary);
  cleanups.unshift(() => owner.remove());
  service = await startFakeService();
  cleanups.unshift(() => service.close());
  alice = await issue("alice");
  bob = await issue("bob");
  const certificates = [alice, bob].map(({ certificatePem }, at) => {
    const file = join(owner.folder, `${at}.pem`);
    writeFileSync(file, certificatePem);
    return file;
  });
  await owner.mustRun("init", "-p", gun);
  await owner.mustRun("key", "rotate", gun, "snapshot", "-r");
  for (const role of ["targets/releases", "targets/qa"]) {
    await owner.mustRun("delegation", "add", gun, role, ...certificates, "--all-paths", "--publish");
  }
  answerAsService(readRootPin());
});

after(async () => {
  for (const cleanup of cleanups) await cleanup();
});

for (const form of ["pkcs8", "sec1", "sec1 behind EC PARAMETERS"] as const) {
  test(`a member signs by typing what is printed, with a ${form} key`, async () => {
    const tag = form.replaceAll(" ", "-").toLowerCase();
    const { page, folder } = await setUp(tag);
    writeFileSync(join(folder, "key.pem"), keyAs(form), { mode: 0o600 });
    const { stdout } = await type(page.replace("TAG=1.0", `TAG=${tag}`), folder);
    assert.match(stdout, new RegExp(`^${tag} .*targets/releases$`, "m"));
    assert.match(await owner.mustRun("list", gun, "-r", "targets/qa"), new RegExp(`^${tag} .*targets/qa$`, "m"));
  });
}

test("a member whose pin is another root's is stopped by the notary client", async () => {
  const { page, folder, configFile } = await setUp("mispinned");
  writeFileSync(join(folder, "key.pem"), keyAs("pkcs8"), { mode: 0o600 });
  const config = JSON.parse(readFileSync(configFile, "utf8"));
  config.trust_pinning.certs[gun] = ["00".repeat(32)];
  writeFileSync(configFile, JSON.stringify(config));
  await assert.rejects(type(page, folder), /trust_pinning/);
});

test("what a member who is gone has signed is trusted again once a remaining member typed what witness prints", async () => {
  const roles = ["targets/releases", "targets/qa"];
  const gone = canonicalKeyIdOf(certificateKey(alice.certificatePem));
  for (const role of roles) await owner.mustRun("delegation", "remove", gun, role, gone, "--publish");
  assert.doesNotMatch(await owner.mustRun("list", gun, ...roles.flatMap((role) => ["-r", role])), /pkcs8/);
  service.answer(SignatureServiceService.listSignedTags, () => ({
    tags: ["pkcs8", "sec1"].map((tag) => orphanedTag(tag, roles)),
    nextPageToken: "",
  }));
  service.answer(TeamServiceService.getMember, () => ({ member: Member.fromPartial({ id: "bob", teams: ["qa"] }) }));
  const { page, folder } = await setUp("witness", ["witness", gun, "--member", "bob", "--without", "sec1"]);
  assert.match(page, /# {3}pkcs8 sha256:[0-9a-f]{64} 8 bytes, first signed by alice$/m);
  assert.match(page, /# {3}sec1 .*\(left out\)$/m);
  writeFileSync(join(folder, "key.pem"), bob.privateKeyPem, { mode: 0o600 });
  await type(page, folder);
  for (const role of roles) {
    const shown = await owner.mustRun("list", gun, "-r", role);
    assert.match(shown, new RegExp(`^pkcs8 .*${role}$`, "m"));
    assert.doesNotMatch(shown, /^sec1 /m, "what was left out was never signed");
  }
});

/** A tag as the service tells it when nobody who signed it may sign any more. */
function orphanedTag(tag: string, roles: readonly string[]): SignedTag {
  const digest = `sha256:${"ab".repeat(32)}`;
  const introducedBy = [KeyRef.fromPartial({ member: "alice" })];
  const signature = { state: SignatureState.ORPHANED, digest, length: 8n, version: 1, introducedBy };
  const signatures = roles.map((role) => TagSignature.fromPartial({ ...signature, role }));
  return SignedTag.fromPartial({ gun, tag, orphaned: true, signatures });
}

/** Lets the fake service tell what the real one would: the root that Notary shows, and alice in team qa. */
function answerAsService(rootPin: string): void {
  const keys = ["alice", "bob"].map((member) => KeyRef.fromPartial({ member, canonicalKeyId: "c2".repeat(32) }));
  const qa = Delegation.fromPartial({ gun, team: "qa", paths: [""], keys, state: PublicationState.PUBLISHED });
  const trust = Trust.fromPartial({ gun, rootPin, notaryUrl: notary.url, desiredDelegations: [qa] });
  service.answer(TrustServiceService.getTrust, () => ({ trust }));
  const member = Member.fromPartial({ id: "alice", teams: ["qa"] });
  service.answer(TeamServiceService.getMember, () => ({ member }));
}

async function issue(name: string): Promise<Identity> {
  const now = new Date();
  const authority = await createAuthority("cluster", 400, now);
  return issueIdentity(authority, { name, purposes: ["client"], days: 365 }, now);
}

function readRootPin(): string {
  const root = JSON.parse(readFileSync(join(owner.trustDir, "tuf", gun, "metadata/root.json"), "utf8"));
  return root.signed.roles.root.keyids[0];
}

async function setUp(name: string, command = ["member", "setup", gun, "--member", "alice"]) {
  const folder = join(service.folder, name);
  mkdirSync(folder);
  writeFileSync(join(folder, "manifest.json"), `{"schemaVersion":2,"tag":"${name}"}`);
  const configured = join(folder, "notary client");
  const { code, out, err } = await service.run(...[...command, "--write", configured, "--notary-ca", notary.caFile]);
  assert.equal(code, 0, err);
  return { page: out, folder, configFile: join(configured, "config.json") };
}

function keyAs(form: "pkcs8" | "sec1" | "sec1 behind EC PARAMETERS"): string {
  const key = createPrivateKey(alice.privateKeyPem);
  if (form === "pkcs8") return key.export({ type: "pkcs8", format: "pem" }) as string;
  const sec1 = key.export({ type: "sec1", format: "pem" }) as string;
  const prime256v1 = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
  return form === "sec1" ? sec1 : prime256v1 + sec1;
}

/** Runs a page as a shell script, from a home of its own, with nothing but the notary command added to the path. */
function type(page: string, folder: string): Promise<{ readonly stdout: string }> {
  const env = { PATH: `${notaryPrograms}:/usr/bin:/bin`, HOME: folder, NOTARY_DELEGATION_PASSPHRASE: "passphrase" };
  return promisify(execFile)("bash", ["-euc", page], { cwd: folder, env });
}
