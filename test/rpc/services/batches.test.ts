import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { PublicationState, RolloutKind } from "../../../gen/imagetrust/v1/change.ts";
import { type BatchDelegateRequest, DelegationServiceService } from "../../../gen/imagetrust/v1/delegation.ts";
import { TrustServiceService } from "../../../gen/imagetrust/v1/trust.ts";
import { until } from "../../fault/until.ts";
import type { Caller, Wish } from "./client.ts";
import { type House, openHouse } from "./house.ts";
import { bad, invalid, testRefusals } from "./refusals.ts";
import { createTeam, initialize, makeTeam, submit } from "./story.ts";

const { batchDelegate, cancelRollout, getRollout, listRollouts, watchRollout } = DelegationServiceService;
const dev = ["dtr.example.org/dev/a", "dtr.example.org/dev/b", "dtr.example.org/dev/c"] as const;
const prod = "dtr.example.org/prod/a";
const uuid = "5c5b0f0e-2a5f-4a53-8f0c-0d3c7b1e9a11";
const noWait = { noWait: true };

let house: House;
let teamChange = "";
let token = "";
let stopped: Promise<void> | undefined;
const stopOnce = (): Promise<void> => (stopped ??= house.stop());
before(async () => {
  house = await openHouse({ publishing: false });
  const { admin } = house;
  await makeTeam(admin, "qa", ["ann"]);
  await makeTeam(admin, "ops", ["oli"]);
  await createTeam(admin, "idle");
  await initialize(admin, dev[0], ["ops"]);
  await initialize(admin, dev[1]);
  await admin.send(TrustServiceService.initializeTrust, { gun: dev[2], labels: { tier: "1" }, options: noWait });
  await initialize(admin, prod, ["ops"]);
  await submit(admin, "oli");
  await submit(admin, "oli");
  const listed = await admin.send(listRollouts, { pageSize: 1 });
  teamChange = listed.rollouts[0]?.id ?? "";
  token = listed.nextPageToken;
});
after(() => stopOnce());

const many = Array.from({ length: 10_001 }, (_, at) => `dtr.example.org/dev/${at}`);
const selecting = (gunPrefix: string, team = "", labels: Readonly<Record<string, string>> = {}) => ({
  gunPrefix,
  team,
  labels,
});

testRefusals(
  () => house,
  [
    invalid("a batch of nothing", batchDelegate, { team: "qa" }, "guns", "selection"),
    invalid(
      "a list and a selection at once",
      batchDelegate,
      { team: "qa", guns: [dev[0]], selection: selecting("dtr.example.org/dev/") },
      ...["guns", "selection"],
    ),
    invalid("a selection by nothing", batchDelegate, { team: "qa", selection: selecting("") }, "selection"),
    invalid("10,001 repositories", batchDelegate, { team: "qa", guns: many }, "guns"),
    invalid(
      "everything that can be wrong with a list",
      batchDelegate,
      { team: "QA", guns: [dev[0], "x", dev[0]], paths: ["\n"], options: { etag: "x", reason: "\n" } },
      ...["team", "guns[1]", "guns[2]", "paths", "options.etag", "options.reason"],
    ),
    invalid(
      "everything that can be wrong with a selection",
      batchDelegate,
      { team: "qa", selection: selecting("DTR\u0000", "OPS", { "Not a key": "v" }) },
      ...["selection.gun_prefix", "selection.team", "selection.labels"],
    ),
    bad(
      "an unknown team and two unknown repositories",
      batchDelegate,
      { team: "none", guns: ["dtr.example.org/dev/none", dev[0], "dtr.example.org/dev/no"] },
      "NOT_FOUND",
      ...["team", "guns[0]", "guns[2]"],
    ),
    bad(
      "a selection of none",
      batchDelegate,
      { team: "qa", selection: selecting("dtr.example.org/none/") },
      "NOT_FOUND",
      "selection",
    ),
    bad("a batch for a team without a certificate", batchDelegate, { team: "idle", guns: dev }, "NO_VALID_CERTIFICATE"),
    bad(
      "a batch with paths narrower than those of releases",
      batchDelegate,
      { team: "qa", guns: dev, paths: ["1."] },
      "PATHS_NEED_EXCLUSION",
      "paths",
    ),
    bad(
      "a batch with the plan_etag of another plan",
      batchDelegate,
      { team: "qa", guns: dev, options: { planEtag: "x" } },
      "PLAN_CHANGED",
    ),
    invalid("watching a rollout under no UUID", watchRollout, { id: "x" }, "id"),
    bad("watching a rollout that is not there", watchRollout, { id: uuid }, "NOT_FOUND"),
    invalid(
      "stopping a rollout with an etag",
      cancelRollout,
      { id: "x", options: { etag: "x" } },
      "id",
      "options.etag",
    ),
    bad("stopping a rollout that is not there", cancelRollout, { id: uuid }, "NOT_FOUND"),
    invalid("rollouts of an unknown kind", listRollouts, { kind: 9 as RolloutKind }, "kind"),
    invalid("rollouts of an actor that cannot be", listRollouts, { actor: "a\u0000" }, "actor"),
    invalid("a page_token of rollouts that nobody gave", listRollouts, { pageToken: "WyJhIiwiYiJd" }, "page_token"),
  ],
);

test("stopping a change of a team is refused, whoever asks, and says what to do instead", async () => {
  const refused = await house.admin.refused(cancelRollout, { id: teamChange });
  assert.equal(refused.reason, "ROLLOUT_NOT_CANCELLABLE");
  assert.match(refused.message, /opposite change/);
});

test("rollouts are listed newest first, page by page, and by what is asked for", async () => {
  const all = (await house.viewer.send(listRollouts, {})).rollouts;
  assert.equal(all.length, 2);
  const next = await house.viewer.send(listRollouts, { pageSize: 1, pageToken: token });
  assert.deepEqual([next.rollouts[0]?.id, next.nextPageToken], [all[1]?.id, ""]);
  const other = await house.admin.refused(listRollouts, { pageToken: token, unfinished: true });
  assert.deepEqual([other.reason, other.violations[0]?.field], ["INVALID_FIELD", "page_token"]);
  const count = async (
    wish: Parameters<typeof house.viewer.send<Parameters<typeof listRollouts.requestSerialize>[0], unknown>>[1],
  ) => (await house.viewer.send(listRollouts, wish)).rollouts.length;
  assert.equal(await count({ kind: RolloutKind.CERTIFICATE_CHANGE, unfinished: true, actor: "admin" }), 2);
  assert.equal(await count({ kind: RolloutKind.BATCH }), 0);
  assert.equal(await count({ actor: "nobody" }), 0);
  assert.equal((await house.owner.refused(listRollouts, {})).reason, "NOT_PERMITTED");
});

async function start(by: Caller, wish: Wish<BatchDelegateRequest>) {
  const { outcome } = await by.send(batchDelegate, { team: "qa", ...wish, options: { noWait: true, ...wish.options } });
  return outcome ?? assert.fail("no outcome");
}

async function gunsOf(id: string): Promise<readonly string[]> {
  return (await house.viewer.send(getRollout, { id })).publications.map(({ gun }) => gun);
}

test("an owner batches its own repositories and nobody else's: one foreign repository refuses all, with a record", async () => {
  await house.freshRecords();
  const rows = await house.rows();
  const wishes: readonly Wish<BatchDelegateRequest>[] = [
    { guns: [...dev, prod] },
    { guns: [prod] },
    { selection: selecting("dtr.example.org/") },
    { selection: selecting("", "ops") },
    { selection: selecting("dtr.example.org/prod/") },
  ];
  for (const wish of wishes) {
    assert.equal((await house.owner.refused(batchDelegate, { team: "qa", ...wish })).reason, "NOT_PERMITTED");
    const [record, ...more] = await house.freshRecords();
    assert.deepEqual([record?.actor.id, record?.result.reason, more], ["owner", "NOT_PERMITTED", []]);
    assert.deepEqual([record?.authorization?.action, record?.authorization?.decision], ["BatchDelegate", "DENY"]);
  }
  assert.equal((await house.viewer.refused(batchDelegate, { team: "qa", guns: dev })).reason, "NOT_PERMITTED");
  assert.deepEqual(await house.rows(), rows);

  const { rollout, state, plan } = await start(house.owner, { selection: selecting("dtr.example.org/dev/") });
  assert.deepEqual([state, rollout?.total, rollout?.pending, plan?.collections], [PublicationState.PENDING, 3, 3, 3]);
  assert.deepEqual(await gunsOf(rollout?.id ?? ""), dev);
});

test("a batch is stopped by whoever may make it; what has not begun is CANCELLED, and stopping again changes nothing", async () => {
  const own = await start(house.owner, { guns: dev.slice(0, 2), excludeFromReleases: true });
  const foreign = await start(house.admin, { guns: [prod] });
  const [id, foreignId] = [own.rollout?.id ?? "", foreign.rollout?.id ?? ""];
  assert.equal((await house.owner.refused(cancelRollout, { id: foreignId })).reason, "NOT_PERMITTED");
  assert.equal((await house.viewer.refused(cancelRollout, { id })).reason, "NOT_PERMITTED");
  const stopped = await house.owner.send(cancelRollout, { id, options: { reason: "too soon" } });
  assert.deepEqual([stopped.rollout?.cancelled, stopped.rollout?.pending], [2, 0]);
  assert.ok(stopped.rollout?.cancelTime);
  const { publications } = await house.viewer.send(getRollout, { id, states: [PublicationState.CANCELLED] });
  assert.equal(publications.length, 2);
  assert.match(publications[0]?.detail ?? "", /stopped before its turn/);
  const again = await house.admin.send(cancelRollout, { id });
  assert.equal(again.outcome?.state, PublicationState.UNCHANGED);
  assert.match(again.outcome?.plan?.summary ?? "", /nothing left to stop/);
});

test("a later batch and a later single decision take repositories out of an earlier batch", async () => {
  const first = await start(house.admin, { guns: dev, paths: ["1."], excludeFromReleases: true });
  await start(house.admin, { guns: [dev[0]], paths: ["2."], excludeFromReleases: true });
  await house.admin.send(DelegationServiceService.undelegate, { gun: dev[1], team: "qa", options: noWait });
  const { rollout, publications } = await house.viewer.send(getRollout, { id: first.rollout?.id ?? "" });
  assert.deepEqual([rollout?.superseded, rollout?.pending], [2, 1]);
  assert.deepEqual(
    publications.map(({ state }) => state),
    [PublicationState.SUPERSEDED, PublicationState.SUPERSEDED, PublicationState.PENDING],
  );
});

test("a repeat with the same request_id answers with the same rollout and decides nothing again", async () => {
  const wish = { guns: [prod], excludeFromReleases: true, options: { requestId: randomUUID() } };
  const first = await start(house.admin, wish);
  const rows = await house.rows();
  const second = await start(house.admin, wish);
  assert.deepEqual([second.requestReplayed, second.rollout?.id], [true, first.rollout?.id]);
  assert.deepEqual(await house.rows(), rows);
});

test("repositories are selected by prefix, label and team, and all that is given must hold", async () => {
  const selected = async (selection: Wish<BatchDelegateRequest>["selection"]) => {
    const options = { validateOnly: true };
    const { outcome } = await house.admin.send(batchDelegate, { team: "qa", selection, paths: [], options });
    return [...new Set(outcome?.plan?.roles.map(({ gun }) => gun))];
  };
  assert.deepEqual(await selected(selecting("dtr.example.org/", "ops")), [dev[0], prod]);
  assert.deepEqual(await selected(selecting("dtr.example.org/dev/", "ops")), [dev[0]]);
  assert.deepEqual(await selected(selecting("", "", { tier: "1" })), [dev[2]]);
});

/** A watch of a rollout that has something pending, with its first message. */
async function openWatch(by: Caller, id: string) {
  const stream = by.stream(watchRollout, { id });
  const messages = stream[Symbol.asyncIterator]();
  const first = (await messages.next()).value as { rollout?: { pending: number } };
  assert.ok((first.rollout?.pending ?? 0) > 0);
  return { stream, messages };
}

test("a watch ends for a client that goes away, and with OK for everybody when the service shuts down", async () => {
  const { rollout } = await start(house.owner, { guns: [dev[2]], paths: ["3."], excludeFromReleases: true });
  const id = rollout?.id ?? "";
  const gone = await openWatch(house.viewer, id);
  gone.stream.cancel();
  await assert.rejects(gone.messages.next());
  await until(() => house.ended.includes("WatchRollout CANCELLED"), "the watch to end");

  const { messages } = await openWatch(house.owner, id);
  const began = Date.now();
  const stopping = stopOnce();
  assert.equal((await messages.next()).done, true, "it ends without an error");
  assert.ok(Date.now() - began < 900, "it does not wait for the grace to be over");
  await stopping;
  assert.equal(house.ended.at(-1), "WatchRollout OK");
});
