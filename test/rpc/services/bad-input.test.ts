import { after, before } from "node:test";
import { AuditServiceService } from "../../../gen/imagetrust/v1/audit.ts";
import type { PublicationState } from "../../../gen/imagetrust/v1/change.ts";
import { DelegationServiceService } from "../../../gen/imagetrust/v1/delegation.ts";
import {
  type CertificateState,
  MemberKind,
  RevocationReason,
  TeamServiceService,
} from "../../../gen/imagetrust/v1/team.ts";
import { CollectionState, TrustServiceService } from "../../../gen/imagetrust/v1/trust.ts";
import { type House, openHouse } from "./house.ts";
import { bad, invalid, testRefusals } from "./refusals.ts";
import { createTeam, initialize, makeTeam } from "./story.ts";

const trust = TrustServiceService;
const teams = TeamServiceService;
const delegations = DelegationServiceService;
const audit = AuditServiceService;
const gun = "dtr.example.org/dev/nginx";
const uuid = "5c5b0f0e-2a5f-4a53-8f0c-0d3c7b1e9a11";

let house: House;
before(async () => {
  house = await openHouse({ publishing: false });
  const { admin } = house;
  await makeTeam(admin, "qa", ["ann"]);
  await createTeam(admin, "idle");
  await createTeam(admin, "gone");
  await admin.send(teams.deleteTeam, { team: "gone" });
  await initialize(admin, gun, ["qa"]);
});
after(() => house.stop());

const badGuns: Readonly<Record<string, string>> = {
  "that is empty": "",
  "over 255 bytes": `dtr.example.org/${"a/".repeat(120)}a`,
  "of everything": "dtr.example.org/*",
  "with a control character": "dtr.example.org/dev/ng\u0000inx",
  "with upper-case letters": "dtr.example.org/dev/Nginx",
  "that climbs": "dtr.example.org/../nginx",
  "with an empty segment": "dtr.example.org//nginx",
  "without a host": "dev/nginx",
};
const guns = Object.entries(badGuns).flatMap(([name, text]) => [
  invalid(`InitializeTrust of a GUN ${name}`, trust.initializeTrust, { gun: text }, "gun"),
  invalid(`GetTrust of a GUN ${name}`, trust.getTrust, { gun: text }, "gun"),
  invalid(`DeleteTrust of a GUN ${name}`, trust.deleteTrust, { gun: text }, "gun"),
  invalid(`Delegate on a GUN ${name}`, delegations.delegate, { gun: text, team: "qa" }, "gun"),
  invalid(`Undelegate on a GUN ${name}`, delegations.undelegate, { gun: text, team: "qa" }, "gun"),
]);

const badIds: Readonly<Record<string, string>> = {
  "in upper case": "QA",
  "over 64 characters": "a".repeat(65),
  "that is empty": "",
  "with a control character": "q\na",
};
const ids = [
  ...Object.entries(badIds).flatMap(([name, id]) => [
    invalid(`a team's id ${name}`, teams.createTeam, { team: id }, "team"),
    invalid(`a member's id ${name}`, teams.addMember, { team: "qa", member: id }, "member"),
    invalid(`ids ${name}`, teams.removeMember, { team: id, member: id }, "team", "member"),
  ]),
  invalid("the team id releases", teams.createTeam, { team: "releases" }, "team"),
  bad("the id of a deleted team", teams.createTeam, { team: "gone" }, "TEAM_ID_RETIRED"),
  bad("delegating to a deleted team", delegations.delegate, { gun, team: "gone" }, "NOT_FOUND"),
  bad("the id of another team", teams.createTeam, { team: "qa", displayName: "Quality" }, "ALREADY_EXISTS"),
  bad(
    "the id of another member",
    teams.addMember,
    { team: "qa", member: "ann", kind: MemberKind.ROBOT },
    "ALREADY_EXISTS",
  ),
  bad("deleting a team that is delegated to", teams.deleteTeam, { team: "qa" }, "TEAM_IN_USE"),
  bad("a trust that is not there", trust.getTrust, { gun: "dtr.example.org/dev/none" }, "NOT_FOUND"),
];

const manyLabels = Object.fromEntries(Array.from({ length: 33 }, (_, at) => [`l${at}`, ""]));
const texts = [
  invalid(
    "a request_id over 128 characters",
    teams.createTeam,
    { team: "x", options: { requestId: "a".repeat(129) } },
    "options.request_id",
  ),
  invalid(
    "a request_id with a space",
    teams.createTeam,
    { team: "x", options: { requestId: "a b" } },
    "options.request_id",
  ),
  invalid(
    "a reason over 1,000 characters",
    teams.createTeam,
    { team: "x", options: { reason: "a".repeat(1_001) } },
    "options.reason",
  ),
  invalid("a reason with a NUL", teams.createTeam, { team: "x", options: { reason: "a\u0000b" } }, "options.reason"),
  invalid(
    "a display name over 200 characters",
    teams.createTeam,
    { team: "x", displayName: "a".repeat(201) },
    "display_name",
  ),
  invalid("more labels than 32", teams.createTeam, { team: "x", labels: manyLabels }, "labels"),
  invalid("an update of nothing", teams.updateTeam, { team: "qa" }, "update_mask"),
  invalid("an update of what cannot change", teams.updateTeam, { team: "qa", updateMask: ["id"] }, "update_mask"),
  invalid(
    "an update to labels that are none",
    teams.updateTeam,
    { team: "qa", labels: manyLabels, updateMask: ["labels"] },
    "labels",
  ),
  bad("an etag that is not current", teams.deleteTeam, { team: "idle", options: { etag: "x" } }, "ETAG_MISMATCH"),
  bad(
    "the plan_etag of another plan",
    delegations.undelegate,
    { gun, team: "qa", options: { planEtag: "x" } },
    "PLAN_CHANGED",
  ),
];

const { UNSPECIFIED, LEFT, COMPROMISED } = RevocationReason;
const enums = [
  invalid("an unknown kind of member", teams.addMember, { team: "qa", member: "x", kind: 99 as MemberKind }, "kind"),
  invalid(
    "no reason for a revocation",
    teams.revokeCertificate,
    { certificate: uuid, revocationReason: UNSPECIFIED },
    "revocation_reason",
  ),
  invalid(
    "an unexplained compromise",
    teams.revokeCertificate,
    { certificate: "x", revocationReason: COMPROMISED },
    "certificate",
    "options.reason",
  ),
  bad(
    "revoking what is not there",
    teams.revokeCertificate,
    { certificate: uuid, revocationReason: LEFT },
    "NOT_FOUND",
  ),
  invalid(
    "unknown states of trusts",
    trust.listTrusts,
    { states: [CollectionState.PENDING, 77 as CollectionState, CollectionState.UNSPECIFIED] },
    ...["states[1]", "states[2]"],
  ),
  invalid(
    "an unknown state of certificates",
    teams.listCertificates,
    { states: [-1 as CertificateState] },
    "states[0]",
  ),
  invalid(
    "an unknown state of publications",
    delegations.getRollout,
    { id: uuid, states: [9 as PublicationState] },
    "states[0]",
  ),
];

const foreignToken = "WyJhIiwiYiJd";
const lists = [
  invalid("a page_token of trusts that nobody gave", trust.listTrusts, { pageToken: foreignToken }, "page_token"),
  invalid("a page_token of teams that nobody gave", teams.listTeams, { pageToken: "%%%" }, "page_token"),
  invalid("a page_token of members that nobody gave", teams.listMembers, { pageToken: foreignToken }, "page_token"),
  invalid(
    "a page_token of certificates that nobody gave",
    teams.listCertificates,
    { pageToken: foreignToken },
    "page_token",
  ),
  invalid(
    "a page_token of delegations that nobody gave",
    delegations.listDelegations,
    { gun, pageToken: foreignToken },
    "page_token",
  ),
  invalid(
    "a page_token of a rollout that nobody gave",
    delegations.getRollout,
    { id: uuid, pageToken: foreignToken },
    "page_token",
  ),
  invalid(
    "a page_token of records that nobody gave",
    audit.listAuditRecords,
    { pageToken: foreignToken },
    "page_token",
  ),
  invalid("a page_size below nothing", teams.listMembers, { pageSize: -1, team: "QA" }, "page_size", "team"),
  invalid("delegations of nothing in particular", delegations.listDelegations, {}, "gun", "team"),
  invalid("a prefix with a NUL", trust.listTrusts, { gunPrefix: "dtr\u0000" }, "gun_prefix"),
  invalid("a rollout under no UUID", delegations.getRollout, { id: "x" }, "id"),
  bad("a rollout that is not there", delegations.getRollout, { id: uuid }, "NOT_FOUND"),
  invalid(
    "waiting for what cannot be",
    trust.getTrust,
    { gun, minPublishedGeneration: -1n, minTeamRevisions: [{ team: "QA", revision: -1n }] },
    ...["min_published_generation", "min_team_revisions[0].team", "min_team_revisions[0].revision"],
  ),
];

const [noon, earlier, outOfTime] = [new Date(1e12), new Date(1e11), new Date(8e15)];
const records = [
  invalid("a record of no name", audit.getAuditRecord, {}, "index", "event_id"),
  invalid("a record below the first", audit.getAuditRecord, { id: { $case: "index", value: -1n } }, "index"),
  invalid("a record under no UUID", audit.getAuditRecord, { id: { $case: "eventId", value: "x" } }, "event_id"),
  bad("a record that is not there", audit.getAuditRecord, { id: { $case: "index", value: 2n ** 62n } }, "NOT_FOUND"),
  bad("an event that is not there", audit.getAuditRecord, { id: { $case: "eventId", value: uuid } }, "NOT_FOUND"),
  invalid(
    "a time that ends before it begins",
    audit.listAuditRecords,
    { startTime: noon, endTime: earlier },
    "end_time",
  ),
  invalid(
    "a time that no calendar has",
    audit.listAuditRecords,
    { startTime: outOfTime, endTime: outOfTime },
    "start_time",
    "end_time",
  ),
  invalid(
    "records of everything that is misspelt",
    audit.listAuditRecords,
    { gun: "x", team: "X", member: "X", actor: "a\u0000", eventTypes: ["a.b.v1", "x"], results: ["OK", "FINE"] },
    ...["gun", "team", "member", "actor", "event_types[1]", "results[1]"],
  ),
];

testRefusals(() => house, [guns, ids, texts, enums, lists, records].flat());
