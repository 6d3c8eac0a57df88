import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import type { Step } from "../../src/trust/publisher/publisher-room.ts";
import { startPostgres, type TestPostgres } from "../stack/postgres.ts";
import { delegateTo, type House, initialize, makeTeam, openHouse, type Replica } from "../trust/house.ts";
import { checkInvariants } from "./invariants.ts";
import { isLive, recordTypes, standingOf, uploadStates } from "./publications.ts";
import { until } from "./until.ts";

/** Notary lives on the house's PostgreSQL; the service on one of its own, which dies alone. */
let house: House;
let postgres: TestPostgres;
before(async () => {
  house = await openHouse();
  await house.core.publisher.stop();
  postgres = await startPostgres();
  // The first publisher to start makes its Notary servers known.
  const first = house.another({ appUrl: postgres.appUrl });
  await first.core.publisher.start();
  await first.stop();
});
after(async () => {
  await postgres.stop();
  await house.stop();
});

/** A replica on the database that dies, until the test ends; it publishes once it is started. */
function replica(t: TestContext, atStep: (step: Step) => Promise<void> = async () => undefined): Replica {
  const opened = house.another({ appUrl: postgres.appUrl, settings: { concurrency: 2 }, atStep });
  t.after(() => opened.stop());
  return opened;
}

/** Kills PostgreSQL when the second of several publications stands at the step. */
function killAt(step: Step): { readonly atStep: (reached: Step) => Promise<void>; readonly killed: Promise<void> } {
  const killed = Promise.withResolvers<void>();
  let times = 0;
  const atStep = async (reached: Step): Promise<void> => {
    if (reached !== step) return;
    times += 1;
    if (times === 2) await postgres.kill().then(killed.resolve, killed.reject);
  };
  return { atStep, killed: killed.promise };
}

const changes = ["first publication", "delegation"] as const;
const steps: readonly Step[] = ["prepared", "armed", "sent"];

for (const step of steps) {
  test(`PostgreSQL killed when a publication is ${step} and started again loses no change, and each goes live once`, async (t) => {
    const guns = [1, 2, 3, 4].map((index) => `dtr.example.org/postgres-killed/${step}-${index}`);
    const { core, database } = replica(t);
    for (const team of ["qa", "ops"]) await makeTeam(core, `${step}-${team}`);
    for (const change of changes) {
      const decide = (gun: string) =>
        change === "delegation"
          ? delegateTo(core, gun, `${step}-ops`, { noWait: true })
          : initialize(core, gun, [`${step}-qa`], { noWait: true });
      for (const gun of guns) assert.equal((await decide(gun)).outcome.state, "PENDING");
      const { atStep, killed } = killAt(step);
      const publishing = replica(t, atStep);
      await publishing.core.publisher.start();
      await killed;
      await postgres.restart();
      for (const gun of guns) await until(() => isLive(database, gun), `the ${change} of ${gun} to go live by itself`);
      await publishing.core.publisher.stop();
    }
    for (const gun of guns) {
      assert.equal((await standingOf(database, gun)).published, 2n);
      assert.deepEqual(await uploadStates(database, gun), ["LANDED", "LANDED"]);
      const types = await recordTypes(database, gun);
      const count = (type: string): number => types.filter((one) => one === type).length;
      assert.deepEqual(
        [count("delegation.delegated.v1"), count("publication.landed.v1")],
        [1, 2],
        "no record was lost",
      );
      await checkInvariants({ ...house, database }, gun);
    }
  });
}
