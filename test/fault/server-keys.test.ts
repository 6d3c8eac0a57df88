import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { makeSigner } from "../notary/collection.ts";
import { runStatements } from "../stack/postgres.ts";
import { delegateTo, initialize, makeTeam } from "../trust/house.ts";
import { checkInvariants } from "./invariants.ts";
import { openProxiedHouse, type ProxiedHouse } from "./proxied-house.ts";
import { isLive, uploadStates } from "./publications.ts";
import { until } from "./until.ts";

let proxied: ProxiedHouse;
before(async () => {
  proxied = await openProxiedHouse();
  for (const team of ["qa", "ops"]) await makeTeam(proxied.replica.core, team);
});
after(() => proxied.stop());

/** Makes the database fail the first time that an upload is about to be closed as refused; counts how often it was about to be. */
async function failFirstRefusal(): Promise<{ readonly refusals: () => Promise<number> }> {
  await runStatements(proxied.house.postgres.ownerUrl, [
    "create sequence refusals",
    `create function fail_once() returns trigger language plpgsql security definer as $$ begin
       if new.state = 'REJECTED' and nextval('refusals') = 1 then raise exception 'the database failed'; end if;
       return new;
     end $$`,
    "create trigger fail_once before update on uploads for each row execute function fail_once()",
    "grant select on refusals to imagetrust_app",
  ]);
  const counted = "select case when is_called then last_value else 0 end as count from refusals";
  return { refusals: async () => Number((await proxied.house.database.row<{ count: bigint }>(counted))?.count) };
}

/** A server key that Notary does not have. */
const strangeKey = (): string =>
  JSON.stringify({ keytype: "ecdsa", keyval: { private: null, public: makeSigner().key.public.toString("base64") } });

test("the first publication goes live although the database failed between storing new server keys and closing the refused upload", async () => {
  const { house, proxy, replica } = proxied;
  const gun = "dtr.example.org/server-keys/fault";
  const { refusals } = await failFirstRefusal();
  let keysGiven = 0;
  proxy.rule = ({ what, ...asked }) =>
    asked.gun === gun && what.endsWith(".key") && keysGiven++ < 2 ? { status: 200, body: strangeKey() } : "forward";
  await initialize(replica.core, gun, ["qa"], { noWait: true });
  await until(async () => (await refusals()) > 0, "the database to fail");
  await until(() => isLive(house.database, gun), "the first publication to go live", 10_000);
  assert.ok(keysGiven > 2, "the keys were fetched again");
  assert.deepEqual(await uploadStates(house.database, gun), ["REJECTED", "LANDED"]);
  assert.equal((await delegateTo(replica.core, gun, "ops")).outcome.state, "PUBLISHED");
  await checkInvariants(house, gun);
});
