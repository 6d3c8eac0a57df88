import type { Call } from "../audit/call.ts";
import type { Json } from "../audit/record.ts";
import { type Decision, makeChange } from "../changes/mutation.ts";
import type { ChangeOptions } from "../changes/options.ts";
import type { Outcome } from "../changes/outcome.ts";
import { Fault } from "../errors.ts";
import type { Parsed } from "../names.ts";
import {
  type Certificate,
  type CertificateId,
  noSuchCertificate,
  type RevocationReason,
  recordedCertificate,
} from "./certificate.ts";
import { findCertificate, findCertificatesOfKey, type StoredCertificate, withState } from "./certificate-store.ts";
import { requireEtag } from "./etag.ts";
import { changeKeys } from "./key-changes.ts";
import { noSuchMember } from "./member.ts";
import { findMember, lockMember, touchMember } from "./member-store.ts";
import { type NotaryReading, readBeforeRemoval, withoutObstacles } from "./notary-reading.ts";
import { keySubject, memberSubject, recordOf, teamSubject, unchanged } from "./recording.ts";
import type { TeamRoom } from "./room.ts";
import { lockKeyForRevocation, revokeKey } from "./signing-key-store.ts";
import { lockLivingTeams } from "./team-locks-store.ts";

export interface RevokeCertificate {
  readonly certificate: CertificateId;
  readonly reason: RevocationReason;
}

/**
 * Revokes the key of a certificate, and with it every certificate of that key, for ever: it may sign for no team any more.
 * Guards refuse as in removeMember, but for a COMPROMISED key an unreadable Notary does not; that reason needs an explanation.
 * A key revoked before is UNCHANGED and keeps its reason, unless it is now found COMPROMISED. The etag is the member's.
 */
export async function revokeCertificate(
  room: TeamRoom,
  call: Call,
  request: RevokeCertificate,
  options: ChangeOptions,
): Promise<{ readonly certificates: readonly Certificate[]; readonly outcome: Outcome }> {
  requireExplanation(request, options);
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
    const change = { call, options, teams, kind: "CERTIFICATE_CHANGE" as const, reading, now };
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
        before: recordedKey(certificates),
        after: recordedKey(await findCertificatesOfKey(tx, found.canonicalKeyId)),
        diff: [...wordsOn(certificates, request), ...changed.words],
      }),
      commitment: changed.commitment,
      resource: found.canonicalKeyId,
    };
  });
  const certificates = await findCertificatesOfKey(database, found.canonicalKeyId);
  const now = room.changing.now();
  return { certificates: certificates.map((certificate) => withState(certificate, now)), outcome };
}

/** Parses the words in which a caller explains a revocation: a compromise must be explained. */
export function parseExplanation(reason: RevocationReason, words: string): Parsed<string> {
  if (reason !== "COMPROMISED" || words.trim() !== "") return { ok: true, value: words };
  return { ok: false, fault: "must not be empty when revocation_reason is COMPROMISED" };
}

function requireExplanation(request: RevokeCertificate, options: ChangeOptions): void {
  const parsed = parseExplanation(request.reason, options.reason);
  if (parsed.ok) return;
  throw new Fault("INVALID_FIELD", "A compromise must be explained: say in options.reason what happened.", {
    fields: [{ field: "options.reason", fault: parsed.fault }],
  });
}

/** Only a key that is in force takes something away from its member's teams. */
async function readTeamsOf(
  room: TeamRoom,
  call: Call,
  request: RevokeCertificate,
  found: StoredCertificate,
): Promise<NotaryReading> {
  const member = found.revokedAt === undefined ? await findMember(room.changing.database, found.member) : undefined;
  const reading = await readBeforeRemoval(room, call, member?.teams ?? []);
  return request.reason === "COMPROMISED" ? withoutObstacles(reading) : reading;
}

function saysMore(reason: RevocationReason, earlier: RevocationReason | undefined): boolean {
  return earlier === undefined || (reason === "COMPROMISED" && earlier !== "COMPROMISED");
}

function summaryOf(found: StoredCertificate, request: RevokeCertificate): string {
  return `Key ${found.canonicalKeyId} is revoked as ${request.reason}; it could sign for no team.`;
}

function same(found: StoredCertificate, certificates: readonly StoredCertificate[]): Decision {
  return unchanged({
    subject: keySubject(found.canonicalKeyId),
    about: [memberSubject(found.member)],
    state: recordedKey(certificates),
    summary: `Key ${found.canonicalKeyId} is revoked already.`,
    resource: found.canonicalKeyId,
  });
}

function recordedKey(certificates: readonly StoredCertificate[]): Json {
  return { certificates: certificates.map(recordedCertificate) };
}

function wordsOn(certificates: readonly StoredCertificate[], request: RevokeCertificate): readonly string[] {
  return certificates.flatMap((certificate) => [
    `key ${certificate.tufKeyId}, canonical ${certificate.canonicalKeyId}, of member ${certificate.member} revoked as ${request.reason}`,
    `certificate ${certificate.sha256} (SHA-256), subject ${certificate.subject}, serial ${certificate.serial}`,
  ]);
}
