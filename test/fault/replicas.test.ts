import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { undelegate } from "../../src/trust/delegate.ts";
import { getTrust } from "../../src/trust/trust-view.ts";
import {
  delegateTo,
  gunOf,
  type House,
  initialize,
  makeCall,
  makeTeam,
  noOptions,
  openHouse,
  type Replica,
  teamOf,
} from "../trust/house.ts";
import { checkInvariants } from "./invariants.ts";
import { isLive, recordTypes, uploadsOf } from "./publications.ts";
import { kill, linesOf, spawnReplica } from "./spawn.ts";
import { freeLeases } from "./thief.ts";
import { until } from "./until.ts";

let house: House;
before(async () => {
  house = await openHouse();
  for (const team of ["qa", "ops", "dev", "sec"]) await makeTeam(house.core, team);
});
after(() => house.stop());

const quick = { ...noOptions, noWait: true };
const undelegateFrom = (by: Replica, gun: string, team: string) =>
  undelegate(by.core.trust, makeCall(), { gun: gunOf(gun), team: teamOf(team), options: quick });

test("four replicas that all believe they publish alone land every change once, in order", async () => {
  const others = [house.another(), house.another()];
  const child = spawnReplica(house);
  const thief = freeLeases(house);
  const guns = Array.from({ length: 5 }, (_, index) => `dtr.example.org/replicas/many-${index}`);
  const changes = new Map<string, number>();
  try {
    await linesOf(child)("ready");
    for (const other of others) await other.core.publisher.start();
    await Promise.all(
      guns.map(async (gun, index) => {
        const replicas = [house, ...others];
        const next = (step: number): Replica => replicas[(index + step) % replicas.length] ?? house;
        await initialize(next(0).core, gun, ["qa"], { noWait: true });
        let made = 1;
        for (let round = 0; round < 3; round++) {
          await delegateTo(next(made++).core, gun, "ops", { noWait: true });
          // Some wait until they are told, so that not all changes of a GUN share an upload.
          const told = await delegateTo(next(made++).core, gun, "dev");
          assert.match(told.outcome.state, /^(PUBLISHED|UNCHANGED)$/, told.outcome.publications[0]?.detail);
          await undelegateFrom(next(made++), gun, round % 2 === 0 ? "ops" : "dev");
        }
        await delegateTo(next(made++).core, gun, "sec", { noWait: true });
        changes.set(gun, made);
      }),
    );
    for (const gun of guns) await until(() => isLive(house.database, gun), `${gun} to be live`, 40_000);
  } finally {
    await thief.stop();
    for (const other of others) await other.stop();
    await kill(child);
  }
  for (const gun of guns) {
    const landed = (await uploadsOf(house.database, gun)).filter((upload) => upload.state === "LANDED");
    assert.ok(landed.length <= (changes.get(gun) ?? 0), "never more publications than changes");
    // Each landed upload takes the generation further than the one before: no change was published twice.
    const generations = landed.map((upload) => upload.toGeneration);
    assert.deepEqual(generations, [...new Set(generations)].sort(byValue));
    assert.equal((await recordTypes(house.database, gun)).includes("trust.blocked.v1"), false, "no false alarm");
    const trust = await getTrust(house.database, gunOf(gun));
    const teams = trust.publishedDelegations.map((role) => role.version.role);
    assert.deepEqual(teams, ["targets/releases", "targets/dev", "targets/qa", "targets/sec"]);
    await checkInvariants(house, gun);
  }
});

const byValue = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

test("a lease stolen in the middle of an upload costs nothing, and the next change waits for its end at most", async () => {
  const gun = "dtr.example.org/replicas/stolen";
  let stolen = false;
  const robbed = house.another({
    atStep: async (step) => {
      if (step !== "armed" || stolen) return;
      stolen = true;
      await house.database.run(
        "update notary_servers set lease_owner = :nobody, lease_until = clock_timestamp() + interval '1 second'",
        { nobody: randomUUID() },
      );
    },
  });
  await house.core.publisher.stop();
  await robbed.core.publisher.start();
  try {
    assert.equal((await initialize(robbed.core, gun, ["qa"])).outcome.state, "PUBLISHED");
    assert.equal(stolen, true);
    const { outcome } = await delegateTo(robbed.core, gun, "ops");
    assert.equal(outcome.state, "PUBLISHED", outcome.publications[0]?.detail);
    await checkInvariants(house, gun);
    assert.equal((await uploadsOf(house.database, gun)).length, 2);
  } finally {
    await robbed.stop();
  }
});
