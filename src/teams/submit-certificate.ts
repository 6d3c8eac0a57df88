import { randomUUID } from "node:crypto";
import type { Call } from "../audit/call.ts";
import { type Decision, makeChange } from "../changes/mutation.ts";
import type { ChangeOptions } from "../changes/options.ts";
import type { Outcome } from "../changes/outcome.ts";
import type { Transaction } from "../database.ts";
import { Fault, type FieldFault } from "../errors.ts";
import type { MemberId } from "../names.ts";
import { canonicalKeyIdOf, certificateKey, tufKeyIdOf } from "../tuf/key.ts";
import { parseDelegationCertificate } from "../x509/certificate.ts";
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
import { claimKey } from "./signing-key-store.ts";
import { lockLivingTeams } from "./team-locks-store.ts";

export interface SubmitCertificate {
  readonly member: MemberId;
  /** One certificate, or a chain that begins with it. That it holds no private key was checked before the request was digested. */
  readonly pem: string;
}

/**
 * Takes a member's certificate: its key may then sign for every team the member is in. The same certificate again is UNCHANGED;
 * further certificates of the member's key are taken. INVALID_FIELD names every fault of the certificate; a key that belongs to
 * somebody else is KEY_OWNED_BY_OTHER, a revoked one KEY_REVOKED, for ever. The etag is the member's.
 */
export async function submitCertificate(
  room: TeamRoom,
  call: Call,
  request: SubmitCertificate,
  options: ChangeOptions,
): Promise<{ readonly certificate: Certificate | undefined; readonly outcome: Outcome }> {
  const reading = await readBefore(room, call, request);
  const { resource, outcome } = await makeChange(room.changing, call, options, async (tx, now) => {
    const certificate = parsedCertificate(request, now);
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
        diff: [...wordsOn(certificate), ...changed.words],
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
async function readBefore(room: TeamRoom, call: Call, request: SubmitCertificate): Promise<NotaryReading> {
  const { canonicalKeyId } = parsedCertificate(request, room.changing.now());
  const member = await findMember(room.changing.database, request.member);
  return await readBeforeAddition(room, call, member?.teams ?? [], [canonicalKeyId]);
}

/** What is wrong with a certificate, as faults of the field it came in; it may have ended since it was submitted first. */
export function certificateFaults(pem: string, now: Date): readonly FieldFault[] {
  const parsed = parseDelegationCertificate(pem, now);
  return parsed.ok ? [] : fieldFaults(parsed.faults);
}

function parsedCertificate(request: SubmitCertificate, now: Date): StoredCertificate {
  const parsed = parseDelegationCertificate(request.pem, now);
  if (!parsed.ok) {
    throw new Fault("INVALID_FIELD", "The certificate cannot be delegated to.", {
      fields: fieldFaults(parsed.faults),
    });
  }
  const { value } = parsed;
  const key = certificateKey(value.pem);
  return {
    id: randomUUID() as CertificateId,
    member: request.member,
    sha256: value.sha256,
    tufKeyId: tufKeyIdOf(key),
    canonicalKeyId: canonicalKeyIdOf(key),
    keyType: key.keyType,
    subject: value.subject,
    issuer: value.issuer,
    serial: value.serial,
    notBefore: value.notBefore,
    notAfter: value.notAfter,
    pem: key.public.toString(),
    createdAt: now,
    revokedAt: undefined,
    revocationReason: undefined,
  };
}

function fieldFaults(faults: readonly string[]): readonly FieldFault[] {
  return faults.map((fault) => ({ field: "certificate_pem", fault }));
}

async function requireOwnKey(tx: Transaction, certificate: StoredCertificate): Promise<void> {
  const key = await claimKey(tx, certificate.canonicalKeyId, certificate.member);
  const metadata = { canonical_key_id: certificate.canonicalKeyId };
  if (key.member !== certificate.member) {
    throw new Fault("KEY_OWNED_BY_OTHER", "This key belongs to another member; every member needs a key of its own.", {
      metadata,
    });
  }
  if (key.revocationReason !== undefined) {
    throw new Fault(
      "KEY_REVOKED",
      "This key was revoked and never comes back; make a new key and submit its certificate.",
      {
        metadata,
      },
    );
  }
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

function wordsOn(certificate: StoredCertificate): readonly string[] {
  const validity = `${certificate.notBefore.toISOString()} to ${certificate.notAfter.toISOString()}`;
  return [
    `certificate ${certificate.sha256} (SHA-256) submitted for member ${certificate.member}`,
    `subject ${certificate.subject}, serial ${certificate.serial}, valid ${validity}`,
    `key ${certificate.tufKeyId}, canonical ${certificate.canonicalKeyId}`,
  ];
}
