import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { settleTeams } from "../../src/trust/rollouts/rollout-store.ts";
import { removeFrom } from "../trust/acts.ts";
import { type House, initialize, makeTeam, openHouse } from "../trust/house.ts";
import { checkInvariants } from "./invariants.ts";
import { isLive } from "./publications.ts";
import { lockTable } from "./table-lock.ts";
import { until } from "./until.ts";

let house: House;
before(async () => {
  house = await openHouse();
});
after(() => house.stop());

const revisionsOf = (team: string) =>
  house.database.row<{ revision: bigint; settled: bigint; published: bigint }>(
    `select t.revision, t.settled_revision as settled, min(d.published_revision) as published
     from teams t join delegations d on d.team_id = t.id and d.valid_to is null where t.id = :team group by t.id`,
    { team },
  );

/** Whether somebody who settles teams waits for somebody else's transaction. */
async function settlingWaits(): Promise<boolean> {
  const waiting = await house.database.row(
    "select 1 from pg_stat_activity where query like 'update teams%' and wait_event_type = 'Lock'",
  );
  return waiting !== undefined;
}

test("a removal that commits while teams are settled is not taken for published, and goes live", async (t) => {
  const gun = "dtr.example.org/settle/removal";
  await makeTeam(house.core, "settling", ["settling-leaver", "settling-colleague"]);
  await initialize(house.core, gun, ["settling"]);
  await house.core.publisher.stop();
  // As in the half second after its last change went live.
  await house.database.run("update teams set settled_revision = 0 where id = 'settling'");
  const rollouts = await lockTable(house.postgres.ownerUrl, "rollouts", "share");
  t.after(rollouts.release);
  const removal = removeFrom(house.core, "settling", "settling-leaver", { noWait: true });
  await rollouts.met();
  const settling = settleTeams(house.database, new Date());
  await until(settlingWaits, "the settling to meet the removal");
  await rollouts.release();
  assert.equal((await removal).outcome.state, "PENDING");
  await settling;
  const after = await revisionsOf("settling");
  assert.ok(after !== undefined && after.published < after.revision, "the removal is not published");
  assert.ok(after.settled <= after.published, `${after.settled} is settled, ${after.published} published`);

  const publishing = house.another();
  t.after(() => publishing.stop());
  await publishing.core.publisher.start();
  await until(() => isLive(house.database, gun), "the removal to go live");
  const settled = async (): Promise<boolean> => {
    const row = await revisionsOf("settling");
    return row !== undefined && row.settled === row.revision && row.published === row.revision;
  };
  await until(settled, "the team to be settled");
  await checkInvariants(house, gun);
});
