import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import type { Outcome, Rollout } from "../../src/changes/outcome.ts";
import type { Core } from "../../src/core.ts";
import { deleteTrust } from "../../src/trust/delete-trust.ts";
import { getRollout, type RolloutId } from "../../src/trust/rollouts/rollout-view.ts";
import { removeFrom, submitFor, undelegateFrom } from "../trust/acts.ts";
import { delegateTo, gunOf, initialize, joinTeam, makeCall, makeTeam, noOptions } from "../trust/house.ts";
import { makeIdentity } from "../trust/identity.ts";
import { checkInvariants } from "./invariants.ts";
import { openProxiedHouse, type ProxiedHouse } from "./proxied-house.ts";
import { isLive } from "./publications.ts";
import { until } from "./until.ts";

const minuteMs = 60_000;
const markerGun = "dtr.example.org/truth/marker";

let proxied: ProxiedHouse;
let core: Core;
before(async () => {
  proxied = await openProxiedHouse();
  core = proxied.replica.core;
  for (const team of ["qa", "ops", "marker"]) await makeTeam(core, team);
  await initialize(core, markerGun, ["marker"]);
});
after(() => proxied.stop());
beforeEach(() => {
  proxied.proxy.rule = () => "forward";
});

/** Lets no upload of the GUN through. */
function holdUploads(gun: string): void {
  proxied.proxy.rule = (asked) => (asked.gun === gun && asked.isUpload ? "drop" : "forward");
}

async function rolloutOf({ rollout }: Outcome): Promise<Rollout> {
  assert.ok(rollout, "the change has a rollout");
  const query = { id: rollout.id as RolloutId, states: [] };
  return (await getRollout(proxied.house.database, query, { size: 10, token: "" })).rollout;
}

const isFinished = async (outcome: Outcome): Promise<boolean> => (await rolloutOf(outcome)).finishedAt !== undefined;

/** Waits until a rollout that began after all others has finished: whatever else was to finish, has. */
async function laterRolloutFinished(): Promise<void> {
  await joinTeam(core, "marker", "marker-newcomer");
  const { outcome } = await submitFor(core, "marker-newcomer", await makeIdentity("marker-newcomer"));
  await until(() => isFinished(outcome), "a later rollout to finish");
}

/** How many of the keys that Notary holds for the team's own role are live. */
async function liveKeys(gun: string, team: string): Promise<number> {
  const rows = await proxied.house.database.rows(
    `select 1 from live_keys k join collections c on c.id = k.collection_id
     where c.gun = :gun and k.role = 'targets/' || :team and k.live_to is null`,
    { gun, team },
  );
  return rows.length;
}

test("a removal is pending for as long as the removed key is live, also after the whole delegation was ended", async () => {
  const gun = "dtr.example.org/truth/ended";
  await makeTeam(core, "ending", ["ending-leaver", "ending-colleague"]);
  await initialize(core, gun, ["ending"]);
  // The publisher reaches nothing of it, so that both changes come into one upload; those who decide reach Notary past the proxy.
  proxied.proxy.rule = (asked) => (asked.gun === gun ? "drop" : "forward");
  const { outcome } = await removeFrom(proxied.house.core, "ending", "ending-leaver", { noWait: true });
  await undelegateFrom(proxied.house.core, gun, "ending", { noWait: true });
  await laterRolloutFinished();
  const { pending, superseded, published, finishedAt } = await rolloutOf(outcome);
  assert.equal(await liveKeys(gun, "ending"), 2, "both keys are live still");
  assert.deepEqual(
    { pending, superseded, published, finishedAt },
    { ...counts({ pending: 1 }), finishedAt: undefined },
  );

  proxied.proxy.rule = () => "forward";
  await until(() => isFinished(outcome), "the rollout to finish");
  assert.equal((await rolloutOf(outcome)).pending, 0);
  assert.equal(await liveKeys(gun, "ending"), 0);
  await checkInvariants(proxied.house, gun);
});

function counts(some: Partial<Pick<Rollout, "pending" | "superseded" | "published">>) {
  return { pending: 0, superseded: 0, published: 0, ...some };
}

test("a rollout holds what was delegated when it was decided, though it was by a replica whose clock is ahead", async (t) => {
  const [held, ended] = ["dtr.example.org/truth/clock-held", "dtr.example.org/truth/clock-ended"];
  await makeTeam(core, "clock", ["clock-leaver", "clock-colleague"]);
  const ahead = proxied.another({ now: () => new Date(Date.now() + minuteMs) });
  t.after(() => ahead.stop());
  for (const gun of [held, ended]) await initialize(ahead.core, gun, ["clock"]);
  await undelegateFrom(ahead.core, ended, "clock");
  holdUploads(held);
  const { outcome } = await removeFrom(core, "clock", "clock-leaver", { noWait: true });
  assert.deepEqual([outcome.state, outcome.rollout?.total, outcome.rollout?.pending], ["PENDING", 1, 1]);
  assert.deepEqual(
    outcome.publications.map(({ gun, state }) => [gun, state]),
    [[held, "PENDING"]],
  );
  proxied.proxy.rule = () => "forward";
  await until(() => isFinished(outcome), "the rollout to finish");
  assert.equal((await rolloutOf(outcome)).published, 1);
  assert.equal(await liveKeys(held, "clock"), 1);
  await checkInvariants(proxied.house, held);
});

test("a removal does not wait for a repository that was delegated to the team after it", async (t) => {
  const [held, later] = ["dtr.example.org/truth/held", "dtr.example.org/truth/later"];
  await makeTeam(core, "growing", ["growing-leaver", "growing-colleague"]);
  await initialize(core, held, ["growing"]);
  await initialize(core, later, ["qa"]);
  const released = Promise.withResolvers<void>();
  t.after(() => released.resolve());
  let sent = false;
  proxied.proxy.rule = async (asked) => {
    if (asked.gun === later && asked.isUpload) return "drop";
    if (asked.gun !== held || !asked.isUpload) return "forward";
    sent = true;
    await released.promise;
    return "forward";
  };
  const deadline = Date.now() + 16_000;
  const removal = removeFrom(core, "growing", "growing-leaver", {}, makeCall({ deadline }));
  await until(() => sent, "the removal to be sent");
  await delegateTo(core, later, "growing", { noWait: true });
  released.resolve();
  const { outcome } = await removal;
  assert.ok(Date.now() < deadline - 5_000, "it answered long before it had to");
  assert.deepEqual([outcome.state, outcome.rollout?.total, outcome.rollout?.published], ["PUBLISHED", 1, 1]);
  await until(() => isFinished(outcome), "the rollout to finish");
  assert.equal(await isLive(proxied.house.database, later), false, "the later delegation is not live yet");
});

test("what was asked of trust that never landed and was deleted is superseded, and stays so in the GUN's next life", async () => {
  const gun = "dtr.example.org/truth/deleted";
  const asked = (requestId: string) =>
    initialize(core, gun, [], { noWait: true }, makeCall({ requestId, requestDigest: "ab".repeat(32) }));
  const stateOf = ({ outcome: { state, requestReplayed, publications } }: Awaited<ReturnType<typeof asked>>) => [
    state,
    requestReplayed,
    publications[0]?.state,
  ];
  proxied.proxy.rule = (one) => (one.gun === gun && /key$/.test(one.what) ? "drop" : "forward");
  assert.deepEqual(stateOf(await asked("first-life")), ["PENDING", false, "PENDING"]);
  await deleteTrust(core.trust, makeCall(), { gun: gunOf(gun), options: noOptions });
  assert.deepEqual(stateOf(await asked("first-life")), ["SUPERSEDED", true, "SUPERSEDED"]);

  proxied.proxy.rule = () => "forward";
  await asked("second-life");
  await until(() => isLive(proxied.house.database, gun), "the second life to be live");
  assert.deepEqual(stateOf(await asked("second-life")), ["PUBLISHED", true, "PUBLISHED"]);
  assert.deepEqual(stateOf(await asked("first-life")), ["SUPERSEDED", true, "SUPERSEDED"]);
});

test("a repeat of a delegation that is live is unchanged while another team's is pending, and a repeat of that is pending", async () => {
  const gun = "dtr.example.org/truth/repeat";
  await initialize(core, gun, ["qa"]);
  holdUploads(gun);
  const again = async (team: string) => (await delegateTo(core, gun, team, { noWait: true })).outcome.state;
  assert.equal(await again("ops"), "PENDING");
  assert.equal(await again("qa"), "UNCHANGED");
  assert.equal(await again("ops"), "PENDING");
});

test("a key that was live is PUBLISHED although clocks differ", async (t) => {
  const gun = "dtr.example.org/truth/clock-state";
  await makeTeam(core, "tick");
  await initialize(core, gun, ["tick"]);
  await joinTeam(core, "tick", "tick-b");
  const other = proxied.another({ now: () => new Date(Date.now() + minuteMs) });
  t.after(() => other.stop());
  const { outcome } = await submitFor(other.core, "tick-b", await makeIdentity("tick-b"));
  assert.equal(outcome.state, "PUBLISHED");
  assert.equal((await removeFrom(core, "tick", "tick-b")).outcome.state, "PUBLISHED");
  const { pending, superseded, published } = await rolloutOf(outcome);
  assert.deepEqual({ pending, superseded, published }, { pending: 0, superseded: 0, published: 1 });
});
