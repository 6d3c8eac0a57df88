import type { Queryable, Transaction } from "../database.ts";
import type { RoleName } from "../names.ts";
import { parseTimestamp } from "../tuf/envelope.ts";
import { farthestStep } from "../tuf/observation.ts";
import { viewDelegationFile } from "../tuf/orphans.ts";

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
): Promise<ReadonlyMap<string, readonly string[]>> {
  const rows = await db.rows<{ name: string; sha256: string }>(
    `select version || '.' || role as name, encode(sha256, 'hex') as sha256 from published_parts
     where collection_id = :collectionId and incarnation = :incarnation
     union all
     select p.version || '.' || p.role, encode(p.envelope_sha256, 'hex') from uploads u join upload_parts p on p.upload_id = u.id
     where u.collection_id = :collectionId and u.incarnation = :incarnation and u.state in ('SENT', 'LOST', 'REJECTED') and p.envelope_sha256 is not null`,
    { collectionId, incarnation },
  );
  const known = new Map<string, string[]>();
  for (const { name, sha256 } of rows) known.set(name, [...(known.get(name) ?? []), sha256]);
  return known;
}

/** Keeps landed files; a file landed once stays as it is. */
export async function insertPublishedParts(
  tx: Transaction,
  of: { readonly collectionId: bigint; readonly incarnation: number; readonly uploadId: bigint },
  parts: readonly Omit<PublishedPart, "landedAt">[],
  now: Date,
): Promise<void> {
  await tx.run(
    `insert into published_parts(collection_id, incarnation, role, version, sha256, bytes, expires_at, landed_at, upload_id)
     select :collectionId, :incarnation, p.role, p.version, p.sha256, p.bytes, p.expires_at, :now, :uploadId
     from unnest(cast(:roles as text[]), cast(:versions as int[]), cast(:sha256s as bytea[]), cast(:files as bytea[]),
       cast(:expiries as timestamptz[])) as p(role, version, sha256, bytes, expires_at)
     on conflict do nothing`,
    {
      ...of,
      now,
      roles: parts.map((part) => part.role),
      versions: parts.map((part) => part.version),
      sha256s: parts.map((part) => part.sha256),
      files: parts.map((part) => part.bytes),
      expiries: parts.map((part) => part.expiresAt),
    },
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

/**
 * Remembers verified files; a lower version never replaces a higher one. A server file that jumped further than any honest one is left
 * out: remembered, it would make every honest file after it a rollback.
 */
export async function rememberSeen(
  db: Queryable,
  collectionId: bigint,
  incarnation: number,
  files: readonly SeenFile[],
  now: Date,
): Promise<void> {
  if (files.length === 0) return;
  await db.run(
    `insert into seen_files as s(collection_id, incarnation, role, version, sha256, bytes, expires_at, verified_at)
     select :collectionId, :incarnation, f.role, f.version, sha256(f.bytes), f.bytes, f.expires_at, :now
     from unnest(cast(:roles as text[]), cast(:versions as int[]), cast(:files as bytea[]), cast(:expiries as timestamptz[]))
       as f(role, version, bytes, expires_at)
     on conflict (collection_id, incarnation, role) do update set version = excluded.version, sha256 = excluded.sha256,
       bytes = excluded.bytes, expires_at = excluded.expires_at, verified_at = excluded.verified_at
     where s.version <= excluded.version and (excluded.role like 'targets/%' or excluded.version <= s.version + :farthest)`,
    {
      collectionId,
      incarnation,
      now,
      roles: files.map((file) => file.role),
      versions: files.map((file) => file.version),
      files: files.map((file) => file.bytes),
      expiries: files.map(expiryOf),
      farthest: farthestStep,
    },
  );
}

/** The end of a snapshot matters to nobody. */
function expiryOf({ role, bytes }: SeenFile): Date | null {
  if (role === "timestamp") return parseTimestamp(bytes).content.expires;
  return role.startsWith("targets/") ? viewDelegationFile(bytes).expires : null;
}
