import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import type { Outcome } from "../../src/changes/outcome.ts";
import { checkInvariants } from "../fault/invariants.ts";
import { isLive, standingOf, uploadStates } from "../fault/publications.ts";
import { until } from "../fault/until.ts";
import { removeFrom, submitFor, undelegateFrom } from "./acts.ts";
import { createGate } from "./gate.ts";
import { delegateTo, type House, initialize, joinTeam, makeCall, makeTeam, openHouse } from "./house.ts";
import { makeIdentity } from "./identity.ts";
import { publicationRecords } from "./records.ts";
import { keyIdOf, signersOnNotary } from "./signers.ts";

let house: House;
const gate = createGate();
before(async () => {
  house = await openHouse({ atStep: gate.atStep });
  for (const team of ["qa", "ops", "dev"]) await makeTeam(house.core, team);
});
after(() => house.stop());

type Told = Promise<{ readonly outcome: Outcome }>;

/** Makes changes of a live collection one after another, all of them before its publisher computes the next upload. */
async function together(t: TestContext, gun: string, changes: readonly (() => Told)[]): Promise<readonly Outcome[]> {
  t.after(gate.open);
  const looked = gate.close("looked");
  const told: Told[] = [];
  for (const change of changes) {
    const before = await decidedSoFar(gun);
    told.push(change());
    await until(async () => (await decidedSoFar(gun)) > before, "the change to be decided");
    await looked();
  }
  gate.open();
  return (await Promise.all(told)).map(({ outcome }) => outcome);
}

/** Counts what was decided of a collection and of its teams. */
async function decidedSoFar(gun: string): Promise<bigint> {
  const row = await house.database.row<{ decided: bigint }>(
    `select (c.generation + (select sum(revision) from teams))::bigint as decided from collections c where gun = :gun`,
    { gun },
  );
  return row?.decided ?? 0n;
}

async function begin(name: string, teams: readonly string[] = ["qa"]): Promise<string> {
  const gun = `dtr.example.org/superseded/${name}`;
  assert.equal((await initialize(house.core, gun, teams)).outcome.state, "PUBLISHED");
  return gun;
}

/** What an outcome says of its one collection, as far as being undone goes. */
function undoing({ state, publications: [publication] }: Outcome) {
  return [state, publication?.state, publication?.supersededByGeneration];
}

test("a delegation ended before its upload is told by which change, and the rest of that upload is live", async (t) => {
  const gun = await begin("ended");
  const [delegated, ended, other] = await together(t, gun, [
    () => delegateTo(house.core, gun, "ops"),
    () => undelegateFrom(house.core, gun, "ops"),
    () => delegateTo(house.core, gun, "dev"),
  ]);
  assert.ok(delegated && ended && other);
  assert.deepEqual(undoing(delegated), ["SUPERSEDED", "SUPERSEDED", 3n]);
  assert.match(delegated.publications[0]?.detail ?? "", /later change/);
  assert.deepEqual(undoing(ended), ["PUBLISHED", "PUBLISHED", 0n]);
  assert.deepEqual(undoing(other), ["PUBLISHED", "PUBLISHED", 0n]);
  const roles = Object.keys(await signersOnNotary(house.core, gun));
  assert.deepEqual(new Set(roles), new Set(["targets/dev", "targets/qa", "targets/releases"]));
  assert.deepEqual(await uploadStates(house.database, gun), ["LANDED", "LANDED"]);
  await checkInvariants(house, gun);
});

test("an end of a delegation taken back before its upload is told so, and the team never lost its role", async (t) => {
  const gun = await begin("taken-back", ["qa", "ops"]);
  const [ended, delegated] = await together(t, gun, [
    () => undelegateFrom(house.core, gun, "ops"),
    () => delegateTo(house.core, gun, "ops"),
  ]);
  assert.ok(ended && delegated);
  assert.deepEqual(undoing(ended), ["SUPERSEDED", "SUPERSEDED", 3n]);
  assert.deepEqual(undoing(delegated), ["PUBLISHED", "PUBLISHED", 0n]);
  assert.ok("targets/ops" in (await signersOnNotary(house.core, gun)));
});

test("a delegation given anew without releases before its upload is superseded by the later one", async (t) => {
  const gun = await begin("anew");
  const [included, excluded] = await together(t, gun, [
    () => delegateTo(house.core, gun, "ops"),
    () => delegateTo(house.core, gun, "ops", {}, makeCall(), true),
  ]);
  assert.ok(included && excluded);
  assert.deepEqual(undoing(included), ["SUPERSEDED", "SUPERSEDED", 3n]);
  assert.deepEqual(undoing(excluded), ["PUBLISHED", "PUBLISHED", 0n]);
  const { "targets/ops": ops = [], "targets/releases": releases = [] } = await signersOnNotary(house.core, gun);
  assert.equal(ops.length, 1);
  assert.equal(releases.includes(ops[0] ?? ""), false);
});

test("what leaves the published content as it is needs no upload, only a record of the decisions", async (t) => {
  const gun = await begin("nothing");
  const [delegated, ended] = await together(t, gun, [
    () => delegateTo(house.core, gun, "ops"),
    () => undelegateFrom(house.core, gun, "ops"),
  ]);
  assert.ok(delegated && ended);
  assert.deepEqual(undoing(delegated), ["SUPERSEDED", "SUPERSEDED", 3n]);
  assert.deepEqual(undoing(ended), ["PUBLISHED", "PUBLISHED", 0n]);
  assert.deepEqual(await uploadStates(house.database, gun), ["LANDED"]);
  const { published, targetsVersion } = await standingOf(house.database, gun);
  assert.deepEqual([published, targetsVersion], [3n, 1]);
  const record = (await publicationRecords(house.database, gun)).at(-1);
  assert.deepEqual(record, {
    type: "publication.no_change.v1",
    signed: false,
    detail: "",
    fromGeneration: "1",
    toGeneration: "3",
    files: {},
  });
});

test("a key added to a team that is undelegated before the upload is superseded on that collection", async (t) => {
  await makeTeam(house.core, "leaving");
  const gun = await begin("rollout", ["qa", "leaving"]);
  await joinTeam(house.core, "leaving", "olga");
  const [added, ended] = await together(t, gun, [
    async () => submitFor(house.core, "olga", await makeIdentity("olga")),
    () => undelegateFrom(house.core, gun, "leaving"),
  ]);
  assert.ok(added && ended);
  assert.equal(ended.state, "PUBLISHED");
  assert.equal(added.state, "SUPERSEDED");
  const { rollout, publications } = added;
  assert.deepEqual([rollout?.total, rollout?.superseded, rollout?.published], [1, 1, 0]);
  assert.deepEqual(
    publications.map(({ gun: of, state }) => [of, state]),
    [[gun, "SUPERSEDED"]],
  );
});

test("a key added to a team and taken away before the upload is superseded, and never stood on Notary", async (t) => {
  await makeTeam(house.core, "brief");
  const gun = await begin("member", ["brief"]);
  await joinTeam(house.core, "brief", "dan");
  const identity = await makeIdentity("dan");
  const [added, removed] = await together(t, gun, [
    () => submitFor(house.core, "dan", identity),
    () => removeFrom(house.core, "brief", "dan"),
  ]);
  assert.ok(added && removed);
  assert.equal(removed.state, "PUBLISHED");
  assert.equal(added.state, "SUPERSEDED");
  const [publication] = added.publications;
  assert.equal(publication?.supersededByGeneration, 0n, "no generation undid it");
  assert.match(publication?.detail ?? "", /later change/);
  assert.match(publication?.detail ?? "", /\bbrief\b/, "the detail names the team that changed");
  for (const keys of Object.values(await signersOnNotary(house.core, gun))) {
    assert.equal(keys.includes(keyIdOf(identity)), false);
  }
});

const repeatable = (requestId: string) => makeCall({ requestId, requestDigest: "ab".repeat(32) });

test("a delegation that was live stays PUBLISHED for its caller after it was ended", async () => {
  const gun = await begin("was-live");
  const call = repeatable("delegate-ops");
  assert.equal((await delegateTo(house.core, gun, "ops", {}, call)).outcome.state, "PUBLISHED");
  assert.equal((await undelegateFrom(house.core, gun, "ops")).outcome.state, "PUBLISHED");
  const { outcome } = await delegateTo(house.core, gun, "ops", {}, call);
  assert.equal(outcome.requestReplayed, true);
  assert.deepEqual(undoing(outcome), ["PUBLISHED", "PUBLISHED", 0n]);
});

test("an end of a delegation that was live stays PUBLISHED for its caller after it was given again", async () => {
  const gun = await begin("was-gone", ["qa", "ops"]);
  const call = repeatable("undelegate-ops");
  assert.equal((await undelegateFrom(house.core, gun, "ops", {}, call)).outcome.state, "PUBLISHED");
  assert.equal((await delegateTo(house.core, gun, "ops")).outcome.state, "PUBLISHED");
  const { outcome } = await undelegateFrom(house.core, gun, "ops", {}, call);
  assert.equal(outcome.requestReplayed, true);
  assert.deepEqual(undoing(outcome), ["PUBLISHED", "PUBLISHED", 0n]);
});

test("a key that was live stays PUBLISHED for its caller after it was taken away", async () => {
  await makeTeam(house.core, "lasting");
  await begin("key-was-live", ["lasting"]);
  await joinTeam(house.core, "lasting", "omar");
  const identity = await makeIdentity("omar");
  const call = repeatable("submit-omar");
  assert.equal((await submitFor(house.core, "omar", identity, {}, call)).outcome.state, "PUBLISHED");
  assert.equal((await removeFrom(house.core, "lasting", "omar")).outcome.state, "PUBLISHED");
  const { outcome } = await submitFor(house.core, "omar", identity, {}, call);
  assert.equal(outcome.requestReplayed, true);
  assert.equal(outcome.state, "PUBLISHED");
});

test("a second change of a team in the same upload supersedes nothing that it leaves as it is", async (t) => {
  await makeTeam(house.core, "growing");
  const gun = await begin("kept", ["growing"]);
  for (const member of ["quin", "quito"]) await joinTeam(house.core, "growing", member);
  const [first, second] = await together(t, gun, [
    async () => submitFor(house.core, "quin", await makeIdentity("quin")),
    async () => submitFor(house.core, "quito", await makeIdentity("quito")),
  ]);
  assert.deepEqual([first?.state, second?.state], ["PUBLISHED", "PUBLISHED"]);
  await until(() => isLive(house.database, gun), "everything to be live");
  await checkInvariants(house, gun);
});
