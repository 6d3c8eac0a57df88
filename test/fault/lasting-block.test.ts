import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import pg from "pg";
import type { RoleName } from "../../src/names.ts";
import { delegateTo, gunOf, initialize, makeTeam } from "../trust/house.ts";
import { checkInvariants } from "./invariants.ts";
import { badTargets } from "./notary-proxy.ts";
import { forgedTargets, layTargets } from "./notary-rows.ts";
import { openProxiedHouse, type ProxiedHouse } from "./proxied-house.ts";
import { isLive, recordTypes, standingOf, uploadStates } from "./publications.ts";
import { until } from "./until.ts";

let proxied: ProxiedHouse;
let notary: pg.Client;
before(async () => {
  proxied = await openProxiedHouse();
  notary = new pg.Client({ connectionString: proxied.house.notary.databaseUrl });
  await notary.connect();
  for (const team of ["qa", "ops"]) await makeTeam(proxied.replica.core, team);
});
after(async () => {
  await notary.end();
  await proxied.stop();
});
beforeEach(() => {
  proxied.proxy.rule = () => "forward";
});

/** Blocks the collection as the patrol of a replica does that found the database behind. */
async function foundBehind(gun: string): Promise<void> {
  await proxied.house.database.run(
    `update collections set block_reason = 'DATABASE_BEHIND', block_detail = 'found by a patrol', blocked_at = now(),
       attempts = 0, next_attempt_at = '-infinity', last_answer = null where gun = :gun`,
    { gun },
  );
}

/** What the last look at a blocked collection found. */
async function lastFound(gun: string): Promise<string> {
  const row = await proxied.house.database.row<{ found: string | null }>(
    "select last_answer as found from collections where gun = :gun",
    { gun },
  );
  return row?.found ?? "";
}

async function lookedAtTwice(gun: string): Promise<void> {
  const { attempts } = await standingOf(proxied.house.database, gun);
  const looks = async () => (await standingOf(proxied.house.database, gun)).attempts;
  await until(async () => (await looks()) >= attempts + 2, "two more looks");
}

const blockRecords = async (gun: string) =>
  (await recordTypes(proxied.house.database, gun)).filter((type) => /^trust\.(un)?blocked\./.test(type));

test("a database found behind stays so when a later look finds another fault, and when that is gone", async () => {
  const gun = "dtr.example.org/lasting/other-fault";
  await initialize(proxied.replica.core, gun, ["qa"]);
  await foundBehind(gun);
  await layTargets(notary, await forgedTargets(notary, gun, 1));
  await until(async () => /sign/.test(await lastFound(gun)), "the forged targets to be found");
  assert.equal((await standingOf(proxied.house.database, gun)).blockReason, "DATABASE_BEHIND");

  await notary.query("delete from tuf_files where gun = $1 and role = 'targets' and version = 2", [gun]);
  await until(async () => (await lastFound(gun)) === "found by a patrol", "a look that finds nothing else");
  await lookedAtTwice(gun);
  assert.equal((await standingOf(proxied.house.database, gun)).blockReason, "DATABASE_BEHIND");
  assert.deepEqual(await blockRecords(gun), []);
});

test("a landing of what was on its way does not end the block of a database found behind", async () => {
  const gun = "dtr.example.org/lasting/landing";
  await initialize(proxied.replica.core, gun, ["qa"]);
  let swallowed = false;
  proxied.proxy.rule = (asked) => {
    if (asked.gun !== gun) return "forward";
    if (swallowed) return "drop";
    swallowed = asked.isUpload;
    return swallowed ? "swallow" : "forward";
  };
  await delegateTo(proxied.replica.core, gun, "ops", { noWait: true });
  await until(() => swallowed, "the upload to be sent");
  await foundBehind(gun);
  proxied.proxy.rule = () => "forward";
  const newest = async () => (await uploadStates(proxied.house.database, gun)).at(-1);
  await until(async () => (await newest()) === "LANDED", "the landing to be found");
  await lookedAtTwice(gun);
  assert.equal((await standingOf(proxied.house.database, gun)).blockReason, "DATABASE_BEHIND");
  assert.deepEqual(await blockRecords(gun), []);
});

/** A collection that is blocked because Notary refuses its delegation of ops. */
async function refused(name: string): Promise<string> {
  const gun = `dtr.example.org/lasting/${name}`;
  await initialize(proxied.replica.core, gun, ["qa"]);
  proxied.proxy.rule = (asked) => (asked.gun === gun && asked.isUpload ? badTargets : "forward");
  const { outcome } = await delegateTo(proxied.replica.core, gun, "ops");
  assert.equal(outcome.publications[0]?.blockReason, "REJECTED");
  return gun;
}

test("a landing that ends a block is on record, and so is the end", async () => {
  const { house } = proxied;
  const gun = await refused("refused");
  const parts = await house.database.rows<{ role: RoleName; bytes: Buffer }>(
    `select p.role, p.envelope as bytes from upload_parts p join uploads u on u.id = p.upload_id
     join collections c on c.id = u.collection_id where c.gun = :gun and u.state = 'REJECTED'`,
    { gun },
  );
  // Somebody who slept since it was armed sends what was refused.
  await house.core.trust.notaries.byName("main").upload(gunOf(gun), parts, new AbortController().signal);
  await until(() => isLive(house.database, gun), "the collection to be live");
  assert.deepEqual(await blockRecords(gun), ["trust.blocked.v1", "trust.unblocked.v1"]);
  await checkInvariants(house, gun);
});
