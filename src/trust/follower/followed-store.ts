import type { Database, Queryable, Transaction } from "../../database.ts";
import type { RoleName, TufKeyId } from "../../names.ts";
import type { Collection } from "../collection-store.ts";
import type { FeedMark } from "./feed-position.ts";

/** Versions of the last timestamp followed and of its snapshot, and the SHA-256 of the targets file of ours that was in force last. */
export interface FollowedTip {
  readonly timestamp: number;
  readonly snapshot: number;
  /** Null: not known. */
  readonly targets: Buffer | null;
}

/** A collection, and the timestamp up to which there is something to follow. */
export interface Owed {
  readonly id: bigint;
  readonly upTo: number;
}

/** How far a collection's timestamps were followed; undefined: never. */
export function followedTip(db: Queryable, { id, incarnation }: Collection): Promise<FollowedTip | undefined> {
  return db.row<FollowedTip>(
    `select timestamp_version as timestamp, snapshot_version as snapshot, targets_sha256 as targets from followed
     where collection_id = :id and incarnation = :incarnation`,
    { id, incarnation },
  );
}

/** Moves on from one tip to the next and locks that place; false when another follower was faster. */
export async function moveTip(
  tx: Transaction,
  { id, incarnation }: Collection,
  from: FollowedTip | undefined,
  to: FollowedTip,
  now: Date,
): Promise<boolean> {
  const bindings = { id, incarnation, ...to, now };
  if (from === undefined) {
    const inserted = await tx.run(
      `insert into followed(collection_id, incarnation, timestamp_version, snapshot_version, targets_sha256, followed_at)
       values (:id, :incarnation, :timestamp, :snapshot, :targets, :now) on conflict do nothing`,
      bindings,
    );
    return inserted === 1;
  }
  const moved = await tx.run(
    `update followed set timestamp_version = :timestamp, snapshot_version = :snapshot, targets_sha256 = :targets, followed_at = :now
     where collection_id = :id and incarnation = :incarnation and timestamp_version = :from`,
    { ...bindings, from: from.timestamp },
  );
  return moved === 1;
}

/** Which of these GUNs are collections of the server that are not followed up to the version given. */
export async function owedOf(
  db: Database,
  notary: string,
  versions: ReadonlyMap<string, number>,
): Promise<readonly Owed[]> {
  const named = [...versions].filter(([gun, version]) => version > 0 && !gun.includes("\0"));
  if (named.length === 0) return [];
  return await db
    .rows<Owed>(
      `select c.id, n.version as "upTo"
     from unnest(cast(:guns as text[]), cast(:versions as bigint[])) as n(gun, version)
     join collections c on c.gun = n.gun collate "C" and c.notary = :notary and c.state = 'ACTIVE'
     left join followed f on f.collection_id = c.id and f.incarnation = c.incarnation
     where n.version <= 2147483647 and n.version > coalesce(f.timestamp_version, 0)`,
      { notary, guns: named.map(([gun]) => gun.toWellFormed()), versions: named.map(([, version]) => version) },
    )
    .then((rows) => rows.map(({ id, upTo }) => ({ id, upTo: Number(upTo) })));
}

/** Collections of which a look, a patrol or a publication has seen a newer timestamp than was followed. */
export function behindWhatWasSeen(db: Database, notary: string, limit: number): Promise<readonly Owed[]> {
  return db.rows<Owed>(
    `select c.id, s.version as "upTo" from collections c
     join seen_files s on s.collection_id = c.id and s.incarnation = c.incarnation and s.role = 'timestamp'
     left join followed f on f.collection_id = c.id and f.incarnation = c.incarnation
     where c.notary = :notary and c.state = 'ACTIVE' and s.version > coalesce(f.timestamp_version, 0) limit :limit`,
    { notary, limit },
  );
}

/** Our own targets file with this hash: published, or of an upload that may have landed already. */
export async function ownTargets(
  db: Queryable,
  { id, incarnation }: Collection,
  sha256: Buffer,
): Promise<Buffer | undefined> {
  const row = await db.row<{ bytes: Buffer }>(
    `select bytes from published_parts where collection_id = :id and incarnation = :incarnation and role = 'targets' and sha256 = :sha256
     union all
     select p.envelope from uploads u join upload_parts p on p.upload_id = u.id
     where u.collection_id = :id and u.incarnation = :incarnation and p.role = 'targets' and p.envelope_sha256 = :sha256 limit 1`,
    { id, incarnation, sha256 },
  );
  return row?.bytes;
}

/** The upload that brought our targets file with this hash. */
export async function ownUploadOf(
  db: Queryable,
  { id, incarnation }: Collection,
  sha256: Buffer,
): Promise<string | undefined> {
  const row = await db.row<{ id: bigint }>(
    `select upload_id as id from published_parts
     where collection_id = :id and incarnation = :incarnation and role = 'targets' and sha256 = :sha256
     union all
     select u.id from uploads u join upload_parts p on p.upload_id = u.id
     where u.collection_id = :id and u.incarnation = :incarnation and p.role = 'targets' and p.envelope_sha256 = :sha256 limit 1`,
    { id, incarnation, sha256 },
  );
  return row === undefined ? undefined : String(row.id);
}

/** Of each role that has one, the hex SHA-256 of the file that was kept last, valid or not. */
export async function lastKept(
  db: Queryable,
  { id, incarnation }: Collection,
  roles: readonly RoleName[],
): Promise<ReadonlyMap<RoleName, string>> {
  const rows = await db.rows<{ role: RoleName; sha256: string }>(
    `select r.role, encode(f.sha256, 'hex') as sha256 from unnest(cast(:roles as text[])) as r(role)
     cross join lateral (select sha256 from delegation_files
       where collection_id = :id and incarnation = :incarnation and role = r.role order by id desc limit 1) f`,
    { id, incarnation, roles },
  );
  return new Map(rows.map(({ role, sha256 }) => [role, sha256]));
}

/** One version of a delegation file, to be kept. */
export interface KeptFile {
  readonly role: RoleName;
  /** 0 where the file could not be read as metadata. */
  readonly version: number;
  readonly bytes: Buffer;
  readonly isValid: boolean;
  readonly signedBy: readonly TufKeyId[];
  readonly claimedBy: readonly TufKeyId[];
  readonly timestampVersion: number;
}

/** Keeps a file. `newest` is the version of the newest valid file before it; undefined where the file itself was kept before. */
export async function keepFile(
  tx: Transaction,
  { id, incarnation }: Collection,
  file: KeptFile,
  now: Date,
): Promise<{ readonly id: bigint; readonly newest: number } | undefined> {
  await tx.run("insert into kept_files(sha256, bytes) values (sha256(:bytes), :bytes) on conflict do nothing", {
    bytes: file.bytes,
  });
  return await tx.row(
    `insert into delegation_files(collection_id, incarnation, role, version, sha256, is_valid, signed_by, claimed_by, timestamp_version, seen_at)
     values (:id, :incarnation, :role, :version, sha256(:bytes), :isValid, :signedBy, :claimedBy, :timestampVersion, :now) on conflict do nothing
     returning id, (select coalesce(max(version), 0) from delegation_files
       where collection_id = :id and incarnation = :incarnation and role = :role and is_valid) as newest`,
    { ...file, id, incarnation, now },
  );
}

/** Where the changefeed of a server was left; undefined: it was never read. */
export function feedMark(db: Queryable, notary: string): Promise<FeedMark | undefined> {
  return db.row<FeedMark>("select change_id as id, mark from feed_positions where notary = :notary", { notary });
}

export async function keepFeedMark(db: Queryable, notary: string, { id, mark }: FeedMark, now: Date): Promise<void> {
  await db.run(
    `insert into feed_positions(notary, change_id, mark, moved_at) values (:notary, :id, :mark, :now)
     on conflict (notary) do update set change_id = excluded.change_id, mark = excluded.mark, moved_at = excluded.moved_at`,
    { notary, id, mark, now },
  );
}
