import { randomBytes } from "node:crypto";
import type { Call } from "../audit/call.ts";
import { Fault } from "../errors.ts";
import type { CanonicalKeyId } from "../names.ts";
import { type ChallengeId, textOfChallenge } from "./challenge.ts";
import { countOpenChallenges, insertChallenge } from "./challenge-store.ts";
import { noSuchMember } from "./member.ts";
import { findMember } from "./member-store.ts";
import { keySubject, memberSubject, recordOf } from "./recording.ts";
import type { TeamRoom } from "./room.ts";
import { findKey } from "./signing-key-store.ts";
import { parseSubmitted, requireUsable, type SubmittedCertificate } from "./submitted-certificate.ts";

/** What is to be signed to prove possession of a private key. */
export interface PossessionChallenge {
  readonly id: ChallengeId;
  readonly text: string;
  readonly key: CanonicalKeyId;
  readonly expiresAt: Date;
}

const lifeMs = 600_000;
const mostOpen = 1_000;

/**
 * Makes a challenge for a member, the key of a certificate, and the caller; it counts once, for ten minutes. Refused as
 * submitCertificate would be for what no proof can mend: INVALID_FIELD, KEY_OWNED_BY_OTHER, KEY_REVOKED, REVOCATION_UNKNOWN.
 * TOO_MANY_CHALLENGES keeps a caller from filling the database.
 */
export async function createChallenge(
  room: TeamRoom,
  call: Call,
  request: SubmittedCertificate,
): Promise<PossessionChallenge> {
  const { database, append } = room.changing;
  room.changing.admit();
  return await database.transaction(async (tx) => {
    const now = room.changing.now();
    const certificate = parseSubmitted(request, room.authorities(), now);
    if ((await findMember(tx, request.member)) === undefined) throw noSuchMember(request.member);
    const key = await findKey(tx, certificate.canonicalKeyId);
    if (key !== undefined) requireUsable(key, certificate);
    if ((await countOpenChallenges(tx, call.actor.id, now)) >= mostOpen) throw tooMany();
    const challenge = {
      id: randomBytes(32).toString("hex") as ChallengeId,
      member: request.member,
      key: certificate.canonicalKeyId,
      caller: call.actor.id,
      expiresAt: new Date(Math.floor((now.getTime() + lifeMs) / 1_000) * 1_000),
    };
    await insertChallenge(tx, challenge);
    const ends = challenge.expiresAt.toISOString();
    const record = recordOf({
      eventType: "key.challenged.v1",
      severity: "INFO",
      subject: keySubject(challenge.key),
      about: [memberSubject(challenge.member)],
      before: null,
      after: { challenge: challenge.id, member: challenge.member, canonical_key_id: challenge.key, expires: ends },
      diff: [`challenge ${challenge.id} made for key ${challenge.key} of member ${challenge.member}, until ${ends}`],
    });
    await append(tx, call, record, now);
    return { ...challenge, text: await textOfChallenge(tx, challenge) };
  });
}

function tooMany(): Fault {
  return new Fault(
    "TOO_MANY_CHALLENGES",
    `You have ${mostOpen} challenges that were not answered; answer some, or wait ten minutes until they have ended.`,
  );
}
