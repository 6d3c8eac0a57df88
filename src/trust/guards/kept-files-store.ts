import type { Queryable } from "../../database.ts";
import type { RoleName } from "../../names.ts";

/** The delegation files of a collection as they were last read, by whoever read them. */
export interface KeptFiles {
  readonly files: ReadonlyMap<RoleName, Buffer>;
  /** Up to when Notary was read. */
  readonly readAt: Date | undefined;
}

/** What is kept of each of these collections, valid or not: of each role the newest version. */
export async function keptFilesOf(
  db: Queryable,
  collectionIds: readonly bigint[],
): Promise<ReadonlyMap<bigint, KeptFiles>> {
  const [rows, times] = await Promise.all([
    db.rows<{ id: bigint; role: RoleName; bytes: Buffer }>(
      `select distinct on (n.id, n.role) n.id, n.role, k.bytes from (
         select c.id, s.role, s.version, s.sha256, s.bytes as seen from collections c
         join seen_files s on s.collection_id = c.id and s.incarnation = c.incarnation and s.role like 'targets/%'
         where c.id = any(:collectionIds)
         union all
         select c.id, f.role, f.version, f.sha256, null from collections c
         join delegation_files f on f.collection_id = c.id and f.incarnation = c.incarnation where c.id = any(:collectionIds)
       ) n left join kept_files f on n.seen is null and f.sha256 = n.sha256
       cross join lateral (select coalesce(n.seen, f.bytes) as bytes) k
       order by n.id, n.role, n.version desc`,
      { collectionIds },
    ),
    db.rows<{ id: bigint; readAt: Date | null }>(
      `select c.id, greatest(c.verified_at, f.followed_at, (select max(s.verified_at) from seen_files s
         where s.collection_id = c.id and s.incarnation = c.incarnation)) as "readAt" from collections c
       left join followed f on f.collection_id = c.id and f.incarnation = c.incarnation where c.id = any(:collectionIds)`,
      { collectionIds },
    ),
  ]);
  const byCollection = Map.groupBy(rows, ({ id }) => id);
  return new Map(
    times.map(({ id, readAt }) => {
      const files = new Map((byCollection.get(id) ?? []).map(({ role, bytes }) => [role, bytes]));
      return [id, { files, readAt: readAt ?? undefined }];
    }),
  );
}
