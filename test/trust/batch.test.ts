import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { ChangeOptions } from "../../src/changes/options.ts";
import type { PublicationState, Rollout } from "../../src/changes/outcome.ts";
import { initializeTrust } from "../../src/trust/initialize.ts";
import { batchDelegate } from "../../src/trust/rollouts/batch-delegate.ts";
import { countBatchItems } from "../../src/trust/rollouts/batch-metrics.ts";
import { cancelRollout } from "../../src/trust/rollouts/cancel-rollout.ts";
import { getRollout, type RolloutId } from "../../src/trust/rollouts/rollout-view.ts";
import { watchRollout } from "../../src/trust/rollouts/rollout-watch.ts";
import { checkInvariants } from "../fault/invariants.ts";
import { recordTypes } from "../fault/publications.ts";
import { kill, linesOf, spawnReplica } from "../fault/spawn.ts";
import { until } from "../fault/until.ts";
import { giveKey, removeFrom, submitFor, undelegateFrom } from "./acts.ts";
import {
  delegateTo,
  gunOf,
  type House,
  initialize,
  makeCall,
  makeTeam,
  noLabels,
  noName,
  noOptions,
  openHouse,
  type Replica,
  teamOf,
} from "./house.ts";
import { makeIdentity } from "./identity.ts";
import { pushSigned } from "./signers.ts";

let house: House;
before(async () => {
  house = await openHouse();
  for (const team of ["qa", "ops"]) await makeTeam(house.core, team);
});
after(() => house.stop());

const everything = (): Promise<void> => Promise.resolve();

async function batch(by: Replica, team: string, guns: readonly string[], options: Partial<ChangeOptions> = {}) {
  const request = { of: { guns: guns.map(gunOf) }, paths: [""], excludeFromReleases: false };
  const asked = { ...request, team: teamOf(team), options: { ...noOptions, ...options } };
  return (await batchDelegate(by.core.trust, makeCall(), asked, everything)).outcome;
}

const idOf = ({ rollout }: { readonly rollout: Rollout | undefined }): RolloutId => rollout?.id as RolloutId;

async function rolloutOf(id: RolloutId, states: readonly PublicationState[] = []) {
  const { rollout, publications } = await getRollout(house.database, { id, states }, { size: 100, token: "" });
  return { rollout, publications: publications.items };
}

async function isFinished(id: RolloutId): Promise<boolean> {
  return (await rolloutOf(id)).rollout.finishedAt !== undefined;
}

/** GUNs with trust that is live. */
async function repositories(name: string, count: number): Promise<readonly string[]> {
  const guns = Array.from({ length: count }, (_, at) => `dtr.example.org/${name}/${String(at).padStart(2, "0")}`);
  for (const gun of guns) await initialize(house.core, gun, []);
  return guns;
}

/** A replica that takes calls, and neither decides batches nor publishes. */
async function withQuietHouse(work: (quiet: Replica) => Promise<void>): Promise<void> {
  await house.core.publisher.stop();
  const quiet = house.another();
  try {
    await work(quiet);
  } finally {
    await quiet.stop();
  }
}

/** Lets a replica of its own decide and publish until the rollout has finished. */
async function letRun(id: RolloutId): Promise<void> {
  const running = house.another();
  await running.core.publisher.start();
  try {
    await until(() => isFinished(id), "the rollout to finish", 40_000);
  } finally {
    await running.stop();
  }
}

test("a batch is live everywhere in the end, is UNCHANGED where it was so, and a repeat of it changes nothing", async () => {
  const guns = await repositories("batch", 4);
  await delegateTo(house.core, guns[0] ?? "", "qa");
  const outcome = await batch(house, "qa", guns);
  assert.equal(outcome.state, "PUBLISHED", JSON.stringify(outcome.publications.map(({ detail }) => detail)));
  const { rollout } = outcome;
  assert.deepEqual([rollout?.total, rollout?.published, rollout?.unchanged], [4, 3, 1]);
  assert.deepEqual([outcome.plan.collections, new Set(outcome.plan.roles.map(({ gun }) => gun)).size], [3, 3]);
  await until(() => isFinished(idOf(outcome)), "the rollout to finish");
  for (const gun of guns) {
    const types = await recordTypes(house.database, gun);
    assert.equal(types.filter((type) => type === "delegation.delegated.v1").length, 1, gun);
    await checkInvariants(house, gun);
  }
  const again = await batch(house, "qa", guns);
  assert.deepEqual([again.state, again.rollout], ["UNCHANGED", undefined]);
});

test("a preview asks the guards in bounded time, says how many it judged, and has the etag of the act", async () => {
  const guns = await repositories("judged", 3);
  const signed = guns[1] ?? "";
  await makeTeam(house.core, "back", ["back-ann"]);
  await delegateTo(house.core, signed, "back");
  await pushSigned(house.core, [await giveKey(house.core, "back-ann")], {
    gun: signed,
    role: "targets/back",
    version: 1,
    tags: ["1.0"],
  });
  await undelegateFrom(house.core, signed, "back", { acceptOrphaned: true });
  const question = await batch(house, "back", guns, { validateOnly: true });
  assert.match(question.plan.summary, /^Delegate 3 repositories .* The guards judged 3 of 3 in time/);
  const forecast = question.plan.warnings.filter(({ code }) => code === "SIGNATURES_REVIVED");
  assert.deepEqual(
    forecast.map(({ gun, role, tags }) => [gun, role, tags]),
    [[signed, "targets/back", ["1.0"]]],
  );
  const made = await batch(house, "back", guns, { planEtag: question.planEtag });
  assert.equal(made.planEtag, question.planEtag);
  await until(() => isFinished(idOf(made)), "the rollout to finish", 60_000);
  const { rollout, publications } = await rolloutOf(idOf(made), ["REFUSED"]);
  assert.deepEqual([rollout.published, rollout.refused], [2, 1]);
  assert.match(publications[0]?.detail ?? "", /^WOULD_REVIVE: /);
});

test("a watch tells progress until nothing is pending, anew for everybody who asks, and ends when its caller goes away", async () => {
  const guns = await repositories("watched", 3);
  const { rollout } = await batch(house, "ops", guns, { noWait: true });
  const id = rollout?.id as RolloutId;
  const seen: Rollout[] = [];
  const never = new AbortController().signal;
  for await (const told of watchRollout(house.database, house.core.signals, id, Date.now() + 20_000, never)) {
    seen.push(told.rollout);
  }
  assert.equal(seen.at(-1)?.published, 3);
  assert.ok(seen.every(({ published }, at) => at === 0 || published >= (seen[at - 1]?.published ?? 0)));
  const again = [];
  for await (const told of watchRollout(house.database, house.core.signals, id, Date.now() + 20_000, never))
    again.push(told);
  assert.deepEqual(
    again.map((told) => told.rollout.published),
    [3],
  );
  for await (const _ of watchRollout(
    house.database,
    house.core.signals,
    id,
    Date.now() + 20_000,
    AbortSignal.abort(),
  )) {
    assert.fail("it tells nothing to who is gone");
  }
});

test("a removal and an addition cannot be stopped, and go on", async () => {
  const [gun = ""] = await repositories("team-change", 1);
  await makeTeam(house.core, "pair", ["pair-a", "pair-b"]);
  await delegateTo(house.core, gun, "pair");
  const removal = (await removeFrom(house.core, "pair", "pair-a")).outcome;
  const addition = (await submitFor(house.core, "pair-b", await makeIdentity("pair-b"))).outcome;
  for (const [outcome, says] of [
    [removal, /removed signer/],
    [addition, /opposite change/],
  ] as const) {
    const request = { id: idOf(outcome), options: noOptions };
    await assert.rejects(
      cancelRollout(house.core.trust, makeCall(), request, everything),
      (error: Error & { reason?: string }) => error.reason === "ROLLOUT_NOT_CANCELLABLE" && says.test(error.message),
    );
    assert.equal((await rolloutOf(idOf(outcome))).rollout.published, 1);
  }
});

test("what is refused for one repository is told there and does not stop the rest; a retry does only that", async () => {
  const guns = Array.from({ length: 3 }, (_, at) => `dtr.example.org/refused/${at}`);
  for (const gun of guns) await initializeNarrow(gun);
  const narrow = { of: { guns: guns.map(gunOf) }, team: teamOf("qa"), paths: ["1."], excludeFromReleases: false };
  await withQuietHouse(async (quiet) => {
    const options = { ...noOptions, noWait: true };
    const { outcome } = await batchDelegate(quiet.core.trust, makeCall(), { ...narrow, options }, everything);
    const id = idOf(outcome);
    assert.equal((await countBatchItems(house.database)).waiting, 3);
    const paths = (value: string) =>
      house.database.run("update collections set releases_paths = :paths where gun = :gun", {
        paths: [value],
        gun: guns[1],
      });
    await paths("");
    await letRun(id);
    const { rollout, publications } = await rolloutOf(id);
    assert.deepEqual([rollout.published, rollout.refused, rollout.pending], [2, 1, 0]);
    assert.deepEqual(
      publications.map(({ state }) => state),
      ["PUBLISHED", "REFUSED", "PUBLISHED"],
    );
    assert.match(publications[1]?.detail ?? "", /^PATHS_NEED_EXCLUSION: /);
    assert.equal((await recordTypes(house.database, guns[1] ?? "")).filter(isRefusal).length, 1);
    assert.equal((await recordTypes(house.database, guns[0] ?? "")).filter(isRefusal).length, 0);
    await paths("1.");
    const retry = await batchDelegate(quiet.core.trust, makeCall(), { ...narrow, options }, everything);
    assert.deepEqual([retry.outcome.rollout?.unchanged, retry.outcome.rollout?.pending], [2, 1]);
    await letRun(idOf(retry.outcome));
  });
});

const isRefusal = (type: string): boolean => type === "delegation.refused.v1";

async function initializeNarrow(gun: string): Promise<void> {
  const settings = { displayName: noName, labels: noLabels, keyBackend: "", notary: "", releasesPaths: ["1."] };
  const request = { gun: gunOf(gun), teams: [], ...settings, options: noOptions };
  const { outcome } = await initializeTrust(house.core.trust, makeCall(), request);
  assert.equal(outcome.state, "PUBLISHED");
}

test("a batch that changes nothing still stands against one that was accepted before it and has not begun", async () => {
  const gun = "dtr.example.org/batch/00";
  await withQuietHouse(async (quiet) => {
    const narrow = { of: { guns: [gunOf(gun)] }, team: teamOf("qa"), paths: ["1."], excludeFromReleases: true };
    const options = { ...noOptions, noWait: true };
    const earlier = await batchDelegate(quiet.core.trust, makeCall(), { ...narrow, options }, everything);
    assert.equal((await batch(quiet, "qa", [gun])).state, "UNCHANGED");
    await letRun(idOf(earlier.outcome));
    assert.equal((await rolloutOf(idOf(earlier.outcome))).rollout.superseded, 1);
  });
});

test("what was stopped before it began is never decided, also by a runner that starts later", async () => {
  await withQuietHouse(async (quiet) => {
    const guns = ["dtr.example.org/batch/00", "dtr.example.org/batch/01"];
    const id = idOf(await batch(quiet, "ops", guns, { noWait: true }));
    await cancelRollout(quiet.core.trust, makeCall(), { id, options: noOptions }, everything);
    await letRun(id);
    const { rollout } = await rolloutOf(id);
    assert.deepEqual([rollout.cancelled, rollout.published, rollout.cancelledAt !== undefined], [2, 0, true]);
    const decided = await house.database.rows(
      "select 1 from delegations d join collections c on c.id = d.collection_id where c.gun = any(:guns) and d.team_id = 'ops'",
      { guns },
    );
    assert.deepEqual(decided, []);
  });
});

test("a replica that is killed in the middle leaves the rest to the next, and every repository is decided once", async () => {
  await house.core.publisher.stop();
  const helper = house.another();
  await helper.core.publisher.start();
  const guns = Array.from({ length: 12 }, (_, at) => `dtr.example.org/killed/${String(at).padStart(2, "0")}`);
  for (const gun of guns) await initialize(helper.core, gun, []);
  await helper.stop();
  await withQuietHouse(async (quiet) => {
    // Few places, so that most of the batch is still to be decided when it dies.
    const child = spawnReplica(house, { settings: { concurrency: 1 }, dieAt: "closed", dieAtTime: 5 });
    await linesOf(child)("ready");
    const id = idOf(await batch(quiet, "qa", guns, { noWait: true }));
    await until(async () => child.signalCode === "SIGKILL", "the replica to die");
    const before = (await rolloutOf(id)).rollout;
    assert.ok(before.published >= 1 && before.pending >= 5, JSON.stringify(before));
    await kill(child);
    await letRun(id);
    assert.equal((await rolloutOf(id)).rollout.published, guns.length);
    for (const gun of guns) {
      const types = await recordTypes(house.database, gun);
      assert.equal(types.filter((type) => type === "delegation.delegated.v1").length, 1, gun);
    }
    for (const gun of guns.slice(0, 8)) await checkInvariants(house, gun);
  });
});
