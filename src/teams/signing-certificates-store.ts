import type { Queryable } from "../database.ts";
import type { CanonicalKeyId, MemberId, TeamId, TufKeyId } from "../names.ts";
import type { NewKey, SigningCertificate } from "./effects.ts";

interface Row {
  readonly team_id: TeamId;
  readonly id: string;
  readonly member_id: MemberId;
  readonly tuf_key_id: TufKeyId;
  readonly canonical_key_id: CanonicalKeyId;
  readonly key_type: string;
  readonly pem: string;
  readonly not_after: Date;
}

/**
 * Who may sign for each of the teams, as of the statement's snapshot: every certificate of every key that is not revoked, of every
 * current member, those past their end included. Each list is ordered by TUF key id; each team asked for has one, maybe empty.
 */
export async function signingCertificatesOf(
  db: Queryable,
  teams: readonly TeamId[],
): Promise<Map<TeamId, SigningCertificate[]>> {
  const certificates = new Map<TeamId, SigningCertificate[]>(teams.map((team) => [team, []]));
  if (teams.length === 0) return certificates;
  const rows = await db.rows<Row>(
    `select m.team_id, c.id, c.member_id, c.tuf_key_id, c.canonical_key_id, c.key_type, c.pem, c.not_after
     from memberships m
     join certificates c on c.member_id = m.member_id and c.valid_to is null
     join signing_keys k on k.canonical_key_id = c.canonical_key_id and k.revoked_at is null
     where m.team_id = any(:teams) and m.valid_to is null
     order by m.team_id, c.tuf_key_id collate "C"`,
    { teams },
  );
  for (const row of rows) certificates.get(row.team_id)?.push(signingCertificateOf(row));
  return certificates;
}

/** The keys a member may sign with, in whatever team: one for each certificate. */
export async function signingKeysOf(db: Queryable, member: MemberId): Promise<readonly NewKey[]> {
  return await db.rows<NewKey>(
    `select c.tuf_key_id as "tufKeyId", c.canonical_key_id as "canonicalKeyId" from certificates c
     join signing_keys k on k.canonical_key_id = c.canonical_key_id and k.revoked_at is null
     where c.member_id = :member and c.valid_to is null`,
    { member },
  );
}

function signingCertificateOf(row: Row): SigningCertificate {
  return {
    certificateId: row.id,
    member: row.member_id,
    tufKeyId: row.tuf_key_id,
    canonicalKeyId: row.canonical_key_id,
    keyType: row.key_type,
    pem: row.pem,
    notAfter: row.not_after,
  };
}
