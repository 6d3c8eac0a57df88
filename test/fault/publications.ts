import type { Queryable } from "../../src/database.ts";

/** One upload of a GUN as its row tells it. */
export interface UploadRow {
  readonly id: bigint;
  readonly kind: string;
  readonly state: string;
  readonly attempts: number;
  readonly refusals: number;
  readonly fromGeneration: bigint;
  readonly toGeneration: bigint;
}

/** The uploads of a GUN, oldest first. */
export function uploadsOf(db: Queryable, gun: string): Promise<readonly UploadRow[]> {
  return db.rows(
    `select u.id, u.kind, u.state, u.attempts, u.refusals, u.from_generation as "fromGeneration", u.to_generation as "toGeneration"
     from uploads u join collections c on c.id = u.collection_id where c.gun = :gun order by u.id`,
    { gun },
  );
}

/** The states of a GUN's uploads, oldest first. */
export async function uploadStates(db: Queryable, gun: string): Promise<readonly string[]> {
  return (await uploadsOf(db, gun)).map((upload) => upload.state);
}

/** What a collection's row says of how it stands. */
export interface Standing {
  readonly id: bigint;
  readonly generation: bigint;
  readonly published: bigint;
  readonly targetsVersion: number;
  readonly rootVersion: number;
  readonly blockReason: string | null;
  readonly blockDetail: string | null;
  readonly pendingReason: string | null;
  readonly attempts: number;
}

export async function standingOf(db: Queryable, gun: string): Promise<Standing> {
  const row = await db.row<Standing>(
    `select id, generation, published_generation as published, targets_version as "targetsVersion", root_version as "rootVersion",
       block_reason as "blockReason", block_detail as "blockDetail", pending_reason as "pendingReason", attempts
     from collections where gun = :gun`,
    { gun },
  );
  if (row === undefined) throw new Error(`there is no collection ${gun}`);
  return row;
}

/** Whether all that was decided of a GUN is live, changes of its teams included. */
export async function isLive(db: Queryable, gun: string): Promise<boolean> {
  const row = await db.row<{ live: boolean }>(
    `select generation = published_generation and block_reason is null
       and not exists (select from uploads u where u.collection_id = c.id and u.state in ('PREPARED', 'READY', 'SENT'))
       and not exists (select from delegations d join teams t on t.id = d.team_id
         where d.collection_id = c.id and d.valid_to is null and d.published_revision < t.revision) as live
     from collections c where gun = :gun`,
    { gun },
  );
  return row?.live === true;
}

/** The types of a GUN's records in order, those that wait for the sequencer included. */
export async function recordTypes(db: Queryable, gun: string): Promise<readonly string[]> {
  const rows = await db.rows<{ type: string }>(
    `select record->>'event_type' as type from (
       select convert_from(leaf, 'UTF8')::jsonb->'record' as record from audit.entry where gun = :gun
       union all select convert_from(record, 'UTF8')::jsonb from audit.intake) r
     where record->>'gun' = :gun order by record->>'event_id'`,
    { gun },
  );
  return rows.map((row) => row.type);
}
