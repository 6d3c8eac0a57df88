import type { Call } from "../audit/call.ts";
import { type Decision, makeChange } from "../changes/mutation.ts";
import type { ChangeOptions } from "../changes/options.ts";
import type { Outcome } from "../changes/outcome.ts";
import { type Certificate, type CertificateId, noSuchCertificate, type RevocationReason } from "./certificate.ts";
import { findCertificate, findCertificatesOfKey, type StoredCertificate, withState } from "./certificate-store.ts";
import { requireEtag } from "./etag.ts";
import { changeKeys } from "./key-changes.ts";
import { noSuchMember } from "./member.ts";
import { findMember, lockMember, touchMember } from "./member-store.ts";
import type { NotaryReading } from "./notary-reading.ts";
import { keySubject, memberSubject, recordOf, teamSubject, unchanged } from "./recording.ts";
import {
  guardedBy,
  readBeforeRevocation,
  recordedCertificates,
  requireExplanation,
  saysMore,
  wordsOnRevoked,
} from "./revocation.ts";
import type { TeamRoom } from "./room.ts";
import { lockKeyForRevocation, revokeKey } from "./signing-key-store.ts";
import { lockLivingTeams } from "./team-locks-store.ts";

export interface RevokeCertificate {
  readonly certificate: CertificateId;
  readonly reason: RevocationReason;
}

/**
 * Revokes the key of a certificate, and with it every certificate of that key, for ever: it may sign for no team any more.
 * Guards refuse as in removeMember; for a COMPROMISED key they only warn in the plan, and that reason needs an explanation.
 * A key revoked before is UNCHANGED and keeps its reason, unless it is now found COMPROMISED. The etag is the member's.
 */
export async function revokeCertificate(
  room: TeamRoom,
  call: Call,
  request: RevokeCertificate,
  options: ChangeOptions,
): Promise<{ readonly certificates: readonly Certificate[]; readonly outcome: Outcome }> {
  requireExplanation(request.reason, options);
  const { database } = room.changing;
  const found = await findCertificate(database, request.certificate);
  if (found === undefined) throw noSuchCertificate(request.certificate);
  const reading = await readTeamsOf(room, call, request, found);
  const { outcome } = await makeChange(room.changing, call, options, async (tx, now) => {
    const member = await lockMember(tx, found.member);
    if (member === undefined) throw noSuchMember(found.member);
    requireEtag(options, member.version);
    const key = await lockKeyForRevocation(tx, found.canonicalKeyId);
    const certificates = await findCertificatesOfKey(tx, found.canonicalKeyId);
    if (!saysMore(request.reason, key.revocationReason)) return same(found, certificates);
    const teams = await lockLivingTeams(tx, member.teams);
    const guarded = guardedBy(request.reason, options);
    const change = { call, options: guarded, teams, kind: "CERTIFICATE_CHANGE" as const, reading, now };
    const changed = await changeKeys(room, tx, change, summaryOf(found, request), async () => {
      await revokeKey(tx, found.canonicalKeyId, request.reason, now);
      await touchMember(tx, member.id);
    });
    return {
      plan: changed.plan,
      changed: true,
      record: recordOf({
        eventType: "key.revoked.v1",
        severity: request.reason === "COMPROMISED" ? "WARNING" : "NOTICE",
        subject: keySubject(found.canonicalKeyId),
        about: [memberSubject(member.id), ...teams.map(teamSubject)],
        before: recordedCertificates(certificates),
        after: recordedCertificates(await findCertificatesOfKey(tx, found.canonicalKeyId)),
        diff: [...wordsOnRevoked(certificates, request.reason), ...changed.words],
      }),
      commitment: changed.commitment,
      resource: found.canonicalKeyId,
    };
  });
  const certificates = await findCertificatesOfKey(database, found.canonicalKeyId);
  const now = room.changing.now();
  return { certificates: certificates.map((certificate) => withState(certificate, now)), outcome };
}

/** Only a key that is in force takes something away from its member's teams. */
async function readTeamsOf(
  room: TeamRoom,
  call: Call,
  request: RevokeCertificate,
  found: StoredCertificate,
): Promise<NotaryReading> {
  const member = found.revokedAt === undefined ? await findMember(room.changing.database, found.member) : undefined;
  return await readBeforeRevocation(room, call, request.reason, member?.teams ?? []);
}

function summaryOf(found: StoredCertificate, request: RevokeCertificate): string {
  return `Key ${found.canonicalKeyId} is revoked as ${request.reason}; it could sign for no team.`;
}

function same(found: StoredCertificate, certificates: readonly StoredCertificate[]): Decision {
  return unchanged({
    subject: keySubject(found.canonicalKeyId),
    about: [memberSubject(found.member)],
    state: recordedCertificates(certificates),
    summary: `Key ${found.canonicalKeyId} is revoked already.`,
    resource: found.canonicalKeyId,
  });
}
