import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { after, before, test } from "node:test";
import pg from "pg";
import { parseTargets } from "../../src/tuf/envelope.ts";
import { type TufKey, tufKeyIdOf } from "../../src/tuf/key.ts";
import { envelopeOf, targetsPayload } from "../../src/tuf/payload.ts";
import { delegateTo, gunOf, type House, initialize, makeTeam, openHouse } from "../trust/house.ts";
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

interface Row {
  readonly id: number;
  readonly gun: string;
  readonly role: string;
  readonly version: number;
  readonly data: Buffer;
  readonly sha256: string;
}

interface Case {
  readonly name: string;
  readonly reason: RegExp;
  readonly tamper: (gun: string) => Promise<void>;
}

const newest = "version = (select max(version) from tuf_files n where n.gun = t.gun and n.role = t.role)";
const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" });
const strangerKey: TufKey = { keyType: "ecdsa", public: stranger.publicKey.export({ type: "spki", format: "der" }) };

/** The collection's newest targets file, changed and signed by somebody's own key. */
async function forgedTargets(
  gun: string,
  version: (current: number) => number,
): Promise<{ version: number; data: Buffer }> {
  const { rows } = await notary.query<Row>(
    `select * from tuf_files t where gun = $1 and role = 'targets' and ${newest}`,
    [gun],
  );
  const content = parseTargets(rows[0]?.data ?? Buffer.alloc(0)).content;
  const forged = {
    ...content,
    version: version(content.version),
    keys: [...content.keys, strangerKey],
    roles: content.roles.map((role) => ({ ...role, keyIds: [...role.keyIds, tufKeyIdOf(strangerKey)] })),
  };
  const payload = targetsPayload(forged);
  const sig = sign("sha256", payload, { key: stranger.privateKey, dsaEncoding: "ieee-p1363" });
  return {
    version: forged.version,
    data: envelopeOf(payload, [{ keyId: tufKeyIdOf(strangerKey), method: "ecdsa", sig }]),
  };
}

const digest = (data: Buffer): string => createHash("sha256").update(data).digest("hex");

const cases: readonly Case[] = [
  {
    name: "older rows made newest",
    reason: /^(ROLLBACK|VANISHED)$/,
    tamper: async (gun) => {
      await notary.query(`delete from tuf_files t where gun = $1 and ${newest} and role <> 'root'`, [gun]);
    },
  },
  {
    name: "targets swapped for a file that another key signed",
    reason: /^(FOREIGN_CHANGE|VANISHED)$/,
    tamper: async (gun) => {
      const { version, data } = await forgedTargets(gun, (current) => current);
      await notary.query(
        "update tuf_files set data = $3, sha256 = $4 where gun = $1 and role = 'targets' and version = $2",
        [gun, version, data, digest(data)],
      );
    },
  },
  {
    name: "a newer targets file with a delegation key that we did not put there",
    reason: /^BAD_SIGNATURE$/,
    tamper: async (gun) => {
      const { version, data } = await forgedTargets(gun, (current) => current + 1);
      await notary.query(
        `insert into tuf_files(created_at, updated_at, gun, role, version, data, sha256)
         values (now(), now(), $1, 'targets', $2, $3, $4)`,
        [gun, version, data, digest(data)],
      );
    },
  },
  {
    name: "the newest targets row deleted",
    reason: /^VANISHED$/,
    tamper: async (gun) => {
      await notary.query(`delete from tuf_files t where gun = $1 and role = 'targets' and ${newest}`, [gun]);
    },
  },
  {
    name: "the newest timestamp deleted",
    reason: /^ROLLBACK$/,
    tamper: async (gun) => {
      await notary.query(`delete from tuf_files t where gun = $1 and role = 'timestamp' and ${newest}`, [gun]);
    },
  },
  {
    name: "the whole GUN vanished",
    reason: /^VANISHED$/,
    tamper: async (gun) => {
      await notary.query("delete from tuf_files where gun = $1", [gun]);
    },
  },
];

for (const cache of ["warm", "cold"] as const) {
  for (const { name, reason, tamper } of cases) {
    test(`${name} blocks the collection with a ${cache} cache, and nothing is signed on top`, async () => {
      const gun = `dtr.example.org/tamper/${cache}-${cases.findIndex((one) => one.name === name)}`;
      await initialize(house.core, gun, ["qa"]);
      assert.equal((await delegateTo(house.core, gun, "ops")).outcome.state, "PUBLISHED");
      const { rows: original } = await notary.query<Row>("select * from tuf_files where gun = $1", [gun]);

      await tamper(gun);
      if (cache === "cold") await house.notary.restartServer();
      const state = () =>
        house.database.row<{ reason: string | null }>(
          "select block_reason as reason from collections where gun = :gun",
          { gun },
        );
      await until(async () => (await state())?.reason !== null, "the collection to be blocked");
      assert.match((await state())?.reason ?? "", reason);

      const { rows: tampered } = await notary.query<Row>("select * from tuf_files where gun = $1", [gun]);
      const told = await delegateTo(house.core, gun, "late");
      assert.equal(told.outcome.state, "BLOCKED");
      assert.match(told.outcome.publications[0]?.blockReason ?? "", reason);
      const { rows: after } = await notary.query<Row>("select * from tuf_files where gun = $1", [gun]);
      const own = (rows: readonly Row[]) =>
        rows
          .filter((row) => /^(root|targets)$/.test(row.role))
          .map((row) => row.sha256)
          .sort();
      assert.deepEqual(own(after), own(tampered), "nothing of ours was added");

      await restore(gun, original);
      if (cache === "cold") await house.notary.restartServer();
      await until(async () => (await state())?.reason === null, "the collection to be free again");
      await until(async () => {
        const row = await house.database.row<{ live: boolean }>(
          "select published_generation = generation as live from collections where gun = :gun",
          { gun },
        );
        return row?.live === true;
      }, "the change to go live by itself");
    });
  }
}

async function restore(gun: string, rows: readonly Row[]): Promise<void> {
  await notary.query("delete from tuf_files where gun = $1", [gun]);
  for (const row of rows) {
    await notary.query(
      `insert into tuf_files(created_at, updated_at, gun, role, version, data, sha256) values (now(), now(), $1, $2, $3, $4, $5)`,
      [row.gun, row.role, row.version, row.data, row.sha256],
    );
  }
}

test("a database restored from an older dump is DATABASE_BEHIND, and nobody is delegated again", async () => {
  const gun = "dtr.example.org/tamper/restored";
  await initialize(house.core, gun, ["qa"]);
  const before = await snapshotOf(gun);
  assert.equal((await delegateTo(house.core, gun, "ops")).outcome.state, "PUBLISHED");
  await restoreOurs(gun, before);
  const told = await delegateTo(house.core, gun, "late");
  assert.equal(told.outcome.state, "BLOCKED");
  assert.equal(told.outcome.publications[0]?.blockReason, "DATABASE_BEHIND");
  const { rows } = await notary.query<{ version: number }>(
    "select version from tuf_files where gun = $1 and role = 'targets'",
    [gun],
  );
  assert.equal(rows.length, 2, "no third targets file was made");
});

/** What an older dump would hold of one collection. */
async function snapshotOf(gun: string): Promise<Record<string, unknown>> {
  const row = await house.database.row<Record<string, unknown>>(
    `select generation, published_generation, root_version, targets_version,
       (select max(id) from uploads u where u.collection_id = c.id) as upload from collections c where gun = :gun`,
    { gun },
  );
  assert.ok(row);
  return row;
}

/** Takes our rows back to the dump, as a restore of the whole database would. */
async function restoreOurs(gun: string, dump: Record<string, unknown>): Promise<void> {
  const owner = new pg.Client({ connectionString: house.postgres.ownerUrl });
  await owner.connect();
  try {
    const { rows } = await owner.query<{ id: string }>("select id from collections where gun = $1", [gun]);
    const id = rows[0]?.id;
    const later = "(select id from uploads where collection_id = $1 and id > $2)";
    await owner.query(`delete from published_parts where upload_id in ${later}`, [id, dump["upload"]]);
    await owner.query(`delete from upload_delegations where upload_id in ${later}`, [id, dump["upload"]]);
    await owner.query(`delete from upload_parts where upload_id in ${later}`, [id, dump["upload"]]);
    await owner.query("delete from uploads where collection_id = $1 and id > $2", [id, dump["upload"]]);
    await owner.query("delete from delegations where collection_id = $1 and since_generation > $2", [
      id,
      dump["generation"],
    ]);
    await owner.query(
      `update seen_files set version = 1 where collection_id = $1 and role in ('snapshot', 'timestamp')`,
      [id],
    );
    await owner.query(
      `update collections set generation = $2, published_generation = $3, root_version = $4, targets_version = $5 where id = $1`,
      [id, dump["generation"], dump["published_generation"], dump["root_version"], dump["targets_version"]],
    );
  } finally {
    await owner.end();
  }
}

test("a GUN that has trust we did not make is refused with FOREIGN_TRUST and left as it is", async () => {
  const gun = "dtr.example.org/tamper/foreign";
  await initialize(house.core, gun, ["qa"]);
  // The same trust as somebody else's: this database forgets that it made it.
  const foreign = "dtr.example.org/tamper/taken";
  await notary.query(
    `insert into tuf_files(created_at, updated_at, gun, role, version, data, sha256)
     select now(), now(), $2, role, version, data, sha256 from tuf_files where gun = $1`,
    [gun, foreign],
  );
  await assert.rejects(initialize(house.core, foreign, ["qa"]), { reason: "FOREIGN_TRUST" });
  const row = await house.database.row("select 1 from collections where gun = :foreign", { foreign });
  assert.equal(row, undefined, gunOf(foreign));
});

test("trust that appears after the change was accepted blocks it with FOREIGN_TRUST", async () => {
  const gun = "dtr.example.org/tamper/late-foreign";
  const source = "dtr.example.org/tamper/foreign";
  await house.core.publisher.stop();
  const { outcome } = await initialize(house.core, gun, ["qa"], { noWait: true });
  assert.equal(outcome.state, "PENDING");
  await notary.query(
    `insert into tuf_files(created_at, updated_at, gun, role, version, data, sha256)
     select now(), now(), $2, role, version, data, sha256 from tuf_files where gun = $1`,
    [source, gun],
  );
  const other = house.another();
  try {
    await other.core.publisher.start();
    await until(async () => {
      const row = await house.database.row<{ reason: string | null }>(
        "select block_reason as reason from collections where gun = :gun",
        { gun },
      );
      return row?.reason === "FOREIGN_TRUST";
    }, "FOREIGN_TRUST");
  } finally {
    await other.stop();
  }
});
