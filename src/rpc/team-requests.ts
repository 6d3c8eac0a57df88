import {
  type AddMemberRequest,
  CertificateState,
  type CreatePossessionChallengeRequest,
  type CreateTeamRequest,
  type DeleteTeamRequest,
  type GetMemberRequest,
  type GetTeamRequest,
  type ListCertificatesRequest,
  type ListMembersRequest,
  type ListTeamsRequest,
  MemberKind,
  type RemoveMemberRequest,
  type ReplaceCertificateRequest,
  RevocationReason,
  type RevokeCertificateRequest,
  type RevokeMemberRequest,
  type SubmitCertificateRequest,
  type UpdateTeamRequest,
  type PossessionProof as WireProof,
} from "../../gen/imagetrust/v1/team.ts";
import type { ChangeOptions } from "../changes/options.ts";
import type { PageRequest } from "../changes/page-token.ts";
import { type MemberId, type Parsed, parseMemberId, parseTeamId, type TeamId } from "../names.ts";
import { parseCertificateId } from "../teams/certificate.ts";
import type { CertificateQuery } from "../teams/certificates.ts";
import { parseChallengeId } from "../teams/challenge.ts";
import { parseDisplayName } from "../teams/display-name.ts";
import { parseLabels } from "../teams/labels.ts";
import type { AddMember } from "../teams/memberships.ts";
import type { PossessionProof } from "../teams/possession-proof.ts";
import type { ReplaceCertificate } from "../teams/replace-certificate.ts";
import { parseExplanation } from "../teams/revocation.ts";
import type { RevokeCertificate } from "../teams/revoke-certificate.ts";
import type { RevokeMember } from "../teams/revoke-member.ts";
import {
  certificateFaults,
  type ProvedCertificate,
  type SubmittedCertificate,
} from "../teams/submitted-certificate.ts";
import type { CreateTeam } from "../teams/teams.ts";
import type { UpdateTeam } from "../teams/update-team.ts";
import type { Authorities } from "../x509/authorities.ts";
import { readOptions } from "./change-options.ts";
import { parseEnum, parseFilter, type Read, readEach, readFields, right, wrong } from "./fields.ts";
import { readPage } from "./page.ts";

/** A mutation and how it is to be made. */
type Change<T> = T & { readonly options: ChangeOptions };

export function parseCreateTeam(request: CreateTeamRequest): Change<CreateTeam> {
  return readFields((read) => ({
    team: read("team", parseTeamId(request.team)),
    displayName: read("display_name", parseDisplayName(request.displayName)),
    labels: read("labels", parseLabels(Object.entries(request.labels))),
    requiresPossessionProof: request.requiresPossessionProof || undefined,
    options: readOptions(read, request.options),
  }));
}

/** What the mask does not name is not looked at. */
export function parseUpdateTeam(request: UpdateTeamRequest): Change<UpdateTeam> {
  return readFields((read) => {
    const mask = new Set(read("update_mask", parseMask(request.updateMask ?? [])));
    return {
      team: read("team", parseTeamId(request.team)),
      attributes: {
        ...(mask.has("display_name") && { displayName: read("display_name", parseDisplayName(request.displayName)) }),
        ...(mask.has("labels") && { labels: read("labels", parseLabels(Object.entries(request.labels))) }),
        ...(mask.has("requires_possession_proof") && { requiresPossessionProof: request.requiresPossessionProof }),
      },
      options: readOptions(read, request.options),
    };
  });
}

const updatable: readonly string[] = ["display_name", "labels", "requires_possession_proof"];

function parseMask(paths: readonly string[]): Parsed<readonly string[]> {
  if (paths.length > 0 && paths.every((path) => updatable.includes(path))) return right(paths);
  return wrong(`must name what is to change, and nothing but ${updatable.join(", ")}`);
}

export function parseGetTeam(request: GetTeamRequest): TeamId {
  return readFields((read) => read("team", parseTeamId(request.team)));
}

export function parseListTeams(request: ListTeamsRequest): {
  readonly filter: { readonly member: MemberId | undefined };
  readonly page: PageRequest;
} {
  return readFields((read) => ({
    filter: { member: read("member", parseFilter(request.member, parseMemberId, undefined)) },
    page: readPage(read, request),
  }));
}

export function parseDeleteTeam(request: DeleteTeamRequest): Change<{ readonly team: TeamId }> {
  return readFields((read) => ({
    team: read("team", parseTeamId(request.team)),
    options: readOptions(read, request.options),
  }));
}

export function parseAddMember(request: AddMemberRequest): Change<AddMember> {
  const { kind } = request;
  return readFields((read) => ({
    team: read("team", parseTeamId(request.team)),
    member: read("member", parseMemberId(request.member)),
    displayName: read("display_name", parseDisplayName(request.displayName)),
    kind: read("kind", kind === MemberKind.UNSPECIFIED ? right(undefined) : parseEnum(MemberKind, kind)),
    labels: read("labels", parseLabels([])),
    options: readOptions(read, request.options),
  }));
}

export function parseRemoveMember(
  request: RemoveMemberRequest,
): Change<{ readonly team: TeamId; readonly member: MemberId }> {
  return readFields((read) => ({
    team: read("team", parseTeamId(request.team)),
    member: read("member", parseMemberId(request.member)),
    options: readOptions(read, request.options),
  }));
}

export function parseGetMember(request: GetMemberRequest): MemberId {
  return readFields((read) => read("member", parseMemberId(request.member)));
}

export function parseListMembers(request: ListMembersRequest): {
  readonly filter: { readonly team: TeamId | undefined };
  readonly page: PageRequest;
} {
  return readFields((read) => ({
    filter: { team: read("team", parseFilter(request.team, parseTeamId, undefined)) },
    page: readPage(read, request),
  }));
}

/**
 * The certificate is judged by the use case, where a repeat with the same request_id comes first: it is answered also when the
 * certificate has ended since.
 */
export function parseSubmitCertificate(
  request: SubmitCertificateRequest,
  authorities: Authorities | undefined,
  now: Date,
): Change<ProvedCertificate> {
  return readFields(
    (read) => ({
      member: read("member", parseMemberId(request.member)),
      pem: request.certificatePem,
      proof: readProof(read, request.possessionProof),
      options: readOptions(read, request.options),
    }),
    () => certificateFaults(request.certificatePem, authorities, now),
  );
}

/** The certificate is judged as in parseSubmitCertificate. */
export function parseCreatePossessionChallenge(
  request: CreatePossessionChallengeRequest,
  authorities: Authorities | undefined,
  now: Date,
): SubmittedCertificate {
  return readFields(
    (read) => ({ member: read("member", parseMemberId(request.member)), pem: request.certificatePem }),
    () => certificateFaults(request.certificatePem, authorities, now),
  );
}

/** As long as a signature by the largest RSA key that Notary takes. */
const longestSignature = 2_048;

function readProof(read: Read, proof: WireProof | undefined): PossessionProof | undefined {
  if (proof === undefined) return undefined;
  const { length } = proof.signature;
  const fits = length > 0 && length <= longestSignature;
  return {
    challenge: read("possession_proof.challenge", parseChallengeId(proof.challenge)),
    signature: read(
      "possession_proof.signature",
      fits ? right(proof.signature) : wrong(`must be a signature of 1 to ${longestSignature} bytes`),
    ),
  };
}

/** The certificate is judged as in parseSubmitCertificate. */
export function parseReplaceCertificate(
  request: ReplaceCertificateRequest,
  authorities: Authorities | undefined,
  now: Date,
): Change<ReplaceCertificate> {
  return readFields(
    (read) => ({
      certificate: read("certificate", parseCertificateId(request.certificate)),
      pem: request.certificatePem,
      proof: readProof(read, request.possessionProof),
      options: readOptions(read, request.options),
    }),
    () => certificateFaults(request.certificatePem, authorities, now),
  );
}

export function parseRevokeCertificate(request: RevokeCertificateRequest): Change<RevokeCertificate> {
  return readFields((read) => ({
    certificate: read("certificate", parseCertificateId(request.certificate)),
    ...readRevocation(read, request),
  }));
}

export function parseRevokeMember(request: RevokeMemberRequest): Change<RevokeMember> {
  return readFields((read) => ({
    member: read("member", parseMemberId(request.member)),
    ...readRevocation(read, request),
  }));
}

function readRevocation(
  read: Read,
  request: Pick<RevokeMemberRequest, "revocationReason" | "options">,
): Pick<Change<RevokeMember>, "reason" | "options"> {
  const reason = read("revocation_reason", parseEnum(RevocationReason, request.revocationReason));
  const options = readOptions(read, request.options);
  read("options.reason", parseExplanation(reason, request.options?.reason ?? ""));
  return { reason, options };
}

export function parseListCertificates(request: ListCertificatesRequest): {
  readonly query: CertificateQuery;
  readonly page: PageRequest;
} {
  return readFields((read) => ({
    query: {
      member: read("member", parseFilter(request.member, parseMemberId, undefined)),
      team: read("team", parseFilter(request.team, parseTeamId, undefined)),
      states: readEach(read, "states", request.states, 100, (state, path) =>
        read(path, parseEnum(CertificateState, state)),
      ),
      unproven: request.unproven,
    },
    page: readPage(read, request),
  }));
}
