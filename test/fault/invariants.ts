import assert from "node:assert/strict";
import pg from "pg";
import { checkLog } from "../audit/check-log.ts";
import type { House } from "../trust/house.ts";

interface UploadRow {
  readonly id: bigint;
  readonly state: string;
}

/**
 * What must hold whatever died on the way: every upload is decided and its records say exactly what became of it, what we hold
 * as published is what Notary stores, root versions have no gap, and the audit log is whole.
 */
export async function checkInvariants(house: House, gun: string): Promise<void> {
  const { database } = house;
  const uploads = await database.rows<UploadRow>(
    "select u.id, u.state from uploads u join collections c on c.id = u.collection_id where c.gun = :gun order by u.id",
    { gun },
  );
  for (const upload of uploads) {
    assert.match(upload.state, /^(LANDED|LOST|CANCELLED)$/, `upload ${upload.id} is ${upload.state}`);
    assert.deepEqual(
      await recordsOf(house, upload.id),
      ["publication.intended.v1", `publication.${upload.state.toLowerCase()}.v1`],
      `records of upload ${upload.id}`,
    );
  }
  await checkStored(house, gun);
  // The log grows meanwhile: it is read as of one moment.
  await database.transaction(checkLog, { isolation: "repeatable read", readOnly: true });
}

async function recordsOf(house: House, upload: bigint): Promise<readonly string[]> {
  const rows = await house.database.rows<{ type: string }>(
    `select record->'record'->>'event_type' as type from (
       select convert_from(leaf, 'UTF8')::jsonb as record from audit.entry
       union all select jsonb_build_object('record', convert_from(record, 'UTF8')::jsonb) from audit.intake) r
     where record->'record'->'publication'->>'upload_id' = :upload and record->'record'->>'event_type' <> 'publication.rejected.v1'
     order by record->'record'->>'event_id'`,
    { upload: String(upload) },
  );
  return rows.map((row) => row.type);
}

/** Our published files are byte for byte what Notary's database holds, and Notary holds no root or targets that are not ours. */
async function checkStored(house: House, gun: string): Promise<void> {
  const client = new pg.Client({ connectionString: house.notary.databaseUrl });
  await client.connect();
  try {
    const { rows: stored } = await client.query<{ role: string; version: number; data: Buffer }>(
      "select role, version, data from tuf_files where gun = $1 and role in ('root', 'targets') order by role, version",
      [gun],
    );
    const ours = await house.database.rows<{ role: string; version: number; data: Buffer }>(
      `select p.role, p.version, p.bytes as data from published_parts p join collections c on c.id = p.collection_id
       where c.gun = :gun order by p.role, p.version`,
      { gun },
    );
    const named = (rows: readonly { role: string; version: number; data: Buffer }[]) =>
      rows.map((row) => `${row.version}.${row.role} ${row.data.toString("base64url").slice(-40)}`);
    assert.deepEqual(named(ours), named(stored));
    const roots = stored.filter((row) => row.role === "root").map((row) => row.version);
    assert.deepEqual(
      roots,
      Array.from({ length: roots.length }, (_, index) => index + 1),
    );
  } finally {
    await client.end();
  }
}
