import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { getTrust } from "../../src/trust/trust-view.ts";
import { delegateTo, gunOf, type House, initialize, makeTeam, openHouse, type Replica } from "../trust/house.ts";
import { checkInvariants } from "./invariants.ts";
import { ended, spawnReplica } from "./spawn.ts";

/** The house's own replica publishes nothing here: it decides, and children publish. */
let house: House;
before(async () => {
  house = await openHouse();
  await house.core.publisher.stop();
  await makeTeam(house.core, "qa");
  await makeTeam(house.core, "ops");
});
after(() => house.stop());

/** Lets a fresh replica publish until the collection is in sync. */
async function publishBySurvivor(gun: string): Promise<void> {
  const survivor: Replica = house.another();
  try {
    await survivor.core.publisher.start();
    const collection = await house.database.row<{ id: bigint; generation: bigint }>(
      "select id, generation from collections where gun = :gun",
      { gun },
    );
    assert.ok(collection);
    const followed = await survivor.core.changing.progress.follow(
      { collection, rolloutId: undefined },
      { wait: true, deadline: Date.now() + 30_000, signal: new AbortController().signal },
    );
    assert.equal(followed.state, "PUBLISHED", followed.publications[0]?.detail);
  } finally {
    await survivor.stop();
  }
}

const steps = ["looked", "prepared", "signed", "armed", "sent", "observed", "closed"] as const;

for (const step of steps) {
  test(`a publisher killed when a first publication is ${step} leaves a change that goes live once`, async () => {
    const gun = `dtr.example.org/kill/first-${step}`;
    await initialize(house.core, gun, ["qa"], { noWait: true });
    assert.equal(await ended(spawnReplica(house, { dieAt: step })), "SIGKILL");
    await publishBySurvivor(gun);
    await checkInvariants(house, gun);
    const landed = await house.database.rows(
      "select 1 from uploads u join collections c on c.id = u.collection_id where c.gun = :gun and u.state = 'LANDED'",
      { gun },
    );
    assert.equal(landed.length, 1);
  });

  test(`a publisher killed when a delegation is ${step} leaves a change that goes live once`, async () => {
    const gun = `dtr.example.org/kill/first-${step}`;
    await delegateTo(house.core, gun, "ops", { noWait: true });
    assert.equal(await ended(spawnReplica(house, { dieAt: step })), "SIGKILL");
    await publishBySurvivor(gun);
    await checkInvariants(house, gun);
    const trust = await getTrust(house.database, gunOf(gun));
    assert.equal(trust.state, "IN_SYNC");
    assert.deepEqual(
      trust.publishedDelegations.map((role) => role.version.role),
      ["targets/releases", "targets/ops", "targets/qa"],
    );
  });
}
