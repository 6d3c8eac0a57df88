import type { Call } from "../audit/call.ts";
import { type Decision, makeChange } from "../changes/mutation.ts";
import type { ChangeOptions } from "../changes/options.ts";
import type { Outcome } from "../changes/outcome.ts";
import { Fault } from "../errors.ts";
import { type Certificate, type CertificateId, noSuchCertificate, recordedCertificate } from "./certificate.ts";
import {
  findCertificate,
  findCertificateBySha256,
  findCertificatesOfKey,
  insertCertificate,
  type StoredCertificate,
  withState,
} from "./certificate-store.ts";
import { requireEtag } from "./etag.ts";
import { changeKeys } from "./key-changes.ts";
import { noSuchMember } from "./member.ts";
import { findMember, lockMember, touchMember } from "./member-store.ts";
import { type NotaryReading, readBeforeRemoval } from "./notary-reading.ts";
import { acceptProof, type PossessionProof, requireNoProofDemanded } from "./possession-proof.ts";
import { keySubject, memberSubject, recordOf, teamSubject, unchanged } from "./recording.ts";
import { recordedCertificates, wordsOnRevoked } from "./revocation.ts";
import type { TeamRoom } from "./room.ts";
import { lockKeyForRevocation, revokeKey } from "./signing-key-store.ts";
import { parseSubmitted, requireOwnKey, wordsOnSubmitted } from "./submitted-certificate.ts";
import { lockLivingTeams } from "./team-locks-store.ts";

export interface ReplaceCertificate {
  /** Any certificate of the key that goes. */
  readonly certificate: CertificateId;
  /** The certificate that comes; that it holds no private key was checked before the request was digested. */
  readonly pem: string;
  /** That the private key of the certificate that comes is held. */
  readonly proof?: PossessionProof | undefined;
}

export interface CertificateReplaced {
  /** The new certificate; undefined after a question about one that was not taken yet. */
  readonly certificate: Certificate | undefined;
  /** Every certificate of the old key. */
  readonly replaced: readonly Certificate[];
  readonly outcome: Outcome;
}

/**
 * Puts a certificate's key in the place of another key of the same member: one revision of each team takes the old key out, for ever,
 * and the new one in, so that no repository is without either at any moment. Guards refuse as in removeMember. The new key must not be
 * the old one (SAME_KEY), another member's (KEY_OWNED_BY_OTHER) or revoked (KEY_REVOKED); a key that was revoked before cannot be
 * replaced (KEY_REVOKED), unless the new certificate is there already: then all is as asked, UNCHANGED. The etag is the member's. A proof of
 * possession is asked for and judged as in submitCertificate.
 */
export async function replaceCertificate(
  room: TeamRoom,
  call: Call,
  request: ReplaceCertificate,
  options: ChangeOptions,
): Promise<CertificateReplaced> {
  const { database } = room.changing;
  const old = await findCertificate(database, request.certificate);
  if (old === undefined) throw noSuchCertificate(request.certificate);
  const reading = await readTeamsOf(room, call, old);
  const { resource, outcome } = await makeChange(room.changing, call, options, async (tx, now) => {
    const fresh = parseSubmitted({ member: old.member, pem: request.pem }, room.authorities(), now);
    const member = await lockMember(tx, old.member);
    if (member === undefined) throw noSuchMember(old.member);
    requireEtag(options, member.version);
    if (fresh.canonicalKeyId === old.canonicalKeyId) throw sameKey(old);
    const own = await requireOwnKey(tx, fresh);
    const key = await lockKeyForRevocation(tx, old.canonicalKeyId);
    const known = await findCertificateBySha256(tx, fresh.sha256);
    const certificates = await findCertificatesOfKey(tx, old.canonicalKeyId);
    if (key.revocationReason !== undefined) return replacedBefore(old, certificates, known);
    const proved = request.proof && (await acceptProof(tx, call, fresh, request.proof, now));
    const teams = await lockLivingTeams(tx, member.teams);
    const isProved = proved !== undefined || own.provedAt !== undefined;
    await requireNoProofDemanded(tx, teams, member.id, isProved ? [] : [fresh.canonicalKeyId]);
    const change = { call, options, teams, kind: "CERTIFICATE_CHANGE" as const, reading, now };
    const summary = `Key ${old.canonicalKeyId} of member ${member.id} is replaced; it could sign for no team.`;
    const changed = await changeKeys(room, tx, change, summary, async () => {
      if (known === undefined) await insertCertificate(tx, fresh);
      await revokeKey(tx, old.canonicalKeyId, "SUPERSEDED", now);
      await touchMember(tx, member.id);
    });
    return {
      plan: changed.plan,
      changed: true,
      record: recordOf({
        eventType: "key.replaced.v1",
        severity: "NOTICE",
        subject: keySubject(old.canonicalKeyId),
        about: [keySubject(fresh.canonicalKeyId), memberSubject(member.id), ...teams.map(teamSubject)],
        before: { ...recordedCertificates(certificates), by: known === undefined ? null : recordedCertificate(known) },
        after: {
          ...recordedCertificates(await findCertificatesOfKey(tx, old.canonicalKeyId)),
          by: recordedCertificate({ ...(known ?? fresh), provedAt: proved === undefined ? own.provedAt : now }),
        },
        diff: [
          `key ${old.canonicalKeyId} of member ${member.id} replaced by key ${fresh.canonicalKeyId}`,
          ...wordsOnRevoked(certificates, "SUPERSEDED"),
          ...(known === undefined ? wordsOnSubmitted(fresh) : []),
          ...(proved === undefined ? [] : [proved]),
          ...changed.words,
        ],
      }),
      commitment: changed.commitment,
      resource: (known ?? fresh).id,
    };
  });
  const now = room.changing.now();
  const certificate = await findCertificate(database, resource as CertificateId);
  const replaced = await findCertificatesOfKey(database, old.canonicalKeyId);
  return {
    certificate: certificate && withState(certificate, now),
    replaced: replaced.map((one) => withState(one, now)),
    outcome,
  };
}

/** Only a key that is in force takes something away from its member's teams. */
async function readTeamsOf(room: TeamRoom, call: Call, old: StoredCertificate): Promise<NotaryReading> {
  const member = old.revokedAt === undefined ? await findMember(room.changing.database, old.member) : undefined;
  return await readBeforeRemoval(room, call, member?.teams ?? []);
}

function replacedBefore(
  old: StoredCertificate,
  certificates: readonly StoredCertificate[],
  known: StoredCertificate | undefined,
): Decision {
  const metadata = { canonical_key_id: old.canonicalKeyId };
  if (known === undefined) {
    throw new Fault(
      "KEY_REVOKED",
      "The key to be replaced was revoked before and can sign nothing; submit the new certificate by itself.",
      { metadata },
    );
  }
  return unchanged({
    subject: keySubject(old.canonicalKeyId),
    about: [keySubject(known.canonicalKeyId), memberSubject(old.member)],
    state: { ...recordedCertificates(certificates), by: recordedCertificate(known) },
    summary: `Key ${old.canonicalKeyId} is revoked already, and member ${old.member} has the new certificate.`,
    resource: known.id,
  });
}

function sameKey(old: StoredCertificate): Fault {
  return new Fault(
    "SAME_KEY",
    "This certificate is of the very key that it is to replace; make a new key. To add a certificate of the same key, submit it.",
    { metadata: { canonical_key_id: old.canonicalKeyId } },
  );
}
