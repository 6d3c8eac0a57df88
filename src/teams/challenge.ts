import { readLog } from "../audit/log-store.ts";
import type { Queryable } from "../database.ts";
import type { Parsed } from "../names.ts";
import { possessionText } from "../x509/possession.ts";
import type { StoredChallenge } from "./challenge-store.ts";

declare const brand: unique symbol;
/** The id of a challenge, which is its nonce: 64 hex digits. */
export type ChallengeId = string & { readonly [brand]: "ChallengeId" };

/** Parses the id of a challenge, as CreatePossessionChallenge gave it. */
export function parseChallengeId(text: string): Parsed<ChallengeId> {
  if (/^[0-9a-f]{64}$/.test(text)) return { ok: true, value: text as ChallengeId };
  return { ok: false, fault: "must be the id of a challenge: 64 hex digits in lower case" };
}

/** The bytes that answer the challenge when they are signed, made of what is stored. The service is named by its audit log. */
export async function textOfChallenge(db: Queryable, challenge: Omit<StoredChallenge, "usedAt">): Promise<string> {
  const { origin } = await readLog(db);
  return possessionText({ ...challenge, audience: origin, nonce: challenge.id });
}
