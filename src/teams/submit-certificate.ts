import type { Call } from "../audit/call.ts";
import { type Decision, makeChange } from "../changes/mutation.ts";
import type { ChangeOptions } from "../changes/options.ts";
import { nothingToPublish, type Outcome } from "../changes/outcome.ts";
import { quietPlan } from "../changes/plan.ts";
import type { Transaction } from "../database.ts";
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
import { acceptProof, requireNoProofDemanded } from "./possession-proof.ts";
import { keySubject, memberSubject, recordOf, teamSubject, unchanged } from "./recording.ts";
import type { TeamRoom } from "./room.ts";
import {
  keyOfSubmitted,
  type ProvedCertificate,
  parseSubmitted,
  requireOwnKey,
  wordsOnSubmitted,
} from "./submitted-certificate.ts";
import { lockLivingTeams } from "./team-locks-store.ts";

/**
 * Takes a member's certificate: its key may then sign for every team the member is in. The same certificate again is UNCHANGED;
 * further certificates of the member's key are taken. INVALID_FIELD names every fault of the certificate; a key that belongs to
 * somebody else is KEY_OWNED_BY_OTHER, a revoked one KEY_REVOKED, for ever. The etag is the member's. A proof of possession is judged
 * where the key was never proved, or the certificate is new; without one, a key that was never proved is POSSESSION_UNPROVEN for the
 * teams that take proved keys only. A certificate that was taken without a proof is proved by bringing it again with one.
 */
export async function submitCertificate(
  room: TeamRoom,
  call: Call,
  request: ProvedCertificate,
  options: ChangeOptions,
): Promise<{ readonly certificate: Certificate | undefined; readonly outcome: Outcome }> {
  const reading = await readBefore(room, call, request);
  const { resource, outcome } = await makeChange(room.changing, call, options, async (tx, now) => {
    const certificate = parseSubmitted(request, room.authorities(), now);
    const member = await lockMember(tx, request.member);
    if (member === undefined) throw noSuchMember(request.member);
    requireEtag(options, member.version);
    const key = await requireOwnKey(tx, certificate);
    const known = await findCertificateBySha256(tx, certificate.sha256);
    if (known !== undefined && (key.provedAt !== undefined || request.proof === undefined)) return same(known);
    const proved = request.proof && (await acceptProof(tx, call, certificate, request.proof, now));
    if (known !== undefined) return await provedNow(tx, known, proved ?? "", now);
    const teams = await lockLivingTeams(tx, member.teams);
    const isProved = proved !== undefined || key.provedAt !== undefined;
    await requireNoProofDemanded(tx, teams, member.id, isProved ? [] : [certificate.canonicalKeyId]);
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
        after: recordedCertificate({ ...certificate, provedAt: proved === undefined ? key.provedAt : now }),
        diff: [...wordsOnSubmitted(certificate), ...(proved === undefined ? [] : [proved]), ...changed.words],
      }),
      commitment: changed.commitment,
      resource: certificate.id,
    };
  });
  const now = room.changing.now();
  const certificate = await findCertificate(room.changing.database, resource as CertificateId);
  return { certificate: certificate === undefined ? undefined : withState(certificate, now), outcome };
}

/**
 * What the certificate's key may have signed before: while it was in use, or together with somebody who could sign. A certificate that cannot be taken is
 * left to the change to refuse, where a repeat with the same request_id comes first.
 */
async function readBefore(room: TeamRoom, call: Call, request: ProvedCertificate): Promise<NotaryReading> {
  const key = keyOfSubmitted(request.pem, room.changing.now());
  const member = await findMember(room.changing.database, request.member);
  return await readBeforeAddition(room, call, member?.teams ?? [], key === undefined ? [] : [key]);
}

/** The decision where a certificate that was taken before is proved now: no key moves. */
async function provedNow(tx: Transaction, known: StoredCertificate, words: string, now: Date): Promise<Decision> {
  await touchMember(tx, known.member);
  return {
    plan: quietPlan(`Possession of key ${known.canonicalKeyId} of member ${known.member} is proved.`),
    changed: true,
    record: recordOf({
      eventType: "key.proved.v1",
      severity: "NOTICE",
      subject: keySubject(known.canonicalKeyId),
      about: [memberSubject(known.member)],
      before: recordedCertificate(known),
      after: recordedCertificate({ ...known, provedAt: now }),
      diff: [words],
    }),
    commitment: nothingToPublish,
    resource: known.id,
  };
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
