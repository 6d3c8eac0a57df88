import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import pg from "pg";
import { delegateTo, type House, initialize, makeCall, makeTeam, openHouse } from "../trust/house.ts";
import type { Identity } from "../trust/identity.ts";
import { checkInvariants } from "./invariants.ts";
import { pushAsMember } from "./member-file.ts";
import { isLive, recordTypes, standingOf, uploadsOf } from "./publications.ts";
import { until } from "./until.ts";

let house: House;
let notary: pg.Client;
let member: Identity | undefined;
/** Holds the publisher between arming and sending while it is set. */
let beforeSending: ((collection: bigint) => Promise<void>) | undefined;

before(async () => {
  house = await openHouse({
    atStep: async (step, collection) => {
      if (step === "armed") await beforeSending?.(collection);
    },
  });
  notary = new pg.Client({ connectionString: house.notary.databaseUrl });
  await notary.connect();
  [member] = await makeTeam(house.core, "qa");
  await makeTeam(house.core, "ops");
});
after(async () => {
  await notary.end();
  await house.stop();
});

/** What is left when notary-server loses a timestamp row: a newest snapshot that no timestamp names. */
async function orphanSnapshot(gun: string): Promise<void> {
  const { rowCount } = await notary.query(
    `insert into tuf_files(created_at, updated_at, gun, role, version, data, sha256)
     select now(), now(), gun, role, version + 1, data, repeat('ab', 32) from tuf_files
     where gun = $1 and role = 'snapshot' order by version desc limit 1`,
    [gun],
  );
  assert.equal(rowCount, 1);
}

const removeOrphan = (gun: string) =>
  notary.query("delete from tuf_files where gun = $1 and role = 'snapshot' and sha256 = repeat('ab', 32)", [gun]);

async function becomesWedgedAndHeals(gun: string, wedge: () => Promise<void>): Promise<void> {
  await initialize(house.core, gun, ["qa"]);
  const before = (await uploadsOf(house.database, gun)).length;
  beforeSending = async () => {
    beforeSending = undefined;
    await wedge();
  };
  const { outcome } = await delegateTo(house.core, gun, "ops");
  assert.equal(outcome.state, "BLOCKED", outcome.publications[0]?.detail);
  assert.equal(outcome.publications[0]?.blockReason, "SNAPSHOT_WEDGED");
  const [sent] = (await uploadsOf(house.database, gun)).slice(before);
  assert.equal(sent?.state, "SENT", "what was sent may land yet");
  assert.equal((await standingOf(house.database, gun)).targetsVersion, 1);

  await removeOrphan(gun);
  await until(() => isLive(house.database, gun), "the change to go live by itself");
  await checkInvariants(house, gun);
  const told = (await recordTypes(house.database, gun)).filter((type) => type.startsWith("trust."));
  assert.deepEqual(told, ["trust.initialized.v1", "trust.blocked.v1", "trust.unblocked.v1"]);
}

test("a snapshot that no timestamp names wedges the collection, and its repair lets the change go live", async () => {
  const gun = "dtr.example.org/wedged/plain";
  await becomesWedgedAndHeals(gun, () => orphanSnapshot(gun));
});

test("a wedge behind a member's push is found as well", async () => {
  const gun = "dtr.example.org/wedged/behind-push";
  await becomesWedgedAndHeals(gun, async () => {
    assert.ok(member);
    const pushed = await pushAsMember(house, member, { gun, role: "targets/qa", version: 1, tags: ["1.0"] });
    assert.equal(pushed.kind, "ACCEPTED");
    await orphanSnapshot(gun);
  });
});

test("an upload that landed behind forty pushes of members is found, and nothing is called unreadable", async () => {
  const gun = "dtr.example.org/wedged/many-pushes";
  await initialize(house.core, gun, ["qa"]);
  beforeSending = async () => {
    beforeSending = undefined;
    for (let version = 1; version <= 40; version++) {
      assert.ok(member);
      const pushed = await pushAsMember(house, member, { gun, role: "targets/qa", version });
      assert.equal(pushed.kind, "ACCEPTED");
    }
  };
  const { outcome } = await delegateTo(house.core, gun, "ops", {}, makeCall({ deadline: Date.now() + 30_000 }));
  assert.equal(outcome.state, "PUBLISHED", outcome.publications[0]?.detail);
  await checkInvariants(house, gun);
});
