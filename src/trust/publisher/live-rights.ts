import type { Transaction } from "../../database.ts";
import { parseTargets } from "../../tuf/envelope.ts";
import { canonicalKeyIdOf, tufKeyIdOf } from "../../tuf/key.ts";
import type { DelegatedRole } from "../../tuf/payload.ts";
import type { Collection } from "../collection-store.ts";

type Of = Pick<Collection, "id" | "gun">;

/**
 * Keeps who may sign what by a targets file that was just read back: ends the keys and the paths of roles that it no longer names and
 * begins those it names anew. Only rows that change are written. The collection's row is locked.
 */
export async function updateLiveRights(
  tx: Transaction,
  collection: Of,
  uploadId: bigint,
  targets: Buffer,
  now: Date,
): Promise<void> {
  const { keys, roles } = parseTargets(targets).content;
  const canonical = new Map<string, string>(keys.map((key) => [tufKeyIdOf(key), canonicalKeyIdOf(key)]));
  await Promise.all([
    updateKeys(tx, collection, uploadId, roles, canonical, now),
    updateRoles(tx, collection, roles, now),
  ]);
}

async function updateKeys(
  tx: Transaction,
  { id: collectionId, gun }: Of,
  uploadId: bigint,
  roles: readonly DelegatedRole[],
  canonical: ReadonlyMap<string, string>,
  now: Date,
): Promise<void> {
  const live = roles.flatMap((role) =>
    role.keyIds.map((id) => ({ role: role.name, id, canonical: canonical.get(id) ?? "" })),
  );
  await tx.run(
    `with named as (
       select * from unnest(cast(:roles as text[]), cast(:ids as text[]), cast(:canonical as text[])) as n(role, id, canonical)
     ), ended as (
       update live_keys k set live_to = greatest(:now, k.live_from), to_upload = :uploadId where k.collection_id = :collectionId and k.live_to is null
         and not exists (select from named n where n.role = k.role and n.id = k.tuf_key_id)
     )
     insert into live_keys(collection_id, gun, role, tuf_key_id, canonical_key_id, live_from, from_upload)
     select :collectionId, :gun, n.role, n.id, n.canonical, :now, :uploadId from named n
     on conflict (collection_id, role, tuf_key_id) where live_to is null do nothing`,
    {
      collectionId,
      gun,
      uploadId,
      now,
      roles: live.map((one) => one.role),
      ids: live.map((one) => one.id),
      canonical: live.map((one) => one.canonical),
    },
  );
}

/** A role whose paths change ends and begins: two statements, since one could begin it before it has ended. */
async function updateRoles(
  tx: Transaction,
  { id: collectionId, gun }: Of,
  roles: readonly DelegatedRole[],
  now: Date,
): Promise<void> {
  const named = JSON.stringify(roles.map(({ name, paths }) => ({ role: name, paths })));
  await Promise.all([
    tx.run(
      `update live_roles l set live_to = greatest(:now, l.live_from) where l.collection_id = :collectionId and l.live_to is null
         and not exists (select from jsonb_to_recordset(cast(:named as jsonb)) as n(role text, paths text[])
           where n.role = l.role and n.paths = l.paths)`,
      { collectionId, named, now },
    ),
    tx.run(
      `insert into live_roles(collection_id, gun, role, paths, live_from)
       select :collectionId, :gun, n.role, n.paths, :now from jsonb_to_recordset(cast(:named as jsonb)) as n(role text, paths text[])
       on conflict (collection_id, role) where live_to is null do nothing`,
      { collectionId, gun, named, now },
    ),
  ]);
}
