import type { Json } from "../audit/record.ts";
import { Fault } from "../errors.ts";
import type { CanonicalKeyId, MemberId, Parsed, TufKeyId } from "../names.ts";

declare const brand: unique symbol;
/** The id of a submitted certificate: a UUID. */
export type CertificateId = string & { readonly [brand]: "CertificateId" };

/**
 * As of a moment. EXPIRED and NOT_YET_VALID change no keys by themselves: both still stand in the delegations. PENDING is
 * never met: a certificate that needs a proof of possession is taken with it or refused.
 */
export type CertificateState = "PENDING" | "ACTIVE" | "EXPIRED" | "REVOKED" | "NOT_YET_VALID";

export const revocationReasons = ["SUPERSEDED", "LEFT", "COMPROMISED"] as const;
export type RevocationReason = (typeof revocationReasons)[number];

/** A member's public X.509 certificate; see imagetrust.v1.Certificate. */
export interface Certificate {
  readonly id: CertificateId;
  readonly member: MemberId;
  /** Hex SHA-256 of the DER bytes. */
  readonly sha256: string;
  readonly tufKeyId: TufKeyId;
  readonly canonicalKeyId: CanonicalKeyId;
  /** Notary's key type: `ecdsa-x509` or `rsa-x509`. */
  readonly keyType: string;
  readonly subject: string;
  readonly issuer: string;
  readonly serial: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly state: CertificateState;
  /** As it stands in metadata. */
  readonly pem: string;
  readonly createdAt: Date;
  readonly revokedAt: Date | undefined;
  readonly revocationReason: RevocationReason | undefined;
  /** When possession of its key was proved; undefined: never. */
  readonly provedAt: Date | undefined;
}

/** Parses the id of a certificate, as SubmitCertificate gave it. */
export function parseCertificateId(text: string): Parsed<CertificateId> {
  if (!/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)) {
    return { ok: false, fault: "must be the id of a submitted certificate: a UUID in lower case" };
  }
  return { ok: true, value: text as CertificateId };
}

/** The state of a certificate at that moment; both ends of its validity belong to it (RFC 5280, 4.1.2.5). */
export function certificateStateOf(
  certificate: Pick<Certificate, "notBefore" | "notAfter" | "revokedAt">,
  now: Date,
): CertificateState {
  if (certificate.revokedAt !== undefined) return "REVOKED";
  if (now < certificate.notBefore) return "NOT_YET_VALID";
  return now > certificate.notAfter ? "EXPIRED" : "ACTIVE";
}

/** A certificate as records show it. */
export function recordedCertificate(certificate: Omit<Certificate, "state" | "createdAt">): Json {
  return {
    certificate: certificate.id,
    member: certificate.member,
    tuf_key_id: certificate.tufKeyId,
    canonical_key_id: certificate.canonicalKeyId,
    key_type: certificate.keyType,
    sha256: certificate.sha256,
    subject: certificate.subject,
    issuer: certificate.issuer,
    serial: certificate.serial,
    not_before: certificate.notBefore.toISOString(),
    not_after: certificate.notAfter.toISOString(),
    revocation_reason: certificate.revocationReason ?? null,
    possession_proved: certificate.provedAt !== undefined,
  };
}

export function noSuchCertificate(certificate: CertificateId): Fault {
  return new Fault("NOT_FOUND", `There is no certificate ${certificate}; list the member's certificates for its id.`, {
    metadata: { certificate },
  });
}
