import type { Queryable, Transaction } from "../database.ts";
import type { CanonicalKeyId, MemberId, TeamId, TufKeyId } from "../names.ts";
import {
  type Certificate,
  type CertificateId,
  type CertificateState,
  certificateStateOf,
  type RevocationReason,
} from "./certificate.ts";

/** A certificate without its state, which depends on the moment. */
export type StoredCertificate = Omit<Certificate, "state">;

interface Row {
  readonly id: CertificateId;
  readonly member_id: MemberId;
  readonly canonical_key_id: CanonicalKeyId;
  readonly tuf_key_id: TufKeyId;
  readonly sha256: Buffer;
  readonly key_type: string;
  readonly pem: string;
  readonly subject: string;
  readonly issuer: string;
  readonly serial: string;
  readonly not_before: Date;
  readonly not_after: Date;
  readonly created_at: Date;
  readonly revoked_at: Date | null;
  readonly revocation_reason: RevocationReason | null;
  readonly proved_at: Date | null;
}

const selected = `select c.id, c.member_id, c.canonical_key_id, c.tuf_key_id, c.sha256, c.key_type, c.pem, c.subject, c.issuer,
    c.serial, c.not_before, c.not_after, c.created_at, k.revoked_at, k.revocation_reason, k.proved_at
  from certificates c join signing_keys k on k.canonical_key_id = c.canonical_key_id`;

export async function findCertificate(db: Queryable, id: CertificateId): Promise<StoredCertificate | undefined> {
  const row = await db.row<Row>(`${selected} where c.id = :id`, { id });
  return row === undefined ? undefined : certificateOf(row);
}

/** The certificate with that hex SHA-256, whoever it belongs to. */
export async function findCertificateBySha256(db: Queryable, sha256: string): Promise<StoredCertificate | undefined> {
  const row = await db.row<Row>(`${selected} where c.sha256 = :sha256`, { sha256: Buffer.from(sha256, "hex") });
  return row === undefined ? undefined : certificateOf(row);
}

/** Every certificate of the key, oldest first. */
export async function findCertificatesOfKey(db: Queryable, key: CanonicalKeyId): Promise<readonly StoredCertificate[]> {
  const rows = await db.rows<Row>(`${selected} where c.canonical_key_id = :key order by c.valid_from, c.id`, { key });
  return rows.map(certificateOf);
}

/** Every certificate of the member, those of revoked keys included, oldest first. */
export async function findCertificatesOfMember(db: Queryable, member: MemberId): Promise<readonly StoredCertificate[]> {
  const rows = await db.rows<Row>(`${selected} where c.member_id = :member order by c.valid_from, c.id`, { member });
  return rows.map(certificateOf);
}

export interface CertificateFilter {
  readonly member: MemberId | undefined;
  /** Certificates of the team's current members. */
  readonly team: TeamId | undefined;
  /** Empty for all. */
  readonly states: readonly CertificateState[];
  /** Only those of keys of which possession was never proved. */
  readonly unproven?: boolean;
}

/** Where a page of certificates begins: behind this one. */
export interface CertificatePlace {
  readonly member: string;
  readonly submittedAt: Date;
  readonly id: string;
}

/** The certificates behind that place, by member and in the order of their submission. */
export async function findCertificates(
  db: Queryable,
  filter: CertificateFilter,
  after: CertificatePlace | undefined,
  limit: number,
  now: Date,
): Promise<readonly StoredCertificate[]> {
  const conditions = [
    ...(filter.member === undefined ? [] : ["c.member_id = :member"]),
    ...(filter.team === undefined
      ? []
      : ["c.member_id in (select member_id from memberships where team_id = :team and valid_to is null)"]),
    ...(filter.states.length === 0 ? [] : [`(${filter.states.map((state) => conditionOf[state]).join(" or ")})`]),
    ...(filter.unproven ? ["k.proved_at is null"] : []),
    ...(after === undefined ? [] : ["(c.member_id, c.valid_from, c.id) > (:afterMember, :afterTime, :afterId)"]),
  ];
  const rows = await db.rows<Row>(
    `${selected} ${conditions.length === 0 ? "" : `where ${conditions.join(" and ")}`}
     order by c.member_id, c.valid_from, c.id limit :limit`,
    {
      limit,
      now,
      ...(filter.member === undefined ? {} : { member: filter.member }),
      ...(filter.team === undefined ? {} : { team: filter.team }),
      ...(after === undefined ? {} : { afterMember: after.member, afterTime: after.submittedAt, afterId: after.id }),
    },
  );
  return rows.map(certificateOf);
}

/** The same claims as certificateStateOf, for the database. */
const conditionOf: Readonly<Record<CertificateState, string>> = {
  PENDING: "c.valid_from is null",
  REVOKED: "k.revoked_at is not null",
  NOT_YET_VALID: "k.revoked_at is null and c.not_before > :now",
  EXPIRED: "k.revoked_at is null and c.not_after < :now",
  ACTIVE: "k.revoked_at is null and c.not_before <= :now and c.not_after >= :now",
};

/** Keeps a certificate in force; its key must be claimed by its member. */
export async function insertCertificate(tx: Transaction, certificate: StoredCertificate): Promise<void> {
  await tx.run(
    `insert into certificates(id, canonical_key_id, member_id, sha256, tuf_key_id, key_type, pem, subject, issuer, serial,
       not_before, not_after, created_at, valid_from)
     values (:id, :canonicalKeyId, :member, :sha256, :tufKeyId, :keyType, :pem, :subject, :issuer, :serial,
       :notBefore, :notAfter, :createdAt, :createdAt)`,
    { ...certificate, sha256: Buffer.from(certificate.sha256, "hex") },
  );
}

/** Adds the state that a certificate has at that moment. */
export function withState(certificate: StoredCertificate, now: Date): Certificate {
  return { ...certificate, state: certificateStateOf(certificate, now) };
}

function certificateOf(row: Row): StoredCertificate {
  return {
    id: row.id,
    member: row.member_id,
    sha256: row.sha256.toString("hex"),
    tufKeyId: row.tuf_key_id,
    canonicalKeyId: row.canonical_key_id,
    keyType: row.key_type,
    subject: row.subject,
    issuer: row.issuer,
    serial: row.serial,
    notBefore: row.not_before,
    notAfter: row.not_after,
    pem: row.pem,
    createdAt: row.created_at,
    revokedAt: row.revoked_at ?? undefined,
    revocationReason: row.revocation_reason ?? undefined,
    provedAt: row.proved_at ?? undefined,
  };
}
