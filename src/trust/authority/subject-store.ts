import type { Queryable } from "../../database.ts";
import { type CanonicalKeyId, endOfPrefix, type Gun, type MemberId, type TeamId, type TufKeyId } from "../../names.ts";
import type { KeyName } from "./right.ts";

/** Since when a collection is known, and its identity. */
export function findKnown(
  db: Queryable,
  gun: Gun,
): Promise<{ readonly id: bigint; readonly knownSince: Date } | undefined> {
  return db.row(`select id, known_since as "knownSince" from collections where gun = :gun`, { gun });
}

/** Since when all collections whose GUN begins so are known; null where there are none. */
export async function allKnownSince(db: Queryable, gunPrefix: string): Promise<Date | null> {
  const row = await db.row<{ since: Date | null }>(
    gunPrefix === ""
      ? "select max(known_since) as since from collections"
      : "select max(known_since) as since from collections where gun >= :prefix and gun < :prefixEnd",
    gunPrefix === "" ? {} : { prefix: gunPrefix, prefixEnd: endOfPrefix(gunPrefix) },
  );
  return row?.since ?? null;
}

/** Whether there is such a team, or ever was. */
export async function wasTeam(db: Queryable, team: TeamId): Promise<boolean> {
  return (await db.row("select 1 from teams where id = :team", { team })) !== undefined;
}

export async function isMember(db: Queryable, member: MemberId): Promise<boolean> {
  return (await db.row("select 1 from members where id = :member", { member })) !== undefined;
}

/** A key that is or was in somebody's hands; `member` is null for one that only a targets file ever named. */
export interface KnownKey {
  readonly member: MemberId | null;
  readonly tufKeyId: TufKeyId;
  readonly canonicalKeyId: CanonicalKeyId;
}

/** Every key of the member, revoked ones included: one for each certificate. */
export function keysOfMember(db: Queryable, member: MemberId): Promise<readonly KnownKey[]> {
  return db.rows(
    `select member_id as member, tuf_key_id as "tufKeyId", canonical_key_id as "canonicalKeyId" from certificates
     where member_id = :member`,
    { member },
  );
}

/** The keys of that name: of each certificate that has it, or else of the targets files that name it by its canonical id. */
export async function keysNamed(db: Queryable, name: KeyName): Promise<readonly KnownKey[]> {
  const submitted = await db.rows<KnownKey>(
    `select member_id as member, tuf_key_id as "tufKeyId", canonical_key_id as "canonicalKeyId" from certificates
     where sha256 = :sha256 or tuf_key_id = :name or canonical_key_id = :name`,
    { name, sha256: Buffer.from(name, "hex") },
  );
  if (submitted.length > 0) return submitted;
  return await db.rows<KnownKey>(
    `select distinct null as member, tuf_key_id as "tufKeyId", canonical_key_id as "canonicalKeyId" from live_keys
     where canonical_key_id = :name`,
    { name },
  );
}
