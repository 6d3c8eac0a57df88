import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import pg from "pg";
import type { BlockReason } from "../../src/changes/outcome.ts";
import { getTrust } from "../../src/trust/trust-view.ts";
import { delegateTo, gunOf, type House, initialize, makeTeam, openHouse } from "../trust/house.ts";
import { copyTrust, forgedTargets, layTargets, ownFiles, putBack, rowsOf } from "./notary-rows.ts";
import { isLive, recordTypes, standingOf, uploadsOf } from "./publications.ts";
import { until } from "./until.ts";

let house: House;
let notary: pg.Client;
before(async () => {
  house = await openHouse({ settings: { patrolMs: 200 } });
  notary = new pg.Client({ connectionString: house.notary.databaseUrl });
  await notary.connect();
  for (const team of ["qa", "ops", "late"]) await makeTeam(house.core, team);
});
after(async () => {
  await notary.end();
  await house.stop();
});

interface Case {
  readonly name: string;
  /** The one state that the protocol names for it. */
  readonly reason: BlockReason;
  readonly tamper: (gun: string) => Promise<unknown>;
}

/** Says by SQL what becomes of a GUN's rows, in one statement, so that no walk sees half of it. */
const byStatement = (sql: string) => (gun: string) => notary.query(sql, [gun]);
const newest = "t.version = (select max(version) from tuf_files n where n.gun = t.gun and n.role = t.role)";

const cases: readonly Case[] = [
  {
    name: "targets, snapshot and timestamp of the first publication given a version above the newest",
    reason: "ROLLBACK",
    tamper: byStatement("update tuf_files set version = 3 where gun = $1 and version = 1 and role <> 'root'"),
  },
  {
    name: "older targets laid over the newest",
    reason: "ROLLBACK",
    tamper: byStatement(
      `update tuf_files t set data = old.data, sha256 = old.sha256 from tuf_files old
       where t.gun = $1 and t.role = 'targets' and ${newest} and old.gun = t.gun and old.role = t.role and old.version = 1`,
    ),
  },
  {
    name: "the rows of the newest publication deleted",
    reason: "ROLLBACK",
    tamper: byStatement(`delete from tuf_files t where gun = $1 and ${newest} and role <> 'root'`),
  },
  {
    name: "the newest timestamp deleted",
    reason: "ROLLBACK",
    tamper: byStatement(`delete from tuf_files t where gun = $1 and role = 'timestamp' and ${newest}`),
  },
  {
    name: "every timestamp deleted",
    reason: "ROLLBACK",
    tamper: byStatement("delete from tuf_files where gun = $1 and role = 'timestamp'"),
  },
  {
    name: "targets swapped for a file of the same version that another key signed",
    reason: "FOREIGN_CHANGE",
    tamper: async (gun) => layTargets(notary, await forgedTargets(notary, gun)),
  },
  {
    name: "a newer targets file with a delegation key that we did not put there",
    reason: "BAD_SIGNATURE",
    tamper: async (gun) => layTargets(notary, await forgedTargets(notary, gun, 1)),
  },
  {
    name: "the newest targets row deleted",
    reason: "VANISHED",
    tamper: byStatement(`delete from tuf_files t where gun = $1 and role = 'targets' and ${newest}`),
  },
  {
    name: "the whole GUN vanished",
    reason: "VANISHED",
    tamper: byStatement("delete from tuf_files where gun = $1"),
  },
];

/** With a cold cache no look before the server's next start sees the deeds, and the server has forgotten what it served. */
async function doing(cache: "warm" | "cold", deeds: () => Promise<unknown>): Promise<void> {
  if (cache === "cold") await house.notary.killServer();
  try {
    await deeds();
  } finally {
    if (cache === "cold") await house.notary.restartServer();
  }
}

async function isNamed(gun: string, reason: BlockReason): Promise<void> {
  // A walk in whose midst the rows changed may have seen neither state: the look after it counts.
  await until(async () => {
    const { blockReason, attempts } = await standingOf(house.database, gun);
    return blockReason !== null && attempts > 0;
  }, "the collection to be blocked and looked at again");
  assert.equal((await standingOf(house.database, gun)).blockReason, reason);
  const tampered = ownFiles(await rowsOf(notary, gun));
  const told = await delegateTo(house.core, gun, "late");
  assert.deepEqual([told.outcome.state, told.outcome.publications[0]?.blockReason], ["BLOCKED", reason]);
  assert.deepEqual(ownFiles(await rowsOf(notary, gun)), tampered, "nothing of ours was added");
  assert.equal((await uploadsOf(house.database, gun)).length, 2, "nothing was prepared");
}

for (const cache of ["warm", "cold"] as const) {
  test(`with a ${cache} cache every tampering has its one name, nothing is signed on top, and putting it back frees the collection`, async (t) => {
    const tampered = await Promise.all(
      cases.map(async (one, index) => {
        const gun = `dtr.example.org/tamper/${cache}-${index}`;
        await initialize(house.core, gun, ["qa"]);
        assert.equal((await delegateTo(house.core, gun, "ops")).outcome.state, "PUBLISHED");
        return { ...one, gun, original: await rowsOf(notary, gun) };
      }),
    );
    await doing(cache, async () => {
      for (const { gun, tamper } of tampered) await tamper(gun);
    });
    for (const { name, reason, gun } of tampered) await t.test(`${name}: ${reason}`, () => isNamed(gun, reason));
    await doing(cache, async () => {
      for (const { gun, original } of tampered) await putBack(notary, gun, original);
    });
    for (const { gun } of tampered) await until(() => isLive(house.database, gun), `${gun} to go live by itself`);
  });
}

/** How many keys notary-signer holds for a GUN. */
async function serverKeysOf(gun: string): Promise<number> {
  const signer = new pg.Client({ connectionString: house.notary.signerDatabaseUrl });
  await signer.connect();
  try {
    return (await signer.query("select 1 from private_keys where gun = $1", [gun])).rowCount ?? 0;
  } finally {
    await signer.end();
  }
}

test("a GUN that has trust we did not make is refused with FOREIGN_TRUST, and nothing is touched here or there", async () => {
  const source = "dtr.example.org/tamper/source";
  const foreign = "dtr.example.org/tamper/taken";
  await initialize(house.core, source, ["qa"]);
  assert.equal(await serverKeysOf(source), 2);
  await copyTrust(notary, source, foreign);
  const before = await rowsOf(notary, foreign);
  await assert.rejects(initialize(house.core, foreign, ["qa"]), { reason: "FOREIGN_TRUST" });
  assert.deepEqual(await rowsOf(notary, foreign), before, "Notary's rows are byte for byte what they were");
  assert.equal(await serverKeysOf(foreign), 0);
  await assert.rejects(getTrust(house.database, gunOf(foreign)), { reason: "NOT_FOUND" });
});

test("trust that appears after the change was accepted blocks it with FOREIGN_TRUST, and every one is told so", async (t) => {
  const source = "dtr.example.org/tamper/late-source";
  const gun = "dtr.example.org/tamper/late-foreign";
  await initialize(house.core, source, ["qa"]);
  await house.core.publisher.stop();
  const { outcome } = await initialize(house.core, gun, ["qa"], { noWait: true });
  assert.equal(outcome.state, "PENDING");
  await copyTrust(notary, source, gun);
  const before = await rowsOf(notary, gun);
  const waiting = initialize(house.core, gun, ["qa"]);
  const other = house.another();
  t.after(() => other.stop());
  await other.core.publisher.start();

  const told = (await waiting).outcome;
  assert.deepEqual([told.state, told.publications[0]?.blockReason], ["BLOCKED", "FOREIGN_TRUST"]);
  const trust = await getTrust(house.database, gunOf(gun));
  assert.deepEqual([trust.state, trust.publication.blockReason, trust.rootPin], ["BLOCKED", "FOREIGN_TRUST", ""]);
  const record = () =>
    house.database.row<{ reason: string }>(
      `select convert_from(leaf, 'UTF8')::jsonb->'record'->'result'->>'reason' as reason from audit.entry
       where gun = :gun and event_type = 'trust.blocked.v1'`,
      { gun },
    );
  await until(async () => (await record()) !== undefined, "the record of the block to stand in the log");
  assert.equal((await record())?.reason, "FOREIGN_TRUST");
  assert.deepEqual(await rowsOf(notary, gun), before, "Notary's rows are byte for byte what they were");
  assert.equal(await serverKeysOf(gun), 0);
  assert.deepEqual(await uploadsOf(house.database, gun), []);
  assert.equal((await recordTypes(house.database, gun)).at(-1), "trust.blocked.v1");
});
