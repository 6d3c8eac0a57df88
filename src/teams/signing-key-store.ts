import type { Queryable, Transaction } from "../database.ts";
import type { CanonicalKeyId, MemberId } from "../names.ts";
import type { RevocationReason } from "./certificate.ts";

/** A member's key: one key belongs to one member for ever, and a revoked key never comes back. */
export interface SigningKey {
  readonly member: MemberId;
  readonly revocationReason: RevocationReason | undefined;
  /** When possession of it was proved. */
  readonly provedAt: Date | undefined;
}

interface Row {
  readonly member_id: MemberId;
  readonly revocation_reason: RevocationReason | null;
  readonly proved_at: Date | null;
}

/** The key, if anybody ever had it. */
export async function findKey(db: Queryable, key: CanonicalKeyId): Promise<SigningKey | undefined> {
  const row = await db.row<Row>(
    "select member_id, revocation_reason, proved_at from signing_keys where canonical_key_id = :key",
    { key },
  );
  return row === undefined ? undefined : keyOf(row);
}

/**
 * Gives the key to the member where nobody has it yet, and answers who has it and whether it is revoked. The row is locked
 * FOR SHARE: no revocation can pass until the transaction ends.
 */
export async function claimKey(tx: Transaction, key: CanonicalKeyId, member: MemberId): Promise<SigningKey> {
  await tx.run("insert into signing_keys(canonical_key_id, member_id) values (:key, :member) on conflict do nothing", {
    key,
    member,
  });
  return await lockKey(tx, key, "for share");
}

/** Locks a known key for its revocation: submissions of its certificates wait. */
export function lockKeyForRevocation(tx: Transaction, key: CanonicalKeyId): Promise<SigningKey> {
  return lockKey(tx, key, "for no key update");
}

/** Locks every key of a member for its revocation, in ascending order. */
export async function lockKeysOfMember(
  tx: Transaction,
  member: MemberId,
): Promise<readonly { readonly id: CanonicalKeyId; readonly revocationReason: RevocationReason | undefined }[]> {
  const rows = await tx.rows<{ id: CanonicalKeyId; reason: RevocationReason | null }>(
    `select canonical_key_id as id, revocation_reason as reason from signing_keys where member_id = :member
     order by canonical_key_id for no key update`,
    { member },
  );
  return rows.map(({ id, reason }) => ({ id, revocationReason: reason ?? undefined }));
}

/** Notes that possession of the key is proved; the first time counts. Its member must be locked. */
export async function markProved(tx: Transaction, key: CanonicalKeyId, now: Date): Promise<void> {
  await tx.run("update signing_keys set proved_at = :now where canonical_key_id = :key and proved_at is null", {
    key,
    now,
  });
}

/** The members' keys in force of which possession was never proved, by member. */
export async function unprovenKeysOf(
  db: Queryable,
  members: readonly MemberId[],
): Promise<readonly { readonly id: CanonicalKeyId; readonly member: MemberId }[]> {
  return await db.rows<{ id: CanonicalKeyId; member: MemberId }>(
    `select canonical_key_id as id, member_id as member from signing_keys
     where member_id = any(:members) and revoked_at is null and proved_at is null order by member_id, canonical_key_id`,
    { members },
  );
}

/** Revokes the key and ends every certificate of it; a key revoked before keeps its time and takes the new reason. */
export async function revokeKey(
  tx: Transaction,
  key: CanonicalKeyId,
  reason: RevocationReason,
  now: Date,
): Promise<void> {
  await tx.run(
    `update signing_keys set revoked_at = coalesce(revoked_at, :now), revocation_reason = :reason
     where canonical_key_id = :key`,
    { key, reason, now },
  );
  await tx.run(
    "update certificates set valid_to = greatest(valid_from, :now) where canonical_key_id = :key and valid_to is null",
    { key, now },
  );
}

async function lockKey(
  tx: Transaction,
  key: CanonicalKeyId,
  strength: "for share" | "for no key update",
): Promise<SigningKey> {
  const row = await tx.row<Row>(
    `select member_id, revocation_reason, proved_at from signing_keys where canonical_key_id = :key ${strength}`,
    { key },
  );
  if (row === undefined) throw new Error("A key that was claimed is gone.");
  return keyOf(row);
}

function keyOf(row: Row): SigningKey {
  return {
    member: row.member_id,
    revocationReason: row.revocation_reason ?? undefined,
    provedAt: row.proved_at ?? undefined,
  };
}
