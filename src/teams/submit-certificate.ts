import type { Call } from "../audit/call.ts";
import { type Decision, makeChange } from "../changes/mutation.ts";
import type { ChangeOptions } from "../changes/options.ts";
import type { Outcome } from "../changes/outcome.ts";
import { type Certificate, type CertificateId, recordedCertificate } from "./certificate.ts";
import {
  findCertificate,
  findCertificateBySha256,
  insertCertificate,
  type StoredCertificate,
  withState,
} from "./certificate-store.ts";
import { requireEtag } from "./etag.ts";
import { changeKeys } from "./key-changes.ts";
import { noSuchMember } from "./member.ts";
import { findMember, lockMember, touchMember } from "./member-store.ts";
import { type NotaryReading, readBeforeAddition } from "./notary-reading.ts";
import { keySubject, memberSubject, recordOf, teamSubject, unchanged } from "./recording.ts";
import type { TeamRoom } from "./room.ts";
import { parseSubmitted, requireOwnKey, type SubmittedCertificate, wordsOnSubmitted } from "./submitted-certificate.ts";
import { lockLivingTeams } from "./team-locks-store.ts";

/**
 * Takes a member's certificate: its key may then sign for every team the member is in. The same certificate again is UNCHANGED;
 * further certificates of the member's key are taken. INVALID_FIELD names every fault of the certificate; a key that belongs to
 * somebody else is KEY_OWNED_BY_OTHER, a revoked one KEY_REVOKED, for ever. The etag is the member's.
 */
export async function submitCertificate(
  room: TeamRoom,
  call: Call,
  request: SubmittedCertificate,
  options: ChangeOptions,
): Promise<{ readonly certificate: Certificate | undefined; readonly outcome: Outcome }> {
  const reading = await readBefore(room, call, request);
  const { resource, outcome } = await makeChange(room.changing, call, options, async (tx, now) => {
    const certificate = parseSubmitted(request, now);
    const member = await lockMember(tx, request.member);
    if (member === undefined) throw noSuchMember(request.member);
    requireEtag(options, member.version);
    await requireOwnKey(tx, certificate);
    const known = await findCertificateBySha256(tx, certificate.sha256);
    if (known !== undefined) return same(known);
    const teams = await lockLivingTeams(tx, member.teams);
    const change = { call, options, teams, kind: "CERTIFICATE_CHANGE" as const, reading, now };
    const summary = `Member ${member.id} has a further certificate and is in no team; no key may sign that could not before.`;
    const changed = await changeKeys(room, tx, change, summary, async () => {
      await insertCertificate(tx, certificate);
      await touchMember(tx, member.id);
    });
    return {
      plan: changed.plan,
      changed: true,
      record: recordOf({
        eventType: "certificate.submitted.v1",
        severity: "NOTICE",
        subject: keySubject(certificate.canonicalKeyId),
        about: [memberSubject(member.id), ...teams.map(teamSubject)],
        before: null,
        after: recordedCertificate(certificate),
        diff: [...wordsOnSubmitted(certificate), ...changed.words],
      }),
      commitment: changed.commitment,
      resource: certificate.id,
    };
  });
  const now = room.changing.now();
  const certificate = await findCertificate(room.changing.database, resource as CertificateId);
  return { certificate: certificate === undefined ? undefined : withState(certificate, now), outcome };
}

/** What the certificate's key may have signed before it was taken out of use and comes back now. */
async function readBefore(room: TeamRoom, call: Call, request: SubmittedCertificate): Promise<NotaryReading> {
  const { canonicalKeyId } = parseSubmitted(request, room.changing.now());
  const member = await findMember(room.changing.database, request.member);
  return await readBeforeAddition(room, call, member?.teams ?? [], [canonicalKeyId]);
}

function same(certificate: StoredCertificate): Decision {
  return unchanged({
    subject: keySubject(certificate.canonicalKeyId),
    about: [memberSubject(certificate.member)],
    state: recordedCertificate(certificate),
    summary: `Member ${certificate.member} has this certificate already.`,
    resource: certificate.id,
  });
}
