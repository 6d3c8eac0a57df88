import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { AuditServiceService, GetAuditRecordRequest, ListAuditRecordsRequest } from "../../gen/imagetrust/v1/audit.ts";
import { ChangeOptions } from "../../gen/imagetrust/v1/change.ts";
import {
  DelegateRequest,
  DelegationServiceService,
  GetDelegationRequest,
  GetRolloutRequest,
  ListDelegationsRequest,
  UndelegateRequest,
} from "../../gen/imagetrust/v1/delegation.ts";
import {
  AddMemberRequest,
  CreateTeamRequest,
  DeleteTeamRequest,
  GetMemberRequest,
  GetTeamRequest,
  ListCertificatesRequest,
  ListMembersRequest,
  ListTeamsRequest,
  MemberKind,
  RemoveMemberRequest,
  RevokeCertificateRequest,
  SubmitCertificateRequest,
  TeamServiceService,
} from "../../gen/imagetrust/v1/team.ts";
import {
  DeleteTrustRequest,
  GetTrustRequest,
  InitializeTrustRequest,
  ListTrustsRequest,
  TrustServiceService,
} from "../../gen/imagetrust/v1/trust.ts";
import { Fault } from "../../src/errors.ts";
import { parseGetAuditRecord, parseListAuditRecords } from "../../src/rpc/audit-requests.ts";
import {
  parseDelegate,
  parseGetDelegation,
  parseGetRollout,
  parseListDelegations,
  parseUndelegate,
} from "../../src/rpc/delegation-requests.ts";
import { parseEnum, readFields, right, wrong } from "../../src/rpc/fields.ts";
import {
  parseAddMember,
  parseCreateTeam,
  parseDeleteTeam,
  parseGetMember,
  parseGetTeam,
  parseListCertificates,
  parseListMembers,
  parseListTeams,
  parseRemoveMember,
  parseRevokeCertificate,
  parseSubmitCertificate,
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
const page = { pageSize: number, pageToken: text };

interface Parser {
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
const parsers: Readonly<Record<string, Parser>> = {
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
  GetTeam: parser(GetTeamRequest, parseGetTeam, { team: text }),
  ListTeams: parser(ListTeamsRequest, parseListTeams, { ...page, member: text }),
  DeleteTeam: parser(DeleteTeamRequest, parseDeleteTeam, { team: text, options }),
  RemoveMember: parser(RemoveMemberRequest, parseRemoveMember, { team: text, member: text, options }),
  GetMember: parser(GetMemberRequest, parseGetMember, { member: text }),
  ListMembers: parser(ListMembersRequest, parseListMembers, { ...page, team: text }),
  AddMember: parser(AddMemberRequest, parseAddMember, { team: text, member: text, kind: number, options }),
  SubmitCertificate: parser(SubmitCertificateRequest, (request) => parseSubmitCertificate(request, now), {
    member: text,
    certificatePem: text,
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
  GetRollout: parser(GetRolloutRequest, parseGetRollout, { ...page, id: text, states: numbers }),
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

const unspeakable = /\p{Cc}|\p{Cs}/u;
/** What is compared only, or judged where it is used, so that it may hold anything. */
const opaque: ReadonlySet<string> = new Set(["etag", "planEtag", "token", "notary", "pem"]);

/** Every text that got through is fit for the database and a line of a log. */
function assertSpeakable(value: unknown): void {
  if (typeof value === "string") assert.doesNotMatch(value, unspeakable);
  if (value instanceof Map) for (const entry of value) assertSpeakable(entry);
  if (Array.isArray(value)) for (const item of value) assertSpeakable(item);
  else if (typeof value === "object" && value !== null) {
    for (const [name, field] of Object.entries(value)) if (!opaque.has(name)) assertSpeakable(field);
  }
}

describe("any request is read, or refused by naming its fields as the proto spells them:", () => {
  for (const [name, { parse, fields }] of Object.entries(parsers)) {
    test(name, () => {
      const sound = fc.property(fields, (bytes) => {
        try {
          assertSpeakable(parse(bytes));
        } catch (error) {
          if (!(error instanceof Fault)) throw error;
          assert.equal(error.reason, "INVALID_FIELD");
          assert.ok(error.fields.length > 0);
          for (const { field } of error.fields) assert.match(field, /^[a-z_]+(\[\d+\])?(\.[a-z_]+)?$/);
        }
      });
      fc.assert(sound, { numRuns: 150 });
    });
  }
});

test("words of a compromise that cannot be shown are one fault and no more", () => {
  const request = TeamServiceService.revokeCertificate.requestDeserialize(
    Buffer.from([16, 3, 122, 5, 26, 3, 226, 128, 174]),
  );
  assert.throws(() => parseRevokeCertificate(request), { reason: "INVALID_FIELD" });
});

test("every RPC of the API is tried here", () => {
  const services = [TrustServiceService, TeamServiceService, DelegationServiceService, AuditServiceService];
  const methods = services.flatMap((service) => Object.values(service).map(({ path }) => path.split("/").at(-1)));
  assert.deepEqual(new Set(Object.keys(parsers)), new Set(methods));
});

test("an enum is read by its known numbers only, and UNSPECIFIED is none", () => {
  assert.deepEqual(parseEnum(MemberKind, MemberKind.ROBOT), { ok: true, value: "ROBOT" });
  const unknown = fc.integer().filter((value) => value !== 1 && value !== 2);
  fc.assert(fc.property(unknown, (value) => !parseEnum(MemberKind, value).ok));
});

test("a request with faults is refused once, with all of them and with what is wrong beside them", () => {
  const beside = () => [{ field: "c", fault: "must be better" }];
  const parse = (text: string) =>
    readFields((read) => [read("a", wrong(text)), read("b[1].d", wrong("must be less"))], beside);
  assert.throws(
    () => parse("must be more"),
    (error) => error instanceof Fault && error.fields.map(({ field }) => field).join() === "a,b[1].d,c",
  );
  assert.equal(
    readFields((read) => read("a", right(1)), beside),
    1,
  );
});

test("a mutation without options is made and waited for", () => {
  const { options } = parseDelegate(DelegateRequest.fromPartial({ gun: "dtr.example.org/dev/nginx", team: "qa" }));
  assert.deepEqual(options, ChangeOptions.fromPartial({}));
});

test("a time that is none is refused", () => {
  const request = ListAuditRecordsRequest.fromPartial({ startTime: new Date(Number.NaN) });
  assert.throws(
    () => parseListAuditRecords(request),
    (error) => error instanceof Fault && error.fields.map(({ field }) => field).join() === "start_time",
  );
});
