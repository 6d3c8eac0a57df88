import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import { appendRecord } from "../../src/audit/append.ts";
import type { BlockReason } from "../../src/changes/outcome.ts";
import { createLogger } from "../../src/logger.ts";
import { targetsRole } from "../../src/names.ts";
import { block } from "../../src/trust/publisher/block.ts";
import { createPublisherMetrics } from "../../src/trust/publisher/publisher-metrics.ts";
import type { Step } from "../../src/trust/publisher/publisher-room.ts";
import { checkInvariants } from "../fault/invariants.ts";
import { isLive, standingOf, uploadStates } from "../fault/publications.ts";
import { until } from "../fault/until.ts";
import { createGate } from "./gate.ts";
import { delegateTo, gunOf, type House, initialize, makeTeam, openHouse, testSettings } from "./house.ts";
import { publicationRecords } from "./records.ts";

let house: House;
const gate = createGate();
const { signal } = new AbortController();
before(async () => {
  house = await openHouse({ atStep: gate.atStep });
  for (const team of ["qa", "ops"]) await makeTeam(house.core, team);
});
after(() => house.stop());

/** Blocks a collection as another replica's look would. */
async function blockFromElsewhere(gun: string, reason: BlockReason): Promise<void> {
  const room = {
    database: house.database,
    append: appendRecord,
    notaries: house.core.trust.notaries,
    backends: new Map(),
    signals: house.core.signals,
    log: createLogger("silent"),
    now: () => new Date(),
    owner: "00000000-0000-4000-8000-000000000000",
    settings: testSettings,
    metrics: createPublisherMetrics(),
    atStep: () => undefined,
  };
  const { id } = await standingOf(house.database, gun);
  await block(room, id, reason, "Notary showed something else for a moment", signal);
}

/** Makes the change, blocks the collection when its upload has come to the step, and waits until the change is live all the same. */
async function blockedAt(t: TestContext, step: Step, gun: string, change: () => Promise<unknown>, reason: BlockReason) {
  t.after(gate.open);
  const reached = gate.close(step);
  await change();
  await reached();
  await blockFromElsewhere(gun, reason);
  const states = await uploadStates(house.database, gun);
  gate.open();
  await until(() => isLive(house.database, gun), "the change to go live after the block has ended");
  return states;
}

/** The record of the one upload that was cancelled. */
async function cancelledRecord(gun: string) {
  const records = await publicationRecords(house.database, gun);
  const cancelled = records.filter(({ type }) => type === "publication.cancelled.v1");
  assert.equal(cancelled.length, 1);
  return cancelled[0];
}

/** Hex SHA-256 of what was signed for the GUN's cancelled upload. */
async function signedSha256(gun: string): Promise<string | undefined> {
  const row = await house.database.row<{ sha256: string }>(
    `select encode(sha256(p.envelope), 'hex') as sha256 from upload_parts p join uploads u on u.id = p.upload_id
     join collections c on c.id = u.collection_id where c.gun = :gun and u.state = 'CANCELLED' and p.role = 'targets'`,
    { gun },
  );
  return row?.sha256;
}

const readTargets = (gun: string, version: number) =>
  house.core.trust.notaries.byName("main").readVersion(gunOf(gun), targetsRole, version, signal);

test("an upload that a block meets when it is signed is cancelled as signed, never sent, and its version stays unused", async (t) => {
  const gun = "dtr.example.org/unsent/signed";
  await initialize(house.core, gun, ["qa"]);
  const change = () => delegateTo(house.core, gun, "ops", { noWait: true });
  assert.deepEqual(await blockedAt(t, "signed", gun, change, "ROLLBACK"), ["LANDED", "CANCELLED"]);
  const record = await cancelledRecord(gun);
  assert.match(record?.detail ?? "", /^signed, never sent\b/);
  assert.equal(record?.signed, true);
  const sha256 = await signedSha256(gun);
  assert.match(sha256 ?? "", /^[0-9a-f]{64}$/);
  assert.deepEqual(record?.files, { "2.targets": sha256 });
  assert.equal(await readTargets(gun, 2), undefined, "not a byte of it was sent");
  assert.equal((await standingOf(house.database, gun)).targetsVersion, 3);
  await checkInvariants(house, gun);
});

test("an upload that a block meets before it is signed is cancelled as never signed, and its version is free", async (t) => {
  const gun = "dtr.example.org/unsent/prepared";
  await initialize(house.core, gun, ["qa"]);
  const change = () => delegateTo(house.core, gun, "ops", { noWait: true });
  assert.deepEqual(await blockedAt(t, "prepared", gun, change, "ROLLBACK"), ["LANDED", "CANCELLED"]);
  const record = await cancelledRecord(gun);
  assert.match(record?.detail ?? "", /^never signed\b/);
  assert.equal(record?.signed, false);
  assert.deepEqual(record?.files, { "2.targets": "" });
  assert.equal((await standingOf(house.database, gun)).targetsVersion, 2);
  await checkInvariants(house, gun);
});

test("a first publication cancelled when it was signed begins with root 1 again", async (t) => {
  const gun = "dtr.example.org/unsent/first";
  const change = () => initialize(house.core, gun, ["qa"], { noWait: true });
  assert.deepEqual(await blockedAt(t, "signed", gun, change, "FOREIGN_TRUST"), ["CANCELLED"]);
  const record = await cancelledRecord(gun);
  assert.match(record?.detail ?? "", /^signed, never sent\b/);
  assert.deepEqual(new Set(Object.keys(record?.files ?? {})), new Set(["1.root", "1.targets"]));
  const { rootVersion, targetsVersion } = await standingOf(house.database, gun);
  assert.deepEqual([rootVersion, targetsVersion], [1, 2]);
  await checkInvariants(house, gun);
});

test("an upload that a block meets when it is armed is never cancelled: its bytes may have left", async (t) => {
  const gun = "dtr.example.org/unsent/armed";
  await initialize(house.core, gun, ["qa"]);
  const change = () => delegateTo(house.core, gun, "ops", { noWait: true });
  assert.deepEqual(await blockedAt(t, "armed", gun, change, "ROLLBACK"), ["LANDED", "SENT"]);
  assert.deepEqual(await uploadStates(house.database, gun), ["LANDED", "LANDED"]);
  await checkInvariants(house, gun);
});
