import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import { checkInvariants } from "../fault/invariants.ts";
import { badTargets, type Deed } from "../fault/notary-proxy.ts";
import { openProxiedHouse, type ProxiedHouse } from "../fault/proxied-house.ts";
import { isLive, standingOf, uploadsOf } from "../fault/publications.ts";
import { until } from "../fault/until.ts";
import { giveKey } from "./acts.ts";
import { createGate } from "./gate.ts";
import { delegateTo, initialize, joinTeam, makeTeam } from "./house.ts";

let proxied: ProxiedHouse;
const gate = createGate();
before(async () => {
  // One collection at a time: fewer than are broken.
  proxied = await openProxiedHouse({ atStep: gate.atStep, settings: { concurrency: 1 } });
  for (const team of ["qa", "ops", "wide"]) await makeTeam(proxied.replica.core, team);
});
after(() => proxied.stop());

/** Answers uploads so until the test ends or this is mended; counts them. */
function breakUploads(t: TestContext, deeds: ReadonlyMap<string, Deed>) {
  const counts = new Map([...deeds.keys()].map((gun) => [gun, 0]));
  const mend = (): void => {
    proxied.proxy.rule = () => "forward";
  };
  t.after(mend);
  proxied.proxy.rule = ({ gun, isUpload }) => {
    const deed = deeds.get(gun);
    if (!isUpload || deed === undefined) return "forward";
    counts.set(gun, (counts.get(gun) ?? 0) + 1);
    return deed;
  };
  return { mend, count: (gun: string) => counts.get(gun) ?? 0 };
}

const isBlocked = async (gun: string): Promise<boolean> =>
  (await standingOf(proxied.house.database, gun)).blockReason !== null;

test("collections whose every upload Notary fails at or refuses delay no other, and go live when they can", async (t) => {
  const { house, replica } = proxied;
  const healthy = ["dtr.example.org/fair/one", "dtr.example.org/fair/two"];
  const [failing, refused] = ["dtr.example.org/fair/failing", "dtr.example.org/fair/refused"];
  for (const gun of healthy) await initialize(replica.core, gun, ["wide"]);
  for (const gun of [failing, refused]) await initialize(replica.core, gun, ["qa"]);
  await joinTeam(replica.core, "wide", "newcomer");
  const broken = new Map<string, Deed>([
    [failing, { status: 500, body: "" }],
    [refused, badTargets],
  ]);
  const { mend, count } = breakUploads(t, broken);
  for (const gun of broken.keys()) await delegateTo(replica.core, gun, "ops", { noWait: true });
  await until(() => count(failing) > 0 && count(refused) > 0, "both to have been tried");

  for (const gun of healthy) {
    const { outcome } = await delegateTo(replica.core, gun, "ops");
    assert.equal(outcome.state, "PUBLISHED", outcome.publications[0]?.detail);
  }
  await giveKey(replica.core, "newcomer", { noWait: true });
  for (const gun of healthy) await until(() => isLive(house.database, gun), "the team's change to go live");
  const tried = count(failing);
  await until(() => count(failing) > tried, "the failing one to be tried again");
  await until(() => isBlocked(refused), "the refusal to be final");
  assert.equal((await standingOf(house.database, failing)).blockReason, null, "a failure is no refusal");

  mend();
  await delegateTo(replica.core, refused, "wide", { noWait: true });
  for (const gun of [...broken.keys(), ...healthy]) {
    await until(() => isLive(house.database, gun), `${gun} to be live`);
  }
  await checkInvariants(house, failing);
});

test("callers who wait on one collection while it is published share the next upload", async (t) => {
  const { house, replica } = proxied;
  const gun = "dtr.example.org/fair/shared";
  await initialize(replica.core, gun, ["qa"]);
  const teams = ["shared-1", "shared-2", "shared-3", "shared-4"];
  for (const team of teams) await makeTeam(replica.core, team);

  t.after(gate.open);
  const armed = gate.close("armed");
  const first = delegateTo(replica.core, gun, "ops");
  await armed();
  const others = teams.map((team) => delegateTo(replica.core, gun, team));
  const decided = 2n + BigInt(teams.length);
  await until(async () => (await standingOf(house.database, gun)).generation === decided, "all to be decided");
  gate.open();
  const states = (await Promise.all([first, ...others])).map(({ outcome }) => outcome.state);
  assert.deepEqual(new Set(states), new Set(["PUBLISHED"]));
  const uploads = await uploadsOf(house.database, gun);
  const spans = uploads.map(({ fromGeneration, toGeneration }) => [fromGeneration, toGeneration]);
  const expected = [
    [0n, 1n],
    [1n, 2n],
    [2n, decided],
  ];
  assert.deepEqual(spans, expected, "the first change waited for nobody");
  await checkInvariants(house, gun);
});
