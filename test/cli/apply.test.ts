import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { DelegationServiceService } from "../../gen/imagetrust/v1/delegation.ts";
import { TeamServiceService } from "../../gen/imagetrust/v1/team.ts";
import { type House, openHouse } from "../rpc/services/house.ts";
import { freshCertificate, initialize } from "../rpc/services/story.ts";
import { makeIdentity } from "../trust/identity.ts";
import { type Run, runCaptured } from "./fake-service.ts";

const { listDelegations, undelegate } = DelegationServiceService;
const nginx = "dtr.example.org/dev/nginx";
const redis = "dtr.example.org/dev/redis";
const folder = mkdtempSync(join(tmpdir(), "imagetrust-apply-"));
let house: House;
before(async () => {
  house = await openHouse({ publishing: true });
  for (const gun of [nginx, redis]) await initialize(house.admin, gun);
});
after(async () => {
  await house.stop();
  rmSync(folder, { recursive: true });
});

const run = (...args: readonly string[]): Promise<Run> => runCaptured(...house.commandLine, "--timeout", "60", ...args);

async function apply(text: string, ...more: readonly string[]): Promise<Run> {
  const file = join(folder, "trust.yaml");
  writeFileSync(file, text);
  return await run("apply", "-f", file, ...more);
}

const block = (pem: string): string => pem.trimEnd().replaceAll("\n", "\n          ");

interface Wish {
  readonly qa?: string;
  readonly ben: string;
  readonly delegations?: string;
}

/** Two teams; ann's certificate stands in the file, ben's beside it. */
function fileOf(ann: string, { ben, qa = "[ann, ben]", delegations = "" }: Wish): string {
  writeFileSync(join(folder, "ben.pem"), ben);
  return `version: 1
teams:
  - { id: qa, display_name: Quality, labels: { tier: 1 }, members: ${qa} }
  - { id: ops, members: [ben] }
members:
  - id: ann
    certificates:
      - pem: |
          ${block(ann)}
  - { id: ben, kind: robot, display_name: Builder, certificates: [{ file: ben.pem }] }
repositories:
  - gun: ${nginx}
    delegations:
      - { team: qa, paths: [rc-], exclude_from_releases: true }
      - { team: ops }${delegations}
`;
}

const ann = freshCertificate();
const ben = freshCertificate();
const whole = (): string => fileOf(ann, { ben });

/** A digest of all that calls decide; what the publisher writes meanwhile is its own. */
async function decided(): Promise<readonly string[]> {
  const rows = await house.rows();
  const tables = [
    "teams",
    "members",
    "memberships",
    "signing_keys",
    "certificates",
    "delegations",
    "requests",
    "rollouts",
  ];
  return tables.map((table) => `${table} ${rows[table]}`);
}

async function teamsOn(gun: string): Promise<readonly string[]> {
  const { delegations } = await house.admin.send(listDelegations, { gun });
  return delegations.map(({ team }) => team);
}

test("--dry-run shows the plan and changes nothing; apply makes it live; a second apply finds nothing to do", async () => {
  const before = await decided();
  const dry = await apply(whole(), "--dry-run");
  assert.equal(dry.code, 0, dry.out + dry.err);
  assert.match(dry.out, /PLANNED {2}line 3: create team qa/);
  assert.match(dry.out, /WAITS {4}line \d+: delegate .* to team qa, tags rc-, not in releases\n +NOT_FOUND/);
  assert.match(dry.out, /Nothing was changed/);
  assert.deepEqual(await decided(), before);

  const made = await apply(whole());
  assert.equal(made.code, 0, made.out + made.err);
  assert.match(made.out, /9 done; all of it is live/);
  assert.deepEqual(await teamsOn(nginx), ["ops", "qa"]);

  const held = await decided();
  const again = await apply(whole());
  assert.equal(again.code, 0, again.err);
  assert.match(again.out, /^UNCHANGED/);
  const dryAgain = await apply(whole(), "--dry-run", "--json");
  assert.deepEqual(JSON.parse(dryAgain.out), { steps: [], notes: [], unlive: [], dryRun: true });
  assert.deepEqual(await decided(), held);
});

test("every export applied is UNCHANGED, with --prune as well", async () => {
  const held = await decided();
  for (const scope of [[], ["--prefix", "dtr.example.org/dev/"], ["--team", "ops"], ["--gun", nginx], ["--json"]]) {
    const exported = await run("export", ...scope);
    assert.equal(exported.code, 0, exported.err);
    assert.match(exported.out, /nginx/);
    const applied = await apply(exported.out, "--prune");
    assert.equal(applied.code, 0, applied.out + applied.err);
    assert.match(applied.out, /^UNCHANGED/);
  }
  assert.deepEqual(await decided(), held);
  assert.match((await run("export", "--team", "ops")).out, /^ {2}- id: ops$/m);
  assert.doesNotMatch((await run("export", "--team", "ops")).out, /^ {2}- id: qa$/m);
});

test("a wish is fulfilled again after somebody undid it, and is not answered from last time", async () => {
  await house.admin.send(undelegate, { gun: nginx, team: "ops", options: { acceptOrphaned: true } });
  assert.deepEqual(await teamsOn(nginx), ["qa"]);
  const again = await apply(whole());
  assert.equal(again.code, 0, again.out + again.err);
  assert.deepEqual(await teamsOn(nginx), ["ops", "qa"]);
});

test("a private key in the file or beside it is refused before anything is sent", async () => {
  const { privateKeyPem } = await makeIdentity("careless");
  const calls = house.ended.length;
  const before = await decided();
  for (const text of [fileOf(privateKeyPem, { ben }), fileOf(ann, { ben: ben + privateKeyPem })]) {
    const { code, err, out } = await apply(text);
    assert.equal(code, 1);
    assert.match(err, /PRIVATE_KEY_PRESENTED/);
    assert.doesNotMatch(err + out, /BEGIN/);
  }
  assert.equal(house.ended.length, calls);
  assert.deepEqual(await decided(), before);
});

test("faults that only the service can tell are told with their lines, and nothing is changed", async () => {
  const before = await decided();
  const { code, err } = await apply(
    `${whole()}  - { gun: dtr.example.org/dev/none, delegations: [{ team: nobody }] }\n`,
  );
  assert.equal(code, 1);
  assert.match(err, /trust\.yaml:24: dtr\.example\.org\/dev\/none has no trust/);
  assert.deepEqual(await decided(), before);
});

test("a failure stops no other step, but nothing is taken away; applied again when mended, only what is missing is done", async () => {
  const further = `  - gun: ${redis}
    delegations: [{ team: ops }]
`;
  const eve = "  - id: eve\n    certificates: [{ file: eve.pem }]\n";
  const withEve = (pem: string): string => {
    writeFileSync(join(folder, "eve.pem"), pem);
    return fileOf(ann, { ben, qa: "[ann, eve]" }).replace("repositories:", `${eve}repositories:`) + further;
  };
  await house.admin.send(TeamServiceService.createTeam, { team: "else" });
  await house.admin.send(TeamServiceService.addMember, { team: "else", member: "owner" });
  const { certificate } = await house.admin.send(TeamServiceService.submitCertificate, {
    member: "owner",
    certificatePem: freshCertificate(),
  });
  const { code, out } = await apply(withEve(certificate?.pem ?? ""), "--prune", "--yes");
  assert.equal(code, 1);
  assert.match(out, /REFUSED {2}line \d+: submit certificate [0-9a-f]{12} for member eve\n +KEY_OWNED_BY_OTHER/);
  assert.match(out, /DONE .*delegate dtr\.example\.org\/dev\/redis to team ops/);
  assert.match(out, /LEFT .*remove member ben from team qa/);
  const mended = await apply(withEve(freshCertificate()), "--prune", "--yes");
  assert.equal(mended.code, 0, mended.out + mended.err);
  assert.match(
    mended.out,
    /^DONE .*submit certificate .* for member eve$\n^DONE .*remove member ben from team qa$\n2 done; all of it is live/m,
  );
});

test("--prune takes away what the file leaves out of what it names, after asking; without it that is only told", async () => {
  const less = `version: 1\nrepositories:\n  - { gun: ${nginx}, delegations: [{ team: ops }] }\n`;
  const told = await apply(less);
  assert.equal(told.code, 0, told.err);
  assert.match(told.out, /note: .*--prune would: end the delegation of dtr\.example\.org\/dev\/nginx to team qa/);
  const unasked = await apply(less, "--prune");
  assert.equal(unasked.code, 2);
  assert.match(unasked.err, /--yes/);
  assert.deepEqual(await teamsOn(nginx), ["ops", "qa"]);
  const dry = await apply(less, "--prune", "--dry-run");
  assert.match(dry.out, /PLANNED {2}line 3: end the delegation/);
  const pruned = await apply(less, "--prune", "--yes");
  assert.equal(pruned.code, 0, pruned.out + pruned.err);
  assert.deepEqual(await teamsOn(nginx), ["ops"]);
  assert.deepEqual(await teamsOn(redis), ["ops"], "not named, so not touched");
});
