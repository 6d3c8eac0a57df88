import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { KeyRef, PublicationState } from "../../gen/imagetrust/v1/change.ts";
import { Delegation } from "../../gen/imagetrust/v1/delegation.ts";
import { Member, TeamServiceService } from "../../gen/imagetrust/v1/team.ts";
import { Trust, TrustServiceService } from "../../gen/imagetrust/v1/trust.ts";
import { type FakeService, startFakeService } from "./fake-service.ts";

const gun = "dtr.example.org/dev/nginx";
const rootPin = "d8".repeat(32);
const key = KeyRef.fromPartial({ member: "alice", canonicalKeyId: "c2".repeat(32) });
const state = PublicationState.PUBLISHED;
const qa = Delegation.fromPartial({ gun, team: "qa", paths: [""], keys: [key], state });
const ops = Delegation.fromPartial({ gun, team: "ops", paths: ["v1"], excludeFromReleases: true, state });
const trust = Trust.fromPartial({
  gun,
  rootPin,
  notaryUrl: "https://notary.example.org",
  desiredDelegations: [qa, ops],
});

let service: FakeService;
beforeEach(async () => {
  service = await startFakeService();
  service.answer(TrustServiceService.getTrust, () => ({ trust }));
  service.answer(TeamServiceService.getMember, ({ member }) => ({
    member: Member.fromPartial({ id: member, teams: member === "mallory" ? ["dev"] : ["qa", "other"] }),
  }));
});
afterEach(() => service.close());

test("a member's page holds the pinned configuration, the key to import, and the member's own roles", async () => {
  const { code, out } = await service.run("member", "setup", gun, "--member", "alice");
  assert.equal(code, 0);
  const config = JSON.parse(
    out
      .split("\n")
      .filter((line) => line.startsWith("#   ") && !line.includes("docker"))
      .map((line) => line.slice(4))
      .join("\n"),
  );
  assert.deepEqual(config, {
    trust_dir: "~/.notary",
    remote_server: { url: "https://notary.example.org" },
    trust_pinning: { disable_tofu: true, certs: { [gun]: [rootPin] } },
  });
  const commands = out.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  assert.deepEqual(commands, [
    "notary key import key.pem --role delegation",
    "notary key list",
    "TAG=1.0",
    `notary add ${gun} "$TAG" manifest.json -r targets/releases -r targets/qa`,
    `notary publish ${gun}`,
    `notary list ${gun}`,
  ]);
  assert.match(out, new RegExp(`must show ${"c2".repeat(32)}`));
  assert.ok(out.includes(`addhash ${gun} "$TAG" SIZE --sha256 SHA256 -r targets/releases -r targets/qa`));
});

test("without a member every team is shown, an excluded one without releases and with its paths", async () => {
  const { out } = await service.run("member", "setup", gun);
  assert.ok(
    out.includes(`# As a member of qa:\n# notary add ${gun} "$TAG" manifest.json -r targets/releases -r targets/qa`),
  );
  assert.ok(
    out.includes(
      `# As a member of ops, tags that begin with v1:\n# notary add ${gun} "$TAG" manifest.json -r targets/ops\n`,
    ),
  );
});

test("--json gives configuration, roles and commands", async () => {
  const url = "http://127.0.0.1:4443";
  const { out } = await service.run("--json", "member", "setup", gun, "--member", "alice", "--notary-url", url);
  assert.partialDeepStrictEqual(JSON.parse(out), {
    gun,
    config: { remote_server: { url } },
    written: false,
    keyIds: ["c2".repeat(32)],
    signers: [{ who: "alice", roles: ["targets/releases", "targets/qa"], paths: [""], live: true }],
    commands: { importKey: "notary key import key.pem --role delegation" },
  });
});

test("--write keeps the pins of other repositories and brings Notary's authority along", async () => {
  const directory = join(service.folder, "alice's client");
  const ca = join(service.folder, "ca.pem");
  const args = ["--member", "alice", "--write", directory, "--notary-ca", ca];
  assert.equal((await service.run("member", "setup", gun, ...args)).code, 0);
  const second = "dtr.example.org/dev/redis";
  service.answer(TrustServiceService.getTrust, () => ({ trust: { ...trust, gun: second, rootPin: "ee".repeat(32) } }));
  const { out } = await service.run("member", "setup", second, ...args);
  assert.ok(out.includes(`notary -c '${directory.replace("'", "'\\''")}/config.json' publish ${second}`), out);
  const config = JSON.parse(readFileSync(join(directory, "config.json"), "utf8"));
  assert.deepEqual(config.trust_pinning.certs, { [gun]: [rootPin], [second]: ["ee".repeat(32)] });
  assert.equal(config.trust_dir, join(directory, "trust"));
  assert.equal(readFileSync(config.remote_server.root_ca, "utf8"), readFileSync(ca, "utf8"));
});

test("--write refuses a folder that is set up for another Notary, or for something else", async () => {
  const file = join(service.folder, "config.json");
  for (const text of ['{"remote_server":{"url":"https://other"}}', "no json"]) {
    writeFileSync(file, text);
    const { code, err } = await service.run("member", "setup", gun, "--write", service.folder);
    assert.equal(code, 2);
    assert.match(err, /another Notary/);
    assert.equal(readFileSync(file, "utf8"), text);
  }
});

test("trust that is not live yet is pending, and says how to wait", async () => {
  service.answer(TrustServiceService.getTrust, () => ({ trust: { ...trust, rootPin: "" } }));
  const { code, err } = await service.run("member", "setup", gun);
  assert.equal(code, 3);
  assert.match(err, /imagetrust trust wait/);
});

test("a member without a delegated team, or without a certificate, is told what is missing", async () => {
  const stranger = await service.run("member", "setup", gun, "--member", "mallory");
  assert.equal(stranger.code, 1);
  assert.match(stranger.err, /No team of mallory may sign/);
  const keyless = await service.run("member", "setup", gun, "--member", "bob");
  assert.equal(keyless.code, 1);
  assert.match(keyless.err, /certificate add bob/);
});

test("a service that does not tell where Notary is needs --notary-url, which must be an address", async () => {
  service.answer(TrustServiceService.getTrust, () => ({ trust: { ...trust, notaryUrl: "" } }));
  const silent = await service.run("member", "setup", gun);
  assert.equal(silent.code, 2);
  assert.match(silent.err, /--notary-url/);
  assert.equal((await service.run("member", "setup", gun, "--notary-url", "notary:4443")).code, 2);
});
