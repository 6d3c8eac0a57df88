import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import pg from "pg";
import { delegateTo, type House, initialize, makeTeam, openHouse } from "../trust/house.ts";
import { checkInvariants } from "./invariants.ts";
import { forgedTargets, layTargets } from "./notary-rows.ts";
import { isLive, recordTypes, standingOf, uploadStates } from "./publications.ts";
import { lockTable, type TableLock } from "./table-lock.ts";
import { until } from "./until.ts";

let house: House;
let notary: pg.Client;
/** What happens between arming and sending, once. */
let beforeSending: (() => Promise<void>) | undefined;

before(async () => {
  house = await openHouse({
    atStep: async (step) => {
      if (step !== "armed" || beforeSending === undefined) return;
      const deed = beforeSending;
      beforeSending = undefined;
      await deed();
    },
  });
  notary = new pg.Client({ connectionString: house.notary.databaseUrl });
  await notary.connect();
  for (const team of ["qa", "ops"]) await makeTeam(house.core, team);
});
after(async () => {
  await notary.end();
  await house.stop();
});

test("a restart of Notary starts a walk that finds what was changed long before the next patrol", async () => {
  const gun = "dtr.example.org/notary-killed/walk";
  assert.equal((await initialize(house.core, gun, ["qa"])).outcome.state, "PUBLISHED");
  await house.notary.killServer();
  await layTargets(notary, await forgedTargets(notary, gun));
  await house.notary.restartServer();
  const blocked = async () => (await standingOf(house.database, gun)).blockReason !== null;
  await until(blocked, "the walk after the restart", 30_000);
  assert.equal((await standingOf(house.database, gun)).blockReason, "FOREIGN_CHANGE");
});

/**
 * What of Notary dies, and where its upload hangs then: an upload reads the table first, has the signer sign, and writes the
 * table last, so a lock against readers stops it before it is signed and one against writers when all is ready to be stored.
 */
const deaths = [
  { who: "notary-server", hangsAt: "share", victims: ["Server"] },
  { who: "notary-signer", hangsAt: "access exclusive", victims: ["Signer"] },
  { who: "all of Notary", hangsAt: "access exclusive", victims: ["Server", "Signer"] },
] as const;

for (const [index, { who, hangsAt, victims }] of deaths.entries()) {
  test(`${who} killed in the middle of an upload and started again leaves a change that goes live by itself, once`, async (t) => {
    const gun = `dtr.example.org/notary-killed/${index}`;
    const changes = [() => initialize(house.core, gun, ["qa"]), () => delegateTo(house.core, gun, "ops")];
    for (const [before, change] of changes.entries()) {
      const hanging = Promise.withResolvers<TableLock>();
      beforeSending = () =>
        lockTable(house.notary.databaseUrl, "tuf_files", hangsAt).then(hanging.resolve, hanging.reject);
      const told = change();
      const lock = await hanging.promise;
      t.after(lock.release);
      await lock.met();
      for (const victim of victims) await house.notary[`kill${victim}`]();
      await lock.release();
      await until(async () => (await standingOf(house.database, gun)).attempts > 0, "the publisher to have noticed");
      assert.equal((await standingOf(house.database, gun)).published, BigInt(before), "nothing is called live");
      for (const victim of victims) await house.notary[`restart${victim}`]();

      assert.equal((await told).outcome.state, "PUBLISHED", (await told).outcome.publications[0]?.detail);
      await until(() => isLive(house.database, gun), "the change to be live");
    }
    assert.deepEqual(await uploadStates(house.database, gun), ["LANDED", "LANDED"]);
    const landed = (await recordTypes(house.database, gun)).filter((type) => type === "publication.landed.v1");
    assert.equal(landed.length, 2, "one landed record a change");
    await checkInvariants(house, gun);
  });
}
