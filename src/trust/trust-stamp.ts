import type { Queryable } from "../database.ts";
import type { Gun } from "../names.ts";

/** Changes with every row that a trust is viewed from; equal stamps mean equal views. */
export type TrustStamp = string;

/**
 * The stamps of repositories as of the statement's snapshot; none for a repository without trust. A stamp is a hash over all that
 * the view reads, whole rows wherever they are short. Bytes of files and certificates stand in it by their digests and key ids.
 */
export async function stampsOf(db: Queryable, guns: readonly Gun[]): Promise<ReadonlyMap<Gun, TrustStamp>> {
  const rows = await db.rows<{ gun: Gun; stamp: TrustStamp }>(
    `select c.gun, encode(sha256(convert_to(row(c,
       array(select row(d, t.revision) from delegations d join teams t on t.id = d.team_id
         where d.collection_id = c.id and d.valid_to is null order by d.id),
       array(select row(d.id, x.id, x.member_id, x.tuf_key_id, x.canonical_key_id, x.key_type)
         from delegations d join memberships m on m.team_id = d.team_id and m.valid_to is null
         join certificates x on x.member_id = m.member_id and x.valid_to is null
         join signing_keys s on s.canonical_key_id = x.canonical_key_id and s.revoked_at is null
         where d.collection_id = c.id and d.valid_to is null order by d.id, x.id),
       array(select row(k.role, k.tuf_key_id, k.canonical_key_id, k.key_type, k.backend, sha256(k.public), k.certificate_pem)
         from collection_keys k where k.collection_id = c.id and k.incarnation = c.incarnation and k.replaced_at is null
         order by k.role, k.tuf_key_id),
       array(select row(p.role, p.version, p.sha256, p.expires_at) from published_parts p
         where p.collection_id = c.id and p.incarnation = c.incarnation
           and ((p.role = 'root' and p.version = c.root_version) or (p.role = 'targets' and p.version = c.targets_version))
         order by p.role),
       (select row(p.version, p.sha256) from published_parts p
         where p.collection_id = c.id and p.incarnation = c.incarnation and p.role = 'targets' order by p.version desc limit 1),
       array(select row(f.role, f.version, f.sha256) from seen_files f
         where f.collection_id = c.id and f.incarnation = c.incarnation order by f.role)
     )::text, 'UTF8')), 'base64') as stamp
     from collections c where c.gun = any(:guns)`,
    { guns },
  );
  return new Map(rows.map((row) => [row.gun, row.stamp]));
}
