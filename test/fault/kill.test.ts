import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Rollout } from "../../src/changes/outcome.ts";
import { submitCertificate } from "../../src/teams/submit-certificate.ts";
import { getRollout, parseRolloutId } from "../../src/trust/rollouts/rollout-view.ts";
import { getTrust } from "../../src/trust/trust-view.ts";
import {
  delegateTo,
  gunOf,
  type House,
  initialize,
  joinTeam,
  makeCall,
  makeTeam,
  memberOf,
  must,
  noOptions,
  openHouse,
  type Replica,
} from "../trust/house.ts";
import { makeIdentity } from "../trust/identity.ts";
import { checkInvariants } from "./invariants.ts";
import { startNotaryProxy } from "./notary-proxy.ts";
import { isLive, standingOf, uploadStates } from "./publications.ts";
import { ended, kill, spawnReplica } from "./spawn.ts";
import { lockTable } from "./table-lock.ts";
import { until } from "./until.ts";

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

test("a publisher killed while the answer to its upload is on its way leaves a change that goes live once", async (t) => {
  const proxy = await startNotaryProxy(house.notary);
  t.after(() => proxy.close());
  const gun = "dtr.example.org/kill/swallowed";
  for (const [before, change] of [initialize, delegateTo].entries()) {
    if (change === initialize) await initialize(house.core, gun, ["qa"], { noWait: true });
    else await delegateTo(house.core, gun, "ops", { noWait: true });
    const child = spawnReplica(house, { notary: proxy });
    t.after(() => kill(child));
    proxy.rule = (asked) => (asked.isUpload ? { meanwhile: () => kill(child) } : "forward");
    assert.equal(await ended(child), "SIGKILL");
    assert.equal((await standingOf(house.database, gun)).published, BigInt(before), "it never learned the answer");
    await publishBySurvivor(gun);
    await checkInvariants(house, gun);
  }
  assert.deepEqual(await uploadStates(house.database, gun), ["LANDED", "LANDED"]);
});

/** The keys of a collection, those out of use included. */
const keysOf = (gun: string) =>
  house.database.rows<{ role: string; id: string }>(
    `select k.role, k.tuf_key_id as id from collection_keys k join collections c on c.id = k.collection_id
     where c.gun = :gun order by k.role`,
    { gun },
  );

test("a publisher killed between keys and first publication leaves keys that the next one uses, and one root", async (t) => {
  const gun = "dtr.example.org/kill/keys";
  await initialize(house.core, gun, ["qa"], { noWait: true });
  // It stores its keys, and waits for the table of uploads.
  const lock = await lockTable(house.postgres.ownerUrl, "uploads", "share");
  t.after(lock.release);
  const child = spawnReplica(house);
  t.after(() => kill(child));
  await lock.met();
  const stored = await keysOf(gun);
  await kill(child);
  await lock.release();
  assert.deepEqual(
    stored.map((key) => key.role),
    ["root", "snapshot", "targets", "timestamp"],
  );
  assert.deepEqual(await uploadStates(house.database, gun), []);
  await publishBySurvivor(gun);
  assert.deepEqual(await keysOf(gun), stored, "no key was made anew");
  const trust = await getTrust(house.database, gunOf(gun));
  assert.deepEqual(
    [trust.rootPin],
    stored.filter((key) => key.role === "root").map((key) => key.id),
  );
  assert.deepEqual(await uploadStates(house.database, gun), ["LANDED"]);
  await checkInvariants(house, gun);
});

/** The rollout as GetRollout tells it. */
async function rolloutOf(id: string): Promise<Rollout> {
  const query = { id: must(parseRolloutId(id)), states: [] };
  return (await getRollout(house.database, query, { size: 50, token: "" })).rollout;
}

test("a publisher killed in the midst of a rollout leaves one that completes, each collection published once more", async (t) => {
  const guns = Array.from({ length: 12 }, (_, index) => `dtr.example.org/kill/rollout-${index}`);
  await makeTeam(house.core, "many");
  for (const gun of guns) await initialize(house.core, gun, ["many"], { noWait: true });
  const first = house.another();
  t.after(() => first.stop());
  await first.core.publisher.start();
  for (const gun of guns) await until(() => isLive(house.database, gun), `${gun} to be live`);
  await first.core.publisher.stop();

  await joinTeam(house.core, "many", "carl");
  const { certificatePem } = await makeIdentity("carl");
  const request = { member: memberOf("carl"), pem: certificatePem };
  const { outcome } = await submitCertificate(house.core.teams, makeCall(), request, { ...noOptions, noWait: true });
  const id = outcome.rollout?.id ?? assert.fail("no rollout");
  const child = spawnReplica(house, { dieAt: "closed", dieAtTime: 4, settings: { concurrency: 3 } });
  t.after(() => kill(child));
  assert.equal(await ended(child), "SIGKILL");
  const midst = await rolloutOf(id);
  assert.ok(midst.published >= 4 && midst.published <= 6, `${midst.published} published, two more at work`);
  assert.deepEqual([midst.total, midst.pending + midst.published, midst.finishedAt], [12, 12, undefined]);

  const survivor = house.another();
  t.after(() => survivor.stop());
  await survivor.core.publisher.start();
  for (const gun of guns) await until(() => isLive(house.database, gun), `${gun} to be live`);
  await until(async () => (await rolloutOf(id)).finishedAt !== undefined, "the rollout to finish");
  const { total, published, pending, blocked, superseded } = await rolloutOf(id);
  assert.deepEqual([total, published, pending, blocked, superseded], [12, 12, 0, 0, 0]);
  for (const gun of guns) {
    assert.deepEqual(await uploadStates(house.database, gun), ["LANDED", "LANDED"]);
    assert.equal((await standingOf(house.database, gun)).targetsVersion, 2);
  }
  await Promise.all(guns.map((gun) => checkInvariants(house, gun)));
});
