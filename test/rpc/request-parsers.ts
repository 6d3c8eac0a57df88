import fc from "fast-check";
import { GetAuditRecordRequest, ListAuditRecordsRequest } from "../../gen/imagetrust/v1/audit.ts";
import {
  BatchDelegateRequest,
  CancelRolloutRequest,
  CreateDelegationRuleRequest,
  DelegateRequest,
  DeleteDelegationRuleRequest,
  GetDelegationRequest,
  GetRolloutRequest,
  ListAuthorityRequest,
  ListDelegationRulesRequest,
  ListDelegationsRequest,
  ListRolloutsRequest,
  UndelegateRequest,
  WatchRolloutRequest,
} from "../../gen/imagetrust/v1/delegation.ts";
import { ListExpiringRequest } from "../../gen/imagetrust/v1/expiry.ts";
import { GetSignedTagRequest, ListSignedTagsRequest, WatchTrustRequest } from "../../gen/imagetrust/v1/signature.ts";
import {
  AddMemberRequest,
  CreatePossessionChallengeRequest,
  CreateTeamRequest,
  DeleteTeamRequest,
  GetMemberRequest,
  GetTeamRequest,
  ListCertificatesRequest,
  ListMembersRequest,
  ListTeamsRequest,
  RemoveMemberRequest,
  ReplaceCertificateRequest,
  RevokeCertificateRequest,
  RevokeMemberRequest,
  SubmitCertificateRequest,
  UpdateTeamRequest,
} from "../../gen/imagetrust/v1/team.ts";
import {
  DeleteTrustRequest,
  GetTrustRequest,
  InitializeTrustRequest,
  ListTrustsRequest,
} from "../../gen/imagetrust/v1/trust.ts";
import { parseGetAuditRecord, parseListAuditRecords } from "../../src/rpc/audit-requests.ts";
import { parseListAuthority } from "../../src/rpc/authority-requests.ts";
import {
  parseBatchDelegate,
  parseCancelRollout,
  parseDelegate,
  parseGetDelegation,
  parseGetRollout,
  parseListDelegations,
  parseListRollouts,
  parseUndelegate,
  parseWatchRollout,
} from "../../src/rpc/delegation-requests.ts";
import { parseListExpiring } from "../../src/rpc/expiry-requests.ts";
import {
  parseCreateDelegationRule,
  parseDeleteDelegationRule,
  parseListDelegationRules,
} from "../../src/rpc/rule-requests.ts";
import { parseGetSignedTag, parseListSignedTags, parseWatchTrust } from "../../src/rpc/signature-requests.ts";
import {
  parseAddMember,
  parseCreatePossessionChallenge,
  parseCreateTeam,
  parseDeleteTeam,
  parseGetMember,
  parseGetTeam,
  parseListCertificates,
  parseListMembers,
  parseListTeams,
  parseRemoveMember,
  parseReplaceCertificate,
  parseRevokeCertificate,
  parseRevokeMember,
  parseSubmitCertificate,
  parseUpdateTeam,
} from "../../src/rpc/team-requests.ts";
import {
  parseDeleteTrust,
  parseGetTrust,
  parseInitializeTrust,
  parseListTrusts,
} from "../../src/rpc/trust-requests.ts";

/** A message type, as far as making one of its encoding goes. */
interface Message<T> {
  decode(bytes: Uint8Array): T;
  fromPartial(partial: object): T;
  encode(message: T): { finish(): Uint8Array };
}

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 300 }),
  fc.constantFrom(
    "",
    "qa",
    "dtr.example.org/dev/nginx",
    "releases",
    "a\u0000b",
    "\u202e",
    "-----BEGIN CERTIFICATE-----",
  ),
);
const number = fc.oneof(fc.integer(), fc.constantFrom(0, 1, 2, 50));
const big = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const options = fc.option(fc.record({ requestId: text, reason: text, etag: text, planEtag: text }), { nil: undefined });
const grants = fc.array(fc.record({ team: text, paths: fc.array(text, { maxLength: 3 }) }), { maxLength: 4 });
const texts = fc.array(text, { maxLength: 4 });
const numbers = fc.array(number, { maxLength: 4 });
const labels = fc.dictionary(text, text, { maxKeys: 4 });
const time = fc.option(fc.date({ noInvalidDate: true }), { nil: undefined });
const proof = fc.option(fc.record({ challenge: text, signature: fc.uint8Array({ maxLength: 80 }) }), {
  nil: undefined,
});
const page = { pageSize: number, pageToken: text };

export interface Parser {
  readonly parse: (bytes: Uint8Array) => unknown;
  readonly fields: fc.Arbitrary<Uint8Array>;
}

function parser<T>(
  message: Message<T>,
  parse: (request: T) => unknown,
  fields: Record<string, fc.Arbitrary<unknown>>,
): Parser {
  const encoded = fc
    .record(fields, { requiredKeys: [] })
    .map((partial) => message.encode(message.fromPartial(partial)).finish());
  return { parse: (bytes) => parse(message.decode(bytes)), fields: encoded };
}

const now = new Date();
const revisions = fc.array(fc.record({ team: text, revision: big }), { maxLength: 3 });
/** Every RPC: how its request is read, and messages of its type. */
export const parsers: Readonly<Record<string, Parser>> = {
  InitializeTrust: parser(InitializeTrustRequest, (request) => parseInitializeTrust(request, new Set(["sealed"])), {
    gun: text,
    teams: grants,
    labels,
    keyBackend: text,
    notary: text,
    releasesPaths: texts,
    displayName: text,
    options,
  }),
  GetTrust: parser(GetTrustRequest, parseGetTrust, {
    gun: text,
    minPublishedGeneration: big,
    minTeamRevisions: revisions,
  }),
  ListTrusts: parser(ListTrustsRequest, parseListTrusts, { ...page, gunPrefix: text, states: numbers, team: text }),
  DeleteTrust: parser(DeleteTrustRequest, parseDeleteTrust, { gun: text, options }),
  CreateTeam: parser(CreateTeamRequest, parseCreateTeam, { team: text, displayName: text, labels, options }),
  UpdateTeam: parser(UpdateTeamRequest, parseUpdateTeam, {
    ...{ team: text, displayName: text, labels, options, requiresPossessionProof: fc.boolean() },
    updateMask: fc.array(fc.oneof(text, fc.constantFrom("display_name", "labels", "requires_possession_proof"))),
  }),
  CreatePossessionChallenge: parser(
    CreatePossessionChallengeRequest,
    (request) => parseCreatePossessionChallenge(request, undefined, now),
    { member: text, certificatePem: text },
  ),
  ListExpiring: parser(ListExpiringRequest, parseListExpiring, {
    ...page,
    ...{ untilTime: time, gunPrefix: text, team: text, kinds: numbers },
  }),
  GetTeam: parser(GetTeamRequest, parseGetTeam, { team: text }),
  ListTeams: parser(ListTeamsRequest, parseListTeams, { ...page, member: text }),
  DeleteTeam: parser(DeleteTeamRequest, parseDeleteTeam, { team: text, options }),
  RemoveMember: parser(RemoveMemberRequest, parseRemoveMember, { team: text, member: text, options }),
  GetMember: parser(GetMemberRequest, parseGetMember, { member: text }),
  ListMembers: parser(ListMembersRequest, parseListMembers, { ...page, team: text }),
  AddMember: parser(AddMemberRequest, parseAddMember, { team: text, member: text, kind: number, options }),
  SubmitCertificate: parser(SubmitCertificateRequest, (request) => parseSubmitCertificate(request, undefined, now), {
    member: text,
    certificatePem: text,
    possessionProof: proof,
    options,
  }),
  RevokeCertificate: parser(RevokeCertificateRequest, parseRevokeCertificate, {
    certificate: text,
    revocationReason: number,
    options,
  }),
  ListCertificates: parser(ListCertificatesRequest, parseListCertificates, { ...page, member: text, states: numbers }),
  Delegate: parser(DelegateRequest, parseDelegate, { gun: text, team: text, paths: texts, options }),
  Undelegate: parser(UndelegateRequest, parseUndelegate, { gun: text, team: text, options }),
  GetDelegation: parser(GetDelegationRequest, parseGetDelegation, { gun: text, team: text }),
  ListDelegations: parser(ListDelegationsRequest, parseListDelegations, { ...page, gun: text, team: text }),
  ListAuthority: parser(ListAuthorityRequest, parseListAuthority, {
    ...page,
    ...{ gun: text, team: text, member: text, key: text, gunPrefix: text, axis: number, asOf: time },
  }),
  GetRollout: parser(GetRolloutRequest, parseGetRollout, { ...page, id: text, states: numbers }),
  BatchDelegate: parser(BatchDelegateRequest, parseBatchDelegate, {
    ...{ team: text, guns: texts, paths: texts, options },
    selection: fc.option(fc.record({ gunPrefix: text, labels, team: text }), { nil: undefined }),
  }),
  CreateDelegationRule: parser(CreateDelegationRuleRequest, parseCreateDelegationRule, {
    gunPrefix: text,
    team: text,
    paths: texts,
    options,
  }),
  DeleteDelegationRule: parser(DeleteDelegationRuleRequest, parseDeleteDelegationRule, {
    gunPrefix: text,
    team: text,
    options,
  }),
  ListDelegationRules: parser(ListDelegationRulesRequest, parseListDelegationRules, {
    ...page,
    gunPrefix: text,
    team: text,
  }),
  ListRollouts: parser(ListRolloutsRequest, parseListRollouts, { ...page, kind: number, actor: text }),
  WatchRollout: parser(WatchRolloutRequest, parseWatchRollout, { id: text }),
  CancelRollout: parser(CancelRolloutRequest, parseCancelRollout, { id: text, options }),
  ReplaceCertificate: parser(ReplaceCertificateRequest, (request) => parseReplaceCertificate(request, undefined, now), {
    certificate: text,
    certificatePem: text,
    possessionProof: proof,
    options,
  }),
  RevokeMember: parser(RevokeMemberRequest, parseRevokeMember, { member: text, revocationReason: number, options }),
  ListSignedTags: parser(ListSignedTagsRequest, parseListSignedTags, {
    ...page,
    gun: text,
    tagPrefix: text,
    states: numbers,
  }),
  GetSignedTag: parser(GetSignedTagRequest, parseGetSignedTag, { gun: text, tag: text }),
  WatchTrust: parser(WatchTrustRequest, parseWatchTrust, { gun: text, cursor: text }),
  ListAuditRecords: parser(ListAuditRecordsRequest, parseListAuditRecords, {
    ...page,
    ...{ gun: text, team: text, member: text, actor: text, eventTypes: texts, results: texts },
    ...{ startTime: time, endTime: time },
  }),
  GetAuditRecord: parser(GetAuditRecordRequest, parseGetAuditRecord, {
    id: fc.oneof(
      fc.record({ $case: fc.constant("index"), value: big }),
      fc.record({ $case: fc.constant("eventId"), value: text }),
    ),
  }),
};
