import { X509Certificate } from "node:crypto";
import type { Call } from "../audit/call.ts";
import type { Transaction } from "../database.ts";
import { type ErrorReason, Fault } from "../errors.ts";
import type { CanonicalKeyId, MemberId, TeamId } from "../names.ts";
import { verifiesPossession } from "../x509/possession.ts";
import type { StoredCertificate } from "./certificate-store.ts";
import { type ChallengeId, textOfChallenge } from "./challenge.ts";
import { lockChallenge, type StoredChallenge, useChallenge } from "./challenge-store.ts";
import { markProved } from "./signing-key-store.ts";
import { teamsRequiringProof } from "./team-store.ts";

/** A signature over a challenge, by the private key of the certificate it comes with. */
export interface PossessionProof {
  readonly challenge: ChallengeId;
  /** As verifiesPossession wants it. */
  readonly signature: Uint8Array;
}

/**
 * Takes the proof that the certificate's member holds its key, and uses up the challenge: with the change that the proof is for, or not
 * at all. The key must be claimed by the member. A challenge that is not the caller's, the member's or the key's, was used or has ended,
 * and a signature that does not verify, are refused each with a reason of its own. Answers the sentence for the record.
 */
export async function acceptProof(
  tx: Transaction,
  call: Call,
  certificate: StoredCertificate,
  proof: PossessionProof,
  now: Date,
): Promise<string> {
  const challenge = await lockChallenge(tx, proof.challenge);
  if (challenge === undefined) throw noSuchChallenge(proof.challenge);
  requireMeant(challenge, call, certificate, now);
  const text = await textOfChallenge(tx, challenge);
  if (!verifiesPossession(new X509Certificate(certificate.pem).publicKey, text, proof.signature)) {
    throw refused(
      "WRONG_SIGNATURE",
      "The signature is not one of the certificate's key over the exact bytes of the challenge's text; sign with SHA-256, ECDSA in " +
        "DER or RSA with PKCS#1 v1.5 or PSS padding, and answer the same challenge again.",
      challenge,
    );
  }
  await useChallenge(tx, challenge.id, now);
  await markProved(tx, certificate.canonicalKeyId, now);
  return `member ${certificate.member} proved possession of key ${certificate.canonicalKeyId} by a signature over challenge ${challenge.id}`;
}

/** Refuses with POSSESSION_UNPROVEN when one of the teams, which must be locked, takes proved keys only. */
export async function requireNoProofDemanded(
  tx: Transaction,
  teams: readonly TeamId[],
  member: MemberId,
  unproven: readonly CanonicalKeyId[],
): Promise<void> {
  if (unproven.length === 0) return;
  const demanding = await teamsRequiringProof(tx, teams);
  if (demanding.length === 0) return;
  const [keys, names] = [unproven.join(", "), demanding.join(", ")];
  throw new Fault(
    "POSSESSION_UNPROVEN",
    `Only keys whose possession was proved may sign for ${names}, and of member ${member} these were not: ${keys}. ` +
      "Prove it: ask for a challenge with CreatePossessionChallenge and submit the key's certificate with the signature " +
      "(`imagetrust certificate add --prove`); or revoke a key that nobody has any more.",
    { metadata: { member, teams: demanding.join(","), canonical_key_ids: unproven.join(",") } },
  );
}

function requireMeant(challenge: StoredChallenge, call: Call, certificate: StoredCertificate, now: Date): void {
  if (challenge.caller !== call.actor.id) {
    throw refused(
      "CHALLENGE_OF_OTHER_CALLER",
      "Another caller asked for this challenge; ask for one of your own and have it signed.",
      challenge,
    );
  }
  if (challenge.member !== certificate.member) {
    throw refused(
      "CHALLENGE_OF_OTHER_MEMBER",
      `This challenge was made for member ${challenge.member}; ask for one for member ${certificate.member}.`,
      challenge,
    );
  }
  if (challenge.key !== certificate.canonicalKeyId) {
    throw refused(
      "CHALLENGE_OF_OTHER_KEY",
      `This challenge was made for key ${challenge.key}; ask for one with this certificate.`,
      challenge,
    );
  }
  if (challenge.usedAt !== undefined) {
    throw refused(
      "CHALLENGE_USED",
      "This challenge was answered before, and counts once; ask for a new one.",
      challenge,
    );
  }
  if (challenge.expiresAt <= now) {
    throw refused(
      "CHALLENGE_EXPIRED",
      `This challenge ended ${challenge.expiresAt.toISOString()}; ask for a new one and answer it within ten minutes.`,
      challenge,
    );
  }
}

function refused(reason: ErrorReason, message: string, challenge: StoredChallenge): Fault {
  return new Fault(reason, message, { metadata: { challenge: challenge.id } });
}

function noSuchChallenge(challenge: ChallengeId): Fault {
  return new Fault(
    "NOT_FOUND",
    "There is no such challenge; challenges that ended a day ago are forgotten. Ask for one.",
    {
      metadata: { challenge },
    },
  );
}
