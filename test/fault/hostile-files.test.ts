import assert from "node:assert/strict";
import { after, before, beforeEach, type TestContext, test } from "node:test";
import type { Core } from "../../src/core.ts";
import { type Gun, timestampRole } from "../../src/names.ts";
import { removeFrom, revokeKeyOf, undelegateFrom } from "../trust/acts.ts";
import { delegateTo, initialize, makeTeam, type Replica } from "../trust/house.ts";
import { checkInvariants } from "./invariants.ts";
import { pushAsMember } from "./member-file.ts";
import { pushNested } from "./nested-file.ts";
import type { Deed } from "./notary-proxy.ts";
import { openProxiedHouse, type ProxiedHouse } from "./proxied-house.ts";
import { isLive, uploadStates } from "./publications.ts";
import { until } from "./until.ts";

/** Decides, and publishes nothing: each test begins its own publishers, which know of no walk before them. */
let proxied: ProxiedHouse;
let core: Core;
before(async () => {
  proxied = await openProxiedHouse();
  core = proxied.replica.core;
  await core.publisher.stop();
  for (const team of ["qa", "ops"]) await makeTeam(core, team);
});
after(() => proxied.stop());
beforeEach(() => {
  proxied.proxy.rule = () => "forward";
});

/** Starts a replica that publishes, until the test ends or it is stopped. */
async function publisher(t: TestContext): Promise<Replica> {
  const replica = proxied.another();
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= replica.stop());
  t.after(stop);
  await replica.core.publisher.start();
  return { ...replica, stop };
}

/** What was asked of a GUN's files of this role, in whatever version. */
function reads(gun: string, role: string): readonly string[] {
  const ofRole = new RegExp(`^GET (?:\\d+\\.)?${role}(?:\\.[0-9a-f]{64})?\\.json$`);
  return proxied.proxy.asked.filter((one) => one.gun === gun && ofRole.test(one.what)).map((one) => one.what);
}

/** Eighteen tags of a name of a million characters: a file longer than any that the service reads. */
const hugeTags = Array.from({ length: 18 }, (_, index) => `${index}-${"x".repeat(1_000_000)}`);

test("a delegation file of eighteen megabytes is never read, and stops neither a removal nor a revocation", async (t) => {
  const gun = "dtr.example.org/hostile/huge";
  const [mallory] = await makeTeam(core, "huge", ["huge-mallory", "huge-alice", "huge-bob"]);
  assert.ok(mallory);
  const first = await publisher(t);
  await initialize(core, gun, ["huge"]);
  await first.stop();
  const file = { gun, role: "targets/huge", version: 1, tags: hugeTags };
  assert.deepEqual(await pushAsMember(proxied.house, mallory, file), { kind: "ACCEPTED" });
  await publisher(t);
  await assert.rejects(removeFrom(core, "huge", "huge-mallory"), { reason: "GUARD_UNAVAILABLE" });
  const removed = await removeFrom(core, "huge", "huge-mallory", { acceptOrphaned: true });
  const stolen = { reason: "stolen laptop" };
  const revoked = await revokeKeyOf(core, "huge-alice", stolen, "COMPROMISED");
  const delegated = await delegateTo(core, gun, "ops");
  assert.deepEqual(
    [removed, revoked, delegated].map(({ outcome }) => outcome.state),
    ["PUBLISHED", "PUBLISHED", "PUBLISHED"],
  );
  assert.deepEqual(reads(gun, "targets/huge"), []);
  await checkInvariants(proxied.house, gun);
});

test("roles that a member delegates to further below are never read", async (t) => {
  const gun = "dtr.example.org/hostile/nested";
  const [mallory] = await makeTeam(core, "nesting", ["nesting-mallory", "nesting-alice"]);
  assert.ok(mallory);
  const first = await publisher(t);
  await initialize(core, gun, ["nesting"]);
  await first.stop();
  const nested = ["targets/nesting/one", "targets/nesting/two"];
  assert.deepEqual(await pushNested(proxied.house, mallory, { gun, role: "targets/nesting", nested }), {
    kind: "ACCEPTED",
  });
  await publisher(t);
  const { outcome } = await removeFrom(core, "nesting", "nesting-mallory");
  assert.equal(outcome.state, "PUBLISHED", outcome.publications[0]?.detail);
  assert.ok(reads(gun, "targets/nesting").length > 0, "the file that names them was read");
  for (const role of nested) assert.deepEqual(reads(gun, role), []);
  await checkInvariants(proxied.house, gun);
});

/** Notary's own timestamp with a field behind its signatures, which nobody signed. */
async function spoiltTimestamp(gun: string, version: number | undefined): Promise<Deed> {
  const notary = proxied.house.core.trust.notaries.byName("main");
  const never = new AbortController().signal;
  const bytes =
    version === undefined
      ? await notary.readCurrent(gun as Gun, timestampRole, never)
      : await notary.readVersion(gun as Gun, timestampRole, version, never);
  return bytes === undefined ? "forward" : { status: 200, body: bytes.toString().replace(/\}$/, ',"x":"\\u0000"}') };
}

test("a timestamp with a field that nobody signed and no database can hold stops nothing", async (t) => {
  const gun = "dtr.example.org/hostile/field";
  const [member] = await makeTeam(core, "fields");
  assert.ok(member);
  await publisher(t);
  await initialize(core, gun, ["fields"]);
  const pushed = await pushAsMember(proxied.house, member, { gun, role: "targets/fields", version: 1 });
  assert.deepEqual(pushed, { kind: "ACCEPTED" });
  proxied.proxy.rule = (asked) => {
    const [isTimestamp, version] = /^GET (?:(\d+)\.)?timestamp\.json$/.exec(asked.what) ?? [];
    if (asked.gun !== gun || isTimestamp === undefined) return "forward";
    return spoiltTimestamp(gun, version === undefined ? undefined : Number(version));
  };
  assert.equal((await undelegateFrom(core, gun, "qa")).outcome.state, "UNCHANGED");
  assert.match(await seenTimestamp(gun), /"x":"\\u0000"/, "it is the newest that was verified");
  const { outcome } = await delegateTo(core, gun, "ops");
  assert.equal(outcome.state, "PUBLISHED", outcome.publications[0]?.detail);
  await checkInvariants(proxied.house, gun);
});

async function seenTimestamp(gun: string): Promise<string> {
  const seen = await proxied.house.database.row<{ bytes: Buffer }>(
    `select s.bytes from seen_files s join collections c on c.id = s.collection_id
     where c.gun = :gun and s.role = 'timestamp'`,
    { gun },
  );
  return seen?.bytes.toString() ?? "";
}

const garbage = [
  { name: "a page of a proxy", body: "<html>maintenance</html>" },
  { name: "an empty answer", body: "" },
  { name: "metadata of nobody", body: '{"signed":{"_type":"Root"},"signatures":[]}' },
];

test("no answer of status 200 that is no file is evidence of an upload: each publication is one upload, and lands", async (t) => {
  await publisher(t);
  const cases = garbage.map((one, index) => ({ ...one, gun: `dtr.example.org/hostile/slot-${index}` }));
  const changes = [
    { slot: "1.root.json", make: (gun: string) => initialize(core, gun, ["qa"]) },
    { slot: "2.targets.json", make: (gun: string) => delegateTo(core, gun, "ops") },
  ];
  for (const { slot, make } of changes) {
    const spoilt = spoilOnceAfterUpload(slot, new Map(cases.map(({ gun, body }) => [gun, { status: 200, body }])));
    const told = await Promise.all(cases.map(({ gun }) => make(gun)));
    for (const [at, { outcome }] of told.entries()) assert.equal(outcome.state, "PUBLISHED", cases[at]?.name);
    assert.equal(spoilt.size, cases.length, "each was spoilt once");
  }
  for (const { gun, name } of cases) {
    await until(() => isLive(proxied.house.database, gun), "both changes to be live");
    assert.deepEqual(await uploadStates(proxied.house.database, gun), ["LANDED", "LANDED"], name);
    await checkInvariants(proxied.house, gun);
  }
});

/** Answers so the first read of a slot after each GUN's upload; those of which it did so are in the set. */
function spoilOnceAfterUpload(slot: string, deeds: ReadonlyMap<string, Deed>): ReadonlySet<string> {
  const uploaded = new Set<string>();
  const spoilt = new Set<string>();
  proxied.proxy.rule = ({ gun, what, isUpload }) => {
    const deed = deeds.get(gun);
    if (isUpload) uploaded.add(gun);
    if (deed === undefined || !uploaded.has(gun) || spoilt.has(gun) || what !== `GET ${slot}`) return "forward";
    spoilt.add(gun);
    return deed;
  };
  return spoilt;
}
