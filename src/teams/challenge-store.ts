import type { Queryable, Transaction } from "../database.ts";
import type { CanonicalKeyId, MemberId } from "../names.ts";
import type { ChallengeId } from "./challenge.ts";

/** What a challenge was made for. */
export interface StoredChallenge {
  readonly id: ChallengeId;
  readonly member: MemberId;
  readonly key: CanonicalKeyId;
  readonly caller: string;
  /** In whole seconds. */
  readonly expiresAt: Date;
  readonly usedAt: Date | undefined;
}

interface Row {
  readonly member_id: MemberId;
  readonly canonical_key_id: CanonicalKeyId;
  readonly actor: string;
  readonly expires_at: Date;
  readonly used_at: Date | null;
}

export async function insertChallenge(tx: Transaction, challenge: Omit<StoredChallenge, "usedAt">): Promise<void> {
  await tx.run(
    `insert into possession_challenges(nonce, member_id, canonical_key_id, actor, expires_at)
     values (:nonce, :member, :key, :caller, :expiresAt)`,
    { ...withoutId(challenge), nonce: Buffer.from(challenge.id, "hex") },
  );
}

/** The challenge, locked until the end of the transaction: whoever else would use it waits. */
export async function lockChallenge(tx: Transaction, id: ChallengeId): Promise<StoredChallenge | undefined> {
  const row = await tx.row<Row>(
    `select member_id, canonical_key_id, actor, expires_at, used_at from possession_challenges
     where nonce = :nonce for update`,
    { nonce: Buffer.from(id, "hex") },
  );
  if (row === undefined) return undefined;
  return {
    id,
    member: row.member_id,
    key: row.canonical_key_id,
    caller: row.actor,
    expiresAt: row.expires_at,
    usedAt: row.used_at ?? undefined,
  };
}

/** Uses up a challenge, which must be locked. */
export async function useChallenge(tx: Transaction, id: ChallengeId, now: Date): Promise<void> {
  await tx.run("update possession_challenges set used_at = :now where nonce = :nonce", {
    nonce: Buffer.from(id, "hex"),
    now,
  });
}

/** How many challenges of the caller could still be answered. */
export async function countOpenChallenges(db: Queryable, caller: string, now: Date): Promise<number> {
  const row = await db.row<{ open: number }>(
    `select count(*)::int as open from possession_challenges
     where actor = :caller and used_at is null and expires_at > :now`,
    { caller, now },
  );
  return row?.open ?? 0;
}

const keptMs = 86_400_000;

/** Forgets challenges a day after their end: until then a late answer is told why it is refused. Answers how many. */
export function forgetChallenges(db: Queryable, now: Date): Promise<number> {
  return db.run("delete from possession_challenges where expires_at < :before", {
    before: new Date(now.getTime() - keptMs),
  });
}

function withoutId({ member, key, caller, expiresAt }: Omit<StoredChallenge, "usedAt">) {
  return { member, key, caller, expiresAt };
}
