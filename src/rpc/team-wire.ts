import {
  CertificateState,
  MemberKind,
  RevocationReason,
  type Certificate as WireCertificate,
  type PossessionChallenge as WireChallenge,
  type Member as WireMember,
  type Team as WireTeam,
} from "../../gen/imagetrust/v1/team.ts";
import type { Certificate } from "../teams/certificate.ts";
import type { PossessionChallenge } from "../teams/create-challenge.ts";
import type { Member } from "../teams/member.ts";
import type { Team } from "../teams/team.ts";

export function teamToWire(team: Team): WireTeam {
  return {
    id: team.id,
    displayName: team.displayName,
    labels: Object.fromEntries(team.labels),
    etag: team.etag,
    memberCount: team.memberCount,
    delegationCount: team.delegationCount,
    createTime: team.createdAt,
    requiresPossessionProof: team.requiresPossessionProof,
    revision: team.revision,
    deleteTime: team.deletedAt,
  };
}

export function memberToWire(member: Member): WireMember {
  return {
    id: member.id,
    displayName: member.displayName,
    kind: MemberKind[member.kind],
    teams: member.teams,
    etag: member.etag,
    createTime: member.createdAt,
    labels: Object.fromEntries(member.labels),
  };
}

export function certificateToWire(certificate: Certificate): WireCertificate {
  const { id, member, sha256, tufKeyId, canonicalKeyId, subject, issuer, serial, pem } = certificate;
  const key = { tufKeyId, canonicalKeyId, algorithm: certificate.keyType, backend: "", member, certificate: id };
  return {
    ...{ id, member, sha256, key, subject, issuer, serial, pem },
    notBefore: certificate.notBefore,
    notAfter: certificate.notAfter,
    state: CertificateState[certificate.state],
    possessionProved: certificate.provedAt !== undefined,
    createTime: certificate.createdAt,
    revokeTime: certificate.revokedAt,
    revocationReason: RevocationReason[certificate.revocationReason ?? "UNSPECIFIED"],
  };
}

export function challengeToWire({ id, text, key, expiresAt }: PossessionChallenge): WireChallenge {
  return { id, text, canonicalKeyId: key, expireTime: expiresAt };
}
