import type { Queryable } from "../../database.ts";
import type { RoleName, TagName, TufKeyId } from "../../names.ts";
import type { Collection } from "../collection-store.ts";

/** What the newest valid file of a role says of a tag. */
export interface SignatureRow {
  readonly tag: TagName;
  readonly role: RoleName;
  readonly digest: Buffer;
  readonly length: number;
  readonly introducedBy: readonly TufKeyId[];
  readonly publishedAt: Date;
  /** When the tag was first seen in any role. */
  readonly firstPublishedAt: Date;
}

export interface TagFilter {
  /** Only the tags behind this one; empty: from the first. */
  readonly after: string;
  readonly prefix: string;
  /** Only this tag. */
  readonly tag?: TagName;
}

const columns = `s.tag, s.role, s.digest, s.length::float8 as length, f.signed_by as "introducedBy", s.valid_from as "publishedAt",
  (select min(p.valid_from) from signatures p
    where p.collection_id = s.collection_id and p.incarnation = s.incarnation and p.tag = s.tag) as "firstPublishedAt"`;

/** The signatures of the first so many tags that pass the filter, ordered by tag and role. */
export function signatureRows(
  db: Queryable,
  { id, incarnation }: Collection,
  { after, prefix, tag }: TagFilter,
  limit: number,
): Promise<readonly SignatureRow[]> {
  return db.rows<SignatureRow>(
    `select ${columns} from signatures s join delegation_files f on f.id = s.from_file
     where s.collection_id = :id and s.incarnation = :incarnation and s.valid_to is null and s.tag = any(array(
       select distinct t.tag from signatures t
       where t.collection_id = :id and t.incarnation = :incarnation and t.valid_to is null and t.tag > :after and t.tag >= :prefix
         and starts_with(t.tag, :prefix) and (cast(:tag as text) is null or t.tag = :tag collate "C")
       order by t.tag limit :limit))
     order by s.tag, s.role`,
    { id, incarnation, after, prefix, tag: tag ?? null, limit },
  );
}

/** The newest valid file of a role. */
export interface RoleFileRow {
  readonly role: RoleName;
  readonly version: number;
  readonly sha256: Buffer;
  readonly signedBy: readonly TufKeyId[];
}

export async function roleFiles(
  db: Queryable,
  { id, incarnation }: Collection,
  roles: readonly RoleName[],
): Promise<ReadonlyMap<RoleName, RoleFileRow>> {
  const rows = await db.rows<RoleFileRow>(
    `select r.role, f.version, f.sha256, f.signed_by as "signedBy" from unnest(cast(:roles as text[])) as r(role)
     cross join lateral (select version, sha256, signed_by from delegation_files
       where collection_id = :id and incarnation = :incarnation and role = r.role and is_valid
       order by version desc, id limit 1) f`,
    { id, incarnation, roles },
  );
  return new Map(rows.map((row) => [row.role, row]));
}

export async function keptBytes(db: Queryable, sha256: Buffer): Promise<Buffer> {
  const row = await db.row<{ bytes: Buffer }>("select bytes from kept_files where sha256 = :sha256", { sha256 });
  if (row === undefined) throw new Error("a file that is named is not kept");
  return row.bytes;
}

/** The SHA-256 of the targets in force; undefined before the first publication. */
export async function targetsInForce(db: Queryable, { id, incarnation }: Collection): Promise<Buffer | undefined> {
  const row = await db.row<{ sha256: Buffer }>(
    `select sha256 from published_parts where collection_id = :id and incarnation = :incarnation and role = 'targets'
     order by version desc limit 1`,
    { id, incarnation },
  );
  return row?.sha256;
}
