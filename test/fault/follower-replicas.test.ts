import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type House, initialize, makeTeam, openHouse, type Replica } from "../trust/house.ts";
import type { Identity } from "../trust/identity.ts";
import { signatureRecordsOf } from "../trust/signature-records.ts";
import { pushSigned } from "../trust/signers.ts";
import { kill, spawnReplica } from "./spawn.ts";
import { lockTable } from "./table-lock.ts";
import { freeLeases } from "./thief.ts";
import { until } from "./until.ts";

let house: House;
before(async () => {
  house = await openHouse();
});
after(() => house.stop());

async function collectionOf(
  team: string,
  { core } = house as Replica,
): Promise<{ readonly gun: string; readonly member: Identity }> {
  const gun = `dtr.example.org/follower/${team}`;
  const [member] = await makeTeam(house.core, team);
  assert.ok(member);
  await initialize(core, gun, [team]);
  return { gun, member };
}

/** The version of the role's file to which each record belongs. */
const versionsTold = async (gun: string): Promise<readonly number[]> =>
  (await signatureRecordsOf(house.database, gun)).map(({ version }) => version);

test("three replicas that all believe they follow alone record every change once, in order", async () => {
  const others: readonly Replica[] = [house.another({ follow: {} }), house.another({ follow: {} })];
  const thief = freeLeases(house);
  const { gun, member } = await collectionOf("many");
  const versions = Array.from({ length: 20 }, (_, index) => index + 1);
  try {
    house.core.follower.start();
    for (const { core } of others) {
      await core.publisher.start();
      core.follower.start();
    }
    for (const version of versions) {
      const tags = Array.from({ length: version }, (_, index) => `${index}`);
      await pushSigned(house.core, [member], { gun, role: "targets/many", version, tags });
    }
    await until(async () => (await versionsTold(gun)).length >= versions.length, "all changes to be recorded", 60_000);
  } finally {
    await thief.stop();
    for (const other of others) await other.stop();
    await house.core.follower.stop();
  }
  assert.deepEqual(await versionsTold(gun), versions);
});

test("what was signed while nobody followed is kept version by version by the next that does", async () => {
  const { gun, member } = await collectionOf("absent");
  const push = (version: number) =>
    pushSigned(house.core, [member], { gun, role: "targets/absent", version, tags: [`${version}`] });
  for (const version of [1, 2, 3]) await push(version);
  assert.deepEqual(await versionsTold(gun), []);
  await house.core.publisher.stop();
  for (const round of [1, 2]) {
    const next = house.another({ follow: { sweepMs: 3_600_000 } });
    try {
      await next.core.publisher.start();
      next.core.follower.start();
      const expected = round === 1 ? [1, 2, 2, 3, 3] : [1, 2, 2, 3, 3, 4, 4, 5, 5];
      await until(async () => (await versionsTold(gun)).join() === expected.join(), `round ${round}`);
    } finally {
      await next.stop();
    }
    for (const version of [4, 5]) if (round === 1) await push(version);
  }
});

test("a follower killed in the midst of a step, and between steps, leaves what the next one goes on with: nothing lost or twice", async (t) => {
  await house.core.publisher.stop();
  const publishing = house.another();
  t.after(() => publishing.stop());
  await publishing.core.publisher.start();
  const { gun, member } = await collectionOf("killed", publishing);
  const versions = Array.from({ length: 10 }, (_, index) => index + 1);
  for (const version of versions) {
    const tags = Array.from({ length: version }, (_, index) => `${index}`);
    await pushSigned(house.core, [member], { gun, role: "targets/killed", version, tags });
  }
  await publishing.core.publisher.stop();
  // The first dies with a step half written, the next as soon as it has taken some, the last goes on to the end.
  const lock = await lockTable(house.postgres.ownerUrl, "signatures", "share");
  t.after(lock.release);
  const first = spawnReplica(house, { follow: {} });
  t.after(() => kill(first));
  await lock.met();
  await kill(first);
  await lock.release();
  assert.deepEqual(await versionsTold(gun), [], "half a step is none");
  const next = spawnReplica(house, { follow: {} });
  t.after(() => kill(next));
  await until(async () => (await versionsTold(gun)).length > 2, "some steps to be taken", 60_000);
  await kill(next);
  const last = spawnReplica(house, { follow: {} });
  t.after(() => kill(last));
  await until(async () => (await versionsTold(gun)).length >= versions.length, "all steps to be taken", 60_000);
  assert.deepEqual(await versionsTold(gun), versions);
  const kept = await house.database.rows(
    `select f.version, (select count(*)::int from signatures s where s.from_file = f.id) as began from delegation_files f
     join collections c on c.id = f.collection_id where c.gun = :gun order by f.id`,
    { gun },
  );
  assert.deepEqual(
    kept,
    versions.map((version) => ({ version, began: 1 })),
  );
});
