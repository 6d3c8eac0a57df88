import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { getDelegation } from "../../src/trust/delegation-view.ts";
import { getTrust } from "../../src/trust/trust-view.ts";
import { checkInvariants } from "../fault/invariants.ts";
import { isLive, standingOf, uploadsOf } from "../fault/publications.ts";
import { until } from "../fault/until.ts";
import { submitFor } from "./acts.ts";
import { delegateTo, gunOf, type House, initialize, joinTeam, makeTeam, openHouse, teamOf } from "./house.ts";
import { makeIdentity } from "./identity.ts";
import { keyIdOf, signersOnNotary, targetsOnNotary } from "./signers.ts";

const minute = 60_000;
const targetsLifeMs = 30 * minute;
const rootLifeMs = 120 * minute;

/**
 * The service's clock runs ahead of Notary's, so that what it writes is always still in force there; by less than a day in all, or
 * Notary would find a new root's certificate not yet valid.
 */
let aheadMs = 0;
const now = (): Date => new Date(Date.now() + aheadMs);
const pass = (ms: number): void => {
  aheadMs += ms;
};

let house: House;
before(async () => {
  const settings = { targetsLifeMs, rootLifeMs, patrolMs: 2 * minute };
  house = await openHouse({ now, settings });
  for (const team of ["qa", "ops"]) await makeTeam(house.core, team);
});
after(() => house.stop());

const kindsOf = async (gun: string): Promise<readonly string[]> =>
  (await uploadsOf(house.database, gun)).map(({ kind, state }) => `${kind} ${state}`);

interface Times {
  readonly verifiedAt: Date;
  readonly renewAt: Date;
}

async function timesOf(gun: string): Promise<Times> {
  const row = await house.database.row<Times>(
    `select verified_at as "verifiedAt", renew_at as "renewAt" from collections where gun = :gun`,
    { gun },
  );
  assert.ok(row);
  return row;
}

/** Waits until the publisher has walked the collection at the present moment. */
async function patrolled(gun: string): Promise<void> {
  const since = new Date(now().getTime() - minute);
  await until(async () => (await timesOf(gun)).verifiedAt > since, "the publisher to walk the collection");
}

test("the end of a certificate takes no key away: nothing is uploaded, and its key stays until it is revoked", async () => {
  const gun = "dtr.example.org/time/certificate";
  await makeTeam(house.core, "ends", []);
  await joinTeam(house.core, "ends", "eva");
  const eva = await makeIdentity("eva", { notAfter: new Date(now().getTime() + 5 * minute) });
  await submitFor(house.core, "eva", eva);
  await initialize(house.core, gun, ["ends"]);
  const before = await signersOnNotary(house.core, gun);
  assert.deepEqual(before, { "targets/releases": [keyIdOf(eva)], "targets/ends": [keyIdOf(eva)] });

  pass(10 * minute);
  await patrolled(gun);
  assert.deepEqual(await kindsOf(gun), ["PUBLISH LANDED"]);
  const { keys } = await getDelegation(house.database, gunOf(gun), teamOf("ends"));
  assert.deepEqual(
    keys.map((key) => key.tufKeyId),
    [keyIdOf(eva)],
  );

  assert.equal((await delegateTo(house.core, gun, "qa")).outcome.state, "PUBLISHED");
  const after = await signersOnNotary(house.core, gun);
  assert.deepEqual(after["targets/ends"], [keyIdOf(eva)], "a later publication keeps it");
  assert.ok(after["targets/releases"]?.includes(keyIdOf(eva)));
});

test("a team whose certificates have all ended is not delegated to", async () => {
  const gun = "dtr.example.org/time/ended";
  await assert.rejects(initialize(house.core, gun, ["ends"]), { reason: "NO_VALID_CERTIFICATE" });
  await initialize(house.core, gun, ["qa"]);
  await assert.rejects(delegateTo(house.core, gun, "ends"), { reason: "NO_VALID_CERTIFICATE" });
});

test("targets are renewed when a third of their life is left, with a new version and the same content", async () => {
  const gun = "dtr.example.org/time/targets";
  await initialize(house.core, gun, ["qa", "ops"]);
  const before = await targetsOnNotary(house.core, gun);
  pass(18 * minute);
  await patrolled(gun);
  assert.deepEqual(await kindsOf(gun), ["PUBLISH LANDED"], "a little more than a third is left");

  pass(3 * minute);
  await until(async () => (await kindsOf(gun)).length === 2 && (await isLive(house.database, gun)), "the renewal");
  assert.deepEqual(await kindsOf(gun), ["PUBLISH LANDED", "RENEW LANDED"]);
  const after = await targetsOnNotary(house.core, gun);
  assert.deepEqual({ ...after, expires: before.expires, version: 1 }, before);
  assert.equal(after.version, 2);
  const gainedMs = after.expires.getTime() - before.expires.getTime();
  assert.ok(Math.abs(gainedMs - 21 * minute) < minute, `${gainedMs} ms longer`);
  const { rootVersion, generation, published } = await standingOf(house.database, gun);
  assert.deepEqual([rootVersion, generation, published], [1, 1n, 1n], "a renewal decides nothing");
  await checkInvariants(house, gun);
});

test("the root is renewed as root 2 and root 3 by the same key, and clients need no other pin", async () => {
  const gun = "dtr.example.org/time/root";
  await initialize(house.core, gun, ["qa"]);
  const { rootPin } = await getTrust(house.database, gunOf(gun));
  for (const version of [2, 3]) {
    pass(81 * minute);
    const renewed = async () => (await standingOf(house.database, gun)).rootVersion === version;
    await until(async () => (await renewed()) && (await isLive(house.database, gun)), `root ${version}`);
  }
  const trust = await getTrust(house.database, gunOf(gun));
  assert.equal(trust.rootPin, rootPin);
  const root = trust.roles.find(({ version }) => version.role === "root");
  assert.equal(root?.version.version, 3);
  assert.ok((root.version.expiresAt ?? now()).getTime() > now().getTime() + rootLifeMs - minute);
  assert.deepEqual([...new Set(await kindsOf(gun))], ["PUBLISH LANDED", "RENEW LANDED"]);
  await checkInvariants(house, gun);
});

test("a decision and a renewal that are due together are one upload, and none is forgotten", async () => {
  const gun = "dtr.example.org/time/together";
  await initialize(house.core, gun, ["qa"]);
  pass(81 * minute);
  const { outcome } = await delegateTo(house.core, gun, "ops");
  assert.equal(outcome.state, "PUBLISHED", outcome.publications[0]?.detail);
  await until(async () => (await standingOf(house.database, gun)).rootVersion === 2, "the renewal of the root");
  await until(async () => (await timesOf(gun)).renewAt > now(), "nothing to be due any more");
  assert.ok("targets/ops" in (await signersOnNotary(house.core, gun)));
  await checkInvariants(house, gun);
});

test("lives that were set shorter renew a longer-lived file later, at a third of the new life", async (t) => {
  const gun = "dtr.example.org/time/shorter";
  await initialize(house.core, gun, ["qa"]);
  await house.core.publisher.stop();
  const { expires } = await targetsOnNotary(house.core, gun);
  assert.equal((await timesOf(gun)).renewAt.getTime(), expires.getTime() - 10 * minute);
  const shorter = house.another({ settings: { targetsLifeMs: 15 * minute, rootLifeMs } });
  t.after(() => shorter.stop());

  pass(21 * minute);
  await shorter.core.publisher.start();
  const planned = expires.getTime() - 5 * minute;
  await until(async () => (await timesOf(gun)).renewAt.getTime() === planned, "the renewal to be put off");
  assert.deepEqual(await kindsOf(gun), ["PUBLISH LANDED"]);

  pass(5 * minute);
  await until(async () => (await kindsOf(gun)).length === 2 && (await isLive(house.database, gun)), "the renewal");
  const renewed = await targetsOnNotary(house.core, gun);
  assert.ok(Math.abs(renewed.expires.getTime() - now().getTime() - 15 * minute) < minute);
  assert.equal((await timesOf(gun)).renewAt.getTime(), renewed.expires.getTime() - 5 * minute);
  await checkInvariants(house, gun);
});
