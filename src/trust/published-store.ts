import type { Queryable, Transaction } from "../database.ts";
import type { RoleName } from "../names.ts";

/** A file of ours that is known to have landed: exact bytes as Notary serves them. */
export interface PublishedPart {
  readonly role: RoleName;
  readonly version: number;
  readonly sha256: Buffer;
  readonly bytes: Buffer;
  readonly expiresAt: Date;
  readonly landedAt: Date;
}

const columns = `role, version, sha256, bytes, expires_at as "expiresAt", landed_at as "landedAt"`;

/** The newest landed root and targets of an incarnation; either may be missing. */
export async function newestParts(
  db: Queryable,
  collectionId: bigint,
  incarnation: number,
): Promise<{ readonly root: PublishedPart | undefined; readonly targets: PublishedPart | undefined }> {
  const rows = await db.rows<PublishedPart>(
    `select distinct on (role) ${columns} from published_parts
     where collection_id = :collectionId and incarnation = :incarnation order by role, version desc`,
    { collectionId, incarnation },
  );
  return { root: rows.find((row) => row.role === "root"), targets: rows.find((row) => row.role === "targets") };
}

/** Hex SHA-256 by `${version}.${role}` of all that may stand on Notary as ours: every file that landed, and what was ever sent. */
export async function knownFiles(
  db: Queryable,
  collectionId: bigint,
  incarnation: number,
): Promise<ReadonlyMap<string, string>> {
  const rows = await db.rows<{ name: string; sha256: string }>(
    `select version || '.' || role as name, encode(sha256, 'hex') as sha256 from published_parts
     where collection_id = :collectionId and incarnation = :incarnation
     union all
     select p.version || '.' || p.role, encode(p.envelope_sha256, 'hex') from uploads u join upload_parts p on p.upload_id = u.id
     where u.collection_id = :collectionId and u.incarnation = :incarnation and u.state in ('SENT', 'LOST', 'REJECTED') and p.envelope_sha256 is not null`,
    { collectionId, incarnation },
  );
  return new Map(rows.map((row) => [row.name, row.sha256]));
}

/** Keeps a landed file; a file landed once stays as it is. */
export async function insertPublishedPart(
  tx: Transaction,
  part: PublishedPart & { readonly collectionId: bigint; readonly incarnation: number; readonly uploadId: bigint },
): Promise<void> {
  await tx.run(
    `insert into published_parts(collection_id, incarnation, role, version, sha256, bytes, expires_at, landed_at, upload_id)
     values (:collectionId, :incarnation, :role, :version, :sha256, :bytes, :expiresAt, :landedAt, :uploadId)
     on conflict do nothing`,
    { ...part },
  );
}

/** A file that somebody else writes, at the highest version ever verified. */
export interface SeenFile {
  readonly role: RoleName;
  readonly version: number;
  readonly bytes: Buffer;
}

/** Snapshot, timestamp and delegation files as last verified. */
export async function seenFiles(
  db: Queryable,
  collectionId: bigint,
  incarnation: number,
): Promise<ReadonlyMap<RoleName, SeenFile>> {
  const rows = await db.rows<SeenFile>(
    "select role, version, bytes from seen_files where collection_id = :collectionId and incarnation = :incarnation",
    { collectionId, incarnation },
  );
  return new Map(rows.map((row) => [row.role, row]));
}

/** Remembers verified files; a lower version never replaces a higher one. */
export async function rememberSeen(
  db: Queryable,
  collectionId: bigint,
  incarnation: number,
  files: readonly (SeenFile & { readonly sha256: Buffer })[],
  now: Date,
): Promise<void> {
  for (const file of files) {
    await db.run(
      `insert into seen_files as s(collection_id, incarnation, role, version, sha256, bytes, verified_at)
       values (:collectionId, :incarnation, :role, :version, :sha256, :bytes, :now)
       on conflict (collection_id, incarnation, role) do update
       set version = excluded.version, sha256 = excluded.sha256, bytes = excluded.bytes, verified_at = excluded.verified_at
       where s.version <= excluded.version`,
      {
        collectionId,
        incarnation,
        role: file.role,
        version: file.version,
        sha256: file.sha256,
        bytes: file.bytes,
        now,
      },
    );
  }
}
