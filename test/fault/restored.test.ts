import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import pg from "pg";
import { removeMember } from "../../src/teams/memberships.ts";
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
  memberOf,
  noOptions,
  openHouse,
  type Replica,
  type ReplicaOptions,
  teamOf,
} from "../trust/house.ts";
import { type Dump, takeDump } from "./dump.ts";
import { checkInvariants } from "./invariants.ts";
import { pushAsMember } from "./member-file.ts";
import { delegatedOnNotary, putBack, rowsOf } from "./notary-rows.ts";
import { isLive, recordTypes, standingOf, uploadStates } from "./publications.ts";
import { until } from "./until.ts";

/** The house's own replica decides and publishes nothing; others publish, and none does while its database is put back. */
let house: House;
let notary: pg.Client;
before(async () => {
  house = await openHouse();
  await house.core.publisher.stop();
  notary = new pg.Client({ connectionString: house.notary.databaseUrl });
  await notary.connect();
  for (const team of ["qa", "ops", "late"]) await makeTeam(house.core, team);
});
after(async () => {
  await notary.end();
  await house.stop();
});

const decide = { ...noOptions, noWait: true, acceptOrphaned: true };
const undelegateOps = (gun: string) =>
  undelegate(house.core.trust, makeCall(), { gun: gunOf(gun), team: teamOf("ops"), options: decide });

/** Starts a replica that publishes, until the test ends or it is stopped. */
async function publisher(t: TestContext, options: Partial<ReplicaOptions> = {}): Promise<Replica> {
  const replica = house.another(options);
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopped ??= replica.stop());
  t.after(stop);
  await replica.core.publisher.start();
  return { ...replica, stop };
}

async function allLive(guns: readonly string[]): Promise<void> {
  for (const gun of guns) await until(() => isLive(house.database, gun), `${gun} to be live`);
}

/** The collection is blocked for good, and Notary holds what it held. */
async function staysBehind(gun: string, onNotary: Awaited<ReturnType<typeof rowsOf>>): Promise<void> {
  const { attempts } = await standingOf(house.database, gun);
  await until(async () => (await standingOf(house.database, gun)).attempts >= attempts + 2, "two more looks");
  assert.equal((await standingOf(house.database, gun)).blockReason, "DATABASE_BEHIND");
  assert.equal((await getTrust(house.database, gunOf(gun))).state, "BLOCKED");
  assert.equal((await recordTypes(house.database, gun)).includes("trust.unblocked.v1"), false);
  assert.deepEqual(await rowsOf(notary, gun), onNotary, "nothing was signed or sent on top");
}

test("a database restored from before a removal is DATABASE_BEHIND for good, and nobody is delegated again", async (t) => {
  const undelegated = "dtr.example.org/restored/undelegated";
  const removed = "dtr.example.org/restored/removed";
  const guns = [undelegated, removed];
  const [, alice] = await makeTeam(house.core, "mal", ["mallory", "alice"]);
  assert.ok(alice);
  await initialize(house.core, undelegated, ["qa", "ops"], { noWait: true });
  await initialize(house.core, removed, ["mal"], { noWait: true });
  const first = await publisher(t);
  await allLive(guns);
  await first.stop();
  const dump = await takeDump(house);
  const atDump = await rowsOf(notary, removed);
  await undelegateOps(undelegated);
  await removeMember(house.core.teams, makeCall(), { team: teamOf("mal"), member: memberOf("mallory") }, decide);
  const second = await publisher(t);
  await allLive(guns);
  await second.stop();
  const onNotary = await Promise.all(guns.map((gun) => rowsOf(notary, gun)));

  await dump.restore();
  assert.equal(
    (await getTrust(house.database, gunOf(undelegated))).desiredDelegations.length,
    2,
    "ops is wanted again",
  );
  await publisher(t, { settings: { patrolMs: 100 } });
  const isBlocked = async (gun: string) => (await standingOf(house.database, gun)).blockReason !== null;
  for (const gun of guns) {
    await until(() => isBlocked(gun), `${gun} to be blocked`);
    const { outcome } = await delegateTo(house.core, gun, "late");
    assert.deepEqual([outcome.state, outcome.publications[0]?.blockReason], ["BLOCKED", "DATABASE_BEHIND"]);
  }
  await Promise.all(guns.map((gun, index) => staysBehind(gun, onNotary[index] ?? [])));
  assert.deepEqual(await delegatedOnNotary(notary, undelegated), ["qa", "releases"]);
  const repeated = await delegateTo(house.core, undelegated, "ops");
  assert.equal(repeated.outcome.state, "BLOCKED", "what the database believes live is not called so");

  // Notary as of the dump shows what the database believes; even then only a person may say that all is well.
  await house.notary.killServer();
  await putBack(notary, removed, atDump).finally(() => house.notary.restartServer());
  await staysBehind(removed, await rowsOf(notary, removed));
  for (const version of [1, 2]) {
    const pushed = await pushAsMember(house, alice, { gun: removed, role: "targets/mal", version });
    assert.deepEqual(pushed, { kind: "ACCEPTED" });
  }
  await staysBehind(removed, await rowsOf(notary, removed));
});

/** Takes a dump when the uploads of all the collections stand at the step, while the publisher waits there. */
function dumpAt(
  step: Step,
  collections: number,
): { readonly atStep: (reached: Step) => Promise<void>; readonly dump: Promise<Dump> } {
  const taken = Promise.withResolvers<Dump>();
  let waiting = 0;
  const atStep = async (reached: Step): Promise<void> => {
    if (reached !== step || waiting >= collections) return;
    waiting += 1;
    if (waiting === collections) takeDump(house).then(taken.resolve, taken.reject);
    await taken.promise;
  };
  return { atStep, dump: taken.promise };
}

const moments = [
  { state: "PREPARED", step: "prepared" },
  { state: "READY", step: "signed" },
  { state: "SENT", step: "armed" },
] as const;

for (const { state, step } of moments) {
  test(`a database restored from a dump taken while an upload was ${state} tells what landed, and undoes nothing decided since`, async (t) => {
    const kept = `dtr.example.org/restored/${step}-kept`;
    const undone = `dtr.example.org/restored/${step}-undone`;
    const guns = [kept, undone];
    for (const gun of guns) await initialize(house.core, gun, ["qa"], { noWait: true });
    const first = await publisher(t);
    await allLive(guns);
    await first.stop();
    for (const gun of guns) await delegateTo(house.core, gun, "ops", { noWait: true });
    const { atStep, dump } = dumpAt(step, guns.length);
    const second = await publisher(t, { atStep });
    const { restore } = await dump;
    await allLive(guns);
    await undelegateOps(undone);
    await allLive(guns);
    await second.stop();
    const onNotary = await rowsOf(notary, undone);
    const ofKept = await rowsOf(notary, kept);

    await restore();
    for (const gun of guns) assert.deepEqual(await uploadStates(house.database, gun), ["LANDED", state]);
    const replica = await publisher(t);
    await until(() => isLive(house.database, kept), "the upload to be found landed");
    assert.deepEqual(await rowsOf(notary, kept), ofKept, "it was not published again");
    await checkInvariants(house, kept);
    assert.equal((await delegateTo(replica.core, kept, "late")).outcome.state, "PUBLISHED");
    await checkInvariants(house, kept);

    const { outcome } = await delegateTo(replica.core, undone, "late");
    assert.deepEqual([outcome.state, outcome.publications[0]?.blockReason], ["BLOCKED", "DATABASE_BEHIND"]);
    await staysBehind(undone, onNotary);
    assert.deepEqual(await delegatedOnNotary(notary, undone), ["qa", "releases"]);
  });
}
