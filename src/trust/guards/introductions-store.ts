import type { Queryable } from "../../database.ts";
import type { RoleName, TagName, TufKeyId } from "../../names.ts";

/** By role and tag, the keys that signed the file in which the role first named the tag's image. */
export type Introductions = ReadonlyMap<RoleName, ReadonlyMap<string, readonly string[]>>;

/** What any of the keys has put into the roles of these collections and stands there still, as far as it was followed. */
export async function introductionsBy(
  db: Queryable,
  collectionIds: readonly bigint[],
  keys: readonly TufKeyId[],
): Promise<ReadonlyMap<bigint, Introductions>> {
  if (keys.length === 0 || collectionIds.length === 0) return new Map();
  const rows = await db.rows<{ id: bigint; role: RoleName; tag: TagName; signedBy: readonly string[] }>(
    `select s.collection_id as id, s.role, s.tag, f.signed_by as "signedBy" from delegation_files f
     join collections c on c.id = f.collection_id and c.incarnation = f.incarnation
     join signatures s on s.from_file = f.id and s.valid_to is null
     where f.claimed_by && :keys and f.signed_by && :keys and f.collection_id = any(:collectionIds)`,
    { collectionIds, keys },
  );
  const found = new Map<bigint, Map<RoleName, Map<string, readonly string[]>>>();
  for (const { id, role, tag, signedBy } of rows) {
    const roles = found.get(id) ?? new Map<RoleName, Map<string, readonly string[]>>();
    found.set(id, roles.set(role, (roles.get(role) ?? new Map<string, readonly string[]>()).set(tag, signedBy)));
  }
  return found;
}
