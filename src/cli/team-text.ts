import {
  type Certificate,
  CertificateState,
  type Member,
  MemberKind,
  RevocationReason,
  type Team,
} from "../../gen/imagetrust/v1/team.ts";
import { nameOf } from "./json.ts";
import { details, table } from "./table.ts";
import { labelsText, moreText, timeText, yesNo } from "./words.ts";

/** A team. */
export function teamText(team: Team): string {
  return details([
    ["Team", team.id],
    ["Name", team.displayName],
    ["Members", String(team.memberCount)],
    ["Delegations", String(team.delegationCount)],
    ["Revision", String(team.revision)],
    ["Labels", labelsText(team.labels)],
    ["Proof", team.requiresPossessionProof ? "required of new keys" : "not required"],
    ["Made", timeText(team.createTime)],
    ["Deleted", team.deleteTime === undefined ? "" : timeText(team.deleteTime)],
    ["Etag", team.etag],
  ]);
}

/** Teams, one a row. */
export function teamsText(teams: readonly Team[], nextPageToken: string): string {
  if (teams.length === 0) return "No teams.\n";
  const rows = teams.map((team) => [
    team.id,
    String(team.memberCount),
    String(team.delegationCount),
    timeText(team.createTime),
    team.displayName,
  ]);
  return table(["TEAM", "MEMBERS", "DELEGATIONS", "MADE", "NAME"], rows) + moreText(nextPageToken);
}

/** A member. */
export function memberText(member: Member): string {
  return details([
    ["Member", member.id],
    ["Name", member.displayName],
    ["Kind", nameOf(MemberKind, member.kind)],
    ["Teams", member.teams.join(", ")],
    ["Labels", labelsText(member.labels)],
    ["Made", timeText(member.createTime)],
    ["Etag", member.etag],
  ]);
}

/** Members, one a row. */
export function membersText(members: readonly Member[], nextPageToken: string): string {
  if (members.length === 0) return "No members.\n";
  const rows = members.map((member) => [
    member.id,
    nameOf(MemberKind, member.kind),
    member.teams.join(", "),
    member.displayName,
  ]);
  return table(["MEMBER", "KIND", "TEAMS", "NAME"], rows) + moreText(nextPageToken);
}

/** Certificates, one a row; the key id is the one that the notary CLI shows. */
export function certificatesText(certificates: readonly Certificate[], nextPageToken: string): string {
  if (certificates.length === 0) return "No certificates.\n";
  const rows = certificates.map((certificate) => [
    certificate.id,
    certificate.member,
    stateText(certificate),
    yesNo(certificate.possessionProved),
    timeText(certificate.notAfter),
    certificate.subject.replaceAll("\n", ", "),
    certificate.key?.canonicalKeyId ?? "",
  ]);
  return (
    table(["CERTIFICATE", "MEMBER", "STATE", "PROVED", "ENDS", "SUBJECT", "KEY ID"], rows) + moreText(nextPageToken)
  );
}

function stateText(certificate: Certificate): string {
  const state = nameOf(CertificateState, certificate.state);
  if (certificate.revocationReason === RevocationReason.UNSPECIFIED) return state;
  return `${state} (${nameOf(RevocationReason, certificate.revocationReason)})`;
}
