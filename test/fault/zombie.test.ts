import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { undelegate } from "../../src/trust/delegate.ts";
import type { Step } from "../../src/trust/publisher/publisher-room.ts";
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
import { isLive, recordTypes, uploadStates } from "./publications.ts";
import { kill, linesOf, spawnReplica } from "./spawn.ts";
import { freeLeases } from "./thief.ts";
import { until } from "./until.ts";

/** The house's own replica decides and publishes nothing. */
let house: House;
before(async () => {
  house = await openHouse();
  await house.core.publisher.stop();
  for (const team of ["qa", "ops", "dev"]) await makeTeam(house.core, team);
});
after(() => house.stop());

const live = (gun: string) => until(() => isLive(house.database, gun), `${gun} to be live`);

async function publishedTeams(gun: string): Promise<readonly string[]> {
  const trust = await getTrust(house.database, gunOf(gun));
  return trust.publishedDelegations.map((role) => role.version.role).sort();
}

/** A replica that stops at a step of its first turn at a collection until it is woken. */
function sleeper(at: Step): { replica: Replica; asleep: Promise<void>; wake: () => void } {
  const asleep = Promise.withResolvers<void>();
  const woken = Promise.withResolvers<void>();
  let first = true;
  const replica = house.another({
    atStep: async (step) => {
      if (step !== at || !first) return;
      first = false;
      asleep.resolve();
      await woken.promise;
    },
  });
  return { replica, asleep: asleep.promise, wake: woken.resolve };
}

const steps: readonly Step[] = ["looked", "prepared", "signed", "armed", "sent", "observed"];

for (const step of steps) {
  test(`a zombie that sleeps at ${step}, and wakes when its upload was closed by another and more was published, does no harm`, async () => {
    const gun = `dtr.example.org/zombie/${step}`;
    await initialize(house.core, gun, ["qa"], { noWait: true });
    const zombie = sleeper(step);
    await zombie.replica.core.publisher.start();
    await zombie.asleep;
    // Its lease is taken while it sleeps; its claim runs out.
    const thief = freeLeases(house);
    const survivor = house.another();
    await survivor.core.publisher.start();
    try {
      await live(gun);
      await delegateTo(house.core, gun, "ops", { noWait: true });
      await live(gun);
      await undelegate(house.core.trust, makeCall(), {
        gun: gunOf(gun),
        team: teamOf("ops"),
        options: { ...noOptions, noWait: true },
      });
      await live(gun);
      await delegateTo(house.core, gun, "dev", { noWait: true });
      zombie.wake();
      await live(gun);
    } finally {
      zombie.wake();
      // Stopping waits for the turn that was asleep.
      await zombie.replica.stop();
      await survivor.stop();
      await thief.stop();
    }
    assert.deepEqual(await publishedTeams(gun), ["targets/dev", "targets/qa", "targets/releases"]);
    const states = (await uploadStates(house.database, gun)).filter((state) => state === "LANDED");
    assert.equal(states.length, 4, "one landed publication per change");
    assert.equal((await recordTypes(house.database, gun)).includes("trust.blocked.v1"), false);
    await checkInvariants(house, gun);
  });
}

test("a process stopped between arming and sending, and continued after its change was undone, sends in vain", async () => {
  const gun = "dtr.example.org/zombie/process";
  const survivor = house.another();
  const child = spawnReplica(house, { sleepAt: "armed" });
  try {
    const hear = linesOf(child);
    await hear("ready");
    await initialize(house.core, gun, ["qa"], { noWait: true });
    await hear("armed");
    await survivor.core.publisher.start();
    await live(gun);
    await delegateTo(house.core, gun, "ops", { noWait: true });
    await live(gun);
    child.kill("SIGCONT");
    await hear("sent");
    await hear("observed");
    await delegateTo(house.core, gun, "dev", { noWait: true });
    await live(gun);
  } finally {
    await kill(child);
    await survivor.stop();
  }
  const states = await uploadStates(house.database, gun);
  assert.deepEqual(states, ["LANDED", "LANDED", "LANDED"]);
  await checkInvariants(house, gun);
});
