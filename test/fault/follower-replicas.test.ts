import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type House, initialize, makeTeam, openHouse, type Replica } from "../trust/house.ts";
import type { Identity } from "../trust/identity.ts";
import { signatureRecordsOf } from "../trust/signature-records.ts";
import { pushSigned } from "../trust/signers.ts";
import { freeLeases } from "./thief.ts";
import { until } from "./until.ts";

let house: House;
before(async () => {
  house = await openHouse();
});
after(() => house.stop());

async function collectionOf(team: string): Promise<{ readonly gun: string; readonly member: Identity }> {
  const gun = `dtr.example.org/follower/${team}`;
  const [member] = await makeTeam(house.core, team);
  assert.ok(member);
  await initialize(house.core, gun, [team]);
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
    await until(async () => (await versionsTold(gun)).length >= versions.length, "all changes to be recorded");
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
