import type { Queryable } from "../../database.ts";
import type { Gun, TeamId } from "../../names.ts";
import type { NewKey } from "../../teams/effects.ts";
import { type Collection, findCollection } from "../collection-store.ts";

/**
 * The next collections the teams are delegated on where any of these keys may have signed, ascending by id after the one given: it was
 * live there before, or a file that was kept names it as a signer, as anybody who signs together with a member can make it do.
 */
export async function collectionsThatKnow(
  db: Queryable,
  teams: readonly TeamId[],
  keys: readonly NewKey[],
  after: bigint,
  limit: number,
): Promise<readonly bigint[]> {
  const rows = await db.rows<{ id: bigint }>(
    `select k.id from (
       select collection_id as id from live_keys where canonical_key_id = any(:canonical)
       union
       select collection_id from delegation_files where claimed_by && :claimed) k
     where k.id > :after and exists (
       select from delegations d where d.collection_id = k.id and d.team_id = any(:teams) and d.valid_to is null)
     order by k.id limit :limit`,
    {
      teams,
      canonical: keys.map(({ canonicalKeyId }) => canonicalKeyId),
      claimed: keys.map(({ tufKeyId }) => tufKeyId),
      after,
      limit,
    },
  );
  return rows.map((row) => row.id);
}

/** The collection of a GUN if any delegation of it has ended, the team is delegated to, or a file names a key of the team as a signer. */
export async function findCollectionWithPast(db: Queryable, gun: Gun, team: TeamId): Promise<Collection | undefined> {
  const collection = await findCollection(db, gun);
  if (collection === undefined) return undefined;
  const found = await db.row(
    `select 1 where exists (select from delegations d where d.collection_id = :id and (d.valid_to is not null or d.team_id = :team))
       or exists (select from delegation_files f where f.collection_id = :id and f.incarnation = :incarnation and f.claimed_by && array(
         select c.tuf_key_id from memberships m join certificates c on c.member_id = m.member_id and c.valid_to is null
         where m.team_id = :team and m.valid_to is null))`,
    { id: collection.id, incarnation: collection.incarnation, team },
  );
  return found === undefined ? undefined : collection;
}
