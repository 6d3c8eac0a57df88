import { randomUUID } from "node:crypto";
import type { Transaction } from "../database.ts";
import { Fault, type FieldFault } from "../errors.ts";
import type { MemberId } from "../names.ts";
import { canonicalKeyIdOf, certificateKey, tufKeyIdOf } from "../tuf/key.ts";
import type { Authorities } from "../x509/authorities.ts";
import { parseDelegationCertificate } from "../x509/certificate.ts";
import type { CertificateId } from "./certificate.ts";
import type { StoredCertificate } from "./certificate-store.ts";
import type { NewKey } from "./effects.ts";
import type { PossessionProof } from "./possession-proof.ts";
import { claimKey, type SigningKey } from "./signing-key-store.ts";

/** A certificate as a caller brings it for a member. */
export interface SubmittedCertificate {
  readonly member: MemberId;
  /** One certificate, or a chain that begins with it. That it holds no private key was checked before the request was digested. */
  readonly pem: string;
}

/** A certificate that is to be taken, with the proof that its private key is held, if there is one. */
export interface ProvedCertificate extends SubmittedCertificate {
  readonly proof?: PossessionProof | undefined;
}

/** What is wrong with a certificate, as faults of the field it came in; it may have ended since it was submitted first. */
export function certificateFaults(pem: string, authorities: Authorities | undefined, now: Date): readonly FieldFault[] {
  const parsed = parseDelegationCertificate(pem, now, authorities);
  return parsed.ok ? [] : fieldFaults(parsed.faults);
}

/**
 * The certificate as it would be kept; INVALID_FIELD names every fault of one that cannot be delegated to. REVOCATION_UNKNOWN: nothing
 * is wrong with it, but whether its authority revoked it cannot be told.
 */
export function parseSubmitted(
  request: SubmittedCertificate,
  authorities: Authorities | undefined,
  now: Date,
): StoredCertificate {
  const parsed = parseDelegationCertificate(request.pem, now, authorities);
  if (!parsed.ok && parsed.unknown !== undefined) throw new Fault("REVOCATION_UNKNOWN", parsed.unknown);
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
    provedAt: undefined,
  };
}

/** The canonical id of the key of a certificate that could be delegated to, whoever issued it. */
export function keyOfSubmitted(pem: string, now: Date): NewKey | undefined {
  const parsed = parseDelegationCertificate(pem, now);
  if (!parsed.ok) return undefined;
  const key = certificateKey(parsed.value.pem);
  return { tufKeyId: tufKeyIdOf(key), canonicalKeyId: canonicalKeyIdOf(key) };
}

function fieldFaults(faults: readonly string[]): readonly FieldFault[] {
  return faults.map((fault) => ({ field: "certificate_pem", fault }));
}

/** Claims the certificate's key for its member: KEY_OWNED_BY_OTHER where somebody else has it, KEY_REVOKED where it is revoked. */
export async function requireOwnKey(tx: Transaction, certificate: StoredCertificate): Promise<SigningKey> {
  const key = await claimKey(tx, certificate.canonicalKeyId, certificate.member);
  requireUsable(key, certificate);
  return key;
}

/** Refuses as requireOwnKey does, of a key that somebody has. */
export function requireUsable(key: SigningKey, certificate: StoredCertificate): void {
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
      { metadata },
    );
  }
}

/** What is said of a certificate that is taken. */
export function wordsOnSubmitted(certificate: StoredCertificate): readonly string[] {
  const validity = `${certificate.notBefore.toISOString()} to ${certificate.notAfter.toISOString()}`;
  return [
    `certificate ${certificate.sha256} (SHA-256) submitted for member ${certificate.member}`,
    `subject ${certificate.subject}, serial ${certificate.serial}, valid ${validity}`,
    `key ${certificate.tufKeyId}, canonical ${certificate.canonicalKeyId}`,
  ];
}
