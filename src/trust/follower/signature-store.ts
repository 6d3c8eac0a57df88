import type { Queryable, Transaction } from "../../database.ts";
import type { CanonicalKeyId, MemberId, RoleName, TagName, TeamId, TufKeyId } from "../../names.ts";
import type { Collection } from "../collection-store.ts";

/** What a file says of a tag: the manifest it names. */
export interface TagContent {
  readonly tag: TagName;
  /** Raw SHA-256. */
  readonly digest: Buffer;
  readonly length: number;
}

/** What changed in a role from one valid file to the next. A tag that names another image now stands in both. */
export interface SignatureChange {
  readonly added: readonly TagContent[];
  readonly removed: readonly TagContent[];
}

/** Brings what is known of a role to the content of its newest valid file, and answers what changed. */
export async function replaceSignatures(
  tx: Transaction,
  { id, incarnation }: Collection,
  file: { readonly id: bigint; readonly role: RoleName; readonly content: readonly TagContent[] },
  now: Date,
): Promise<SignatureChange> {
  const held = await tx.rows<TagContent & { readonly id: bigint }>(
    `select id, tag, digest, length::float8 as length from signatures
     where collection_id = :id and incarnation = :incarnation and role = :role and valid_to is null order by tag`,
    { id, incarnation, role: file.role },
  );
  const wanted = new Map(file.content.map((one) => [one.tag, one]));
  const kept = new Set(held.filter((one) => isSame(one, wanted.get(one.tag))).map(({ tag }) => tag));
  const removed = held.filter(({ tag }) => !kept.has(tag));
  const added = file.content.filter(({ tag }) => !kept.has(tag));
  if (removed.length > 0) {
    await tx.run("update signatures set to_file = :file, valid_to = greatest(:now, valid_from) where id = any(:ids)", {
      file: file.id,
      now,
      ids: removed.map((one) => one.id),
    });
  }
  if (added.length > 0) {
    await tx.run(
      `insert into signatures(collection_id, incarnation, role, tag, digest, length, from_file, valid_from)
       select :id, :incarnation, :role, s.tag, s.digest, s.length, :file, :now
       from unnest(cast(:tags as text[]), cast(:digests as bytea[]), cast(:lengths as bigint[])) as s(tag, digest, length)`,
      {
        id,
        incarnation,
        role: file.role,
        file: file.id,
        now,
        tags: added.map((one) => one.tag),
        digests: added.map((one) => one.digest),
        lengths: added.map((one) => one.length),
      },
    );
  }
  return { added, removed };
}

function isSame(held: TagContent, wanted: TagContent | undefined): boolean {
  return wanted !== undefined && held.length === wanted.length && held.digest.equals(wanted.digest);
}

/** Whose key it is. */
export interface KeyOwner {
  readonly tufKeyId: TufKeyId;
  readonly canonicalKeyId: CanonicalKeyId;
  readonly keyType: string;
  readonly member: MemberId;
  readonly certificate: string;
}

/** The members' keys among these, ended certificates included. */
export async function ownersOf(db: Queryable, keyIds: readonly string[]): Promise<ReadonlyMap<string, KeyOwner>> {
  if (keyIds.length === 0) return new Map();
  const rows = await db.rows<KeyOwner>(
    `select tuf_key_id as "tufKeyId", canonical_key_id as "canonicalKeyId", key_type as "keyType", member_id as member, id as certificate
     from certificates where tuf_key_id = any(:keyIds)`,
    { keyIds },
  );
  return new Map(rows.map((row) => [row.tufKeyId, row]));
}

/** By member, the teams in which the member may sign the collection now: ascending, of each whether it is in releases. */
export async function teamsOf(
  db: Queryable,
  collectionId: bigint,
  members: readonly MemberId[],
): Promise<ReadonlyMap<MemberId, readonly { readonly team: TeamId; readonly inReleases: boolean }[]>> {
  const teams = new Map<MemberId, { readonly team: TeamId; readonly inReleases: boolean }[]>();
  if (members.length === 0) return teams;
  const rows = await db.rows<{ member: MemberId; team: TeamId; inReleases: boolean }>(
    `select m.member_id as member, m.team_id as team, d.in_releases as "inReleases" from memberships m
     join delegations d on d.team_id = m.team_id and d.collection_id = :collectionId and d.valid_to is null
     where m.member_id = any(:members) and m.valid_to is null order by m.member_id, m.team_id`,
    { collectionId, members },
  );
  for (const { member, ...team } of rows) teams.set(member, [...(teams.get(member) ?? []), team]);
  return teams;
}
