import assert from "node:assert/strict";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { AuditServiceService } from "../../../gen/imagetrust/v1/audit.ts";
import { PublicationState } from "../../../gen/imagetrust/v1/change.ts";
import { DelegationServiceService } from "../../../gen/imagetrust/v1/delegation.ts";
import {
  type CertificateState,
  MemberKind,
  RevocationReason,
  TeamServiceService,
} from "../../../gen/imagetrust/v1/team.ts";
import { CollectionState, TrustServiceService } from "../../../gen/imagetrust/v1/trust.ts";
import { type ErrorReason, kindOfReason } from "../../../src/errors.ts";
import { daysFrom, ecPair, makeCertificate, signatureKinds } from "../../x509/make-certificate.ts";
import { until } from "../fixtures.ts";
import { type Refused, type Rpc, refusedBy, type Wish } from "./client.ts";
import { type House, openHouse } from "./house.ts";
import { addMember, createTeam, delegate, freshCertificate, initialize, makeTeam, submit } from "./story.ts";

const trust = TrustServiceService;
const teams = TeamServiceService;
const delegations = DelegationServiceService;
const audit = AuditServiceService;

const gun = "dtr.example.org/dev/nginx";
const now = new Date();
const eve = makeCertificate(now, { name: "eve" });
const revoked = makeCertificate(now, { name: "rex" });
const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const privatePem = String(privateKey.export({ type: "pkcs8", format: "pem" }));
/** What must be found nowhere. */
const secret = privatePem.split("\n")[1] ?? "";

let house: House;
before(async () => {
  house = await openHouse({ publishing: false });
  const { admin } = house;
  await makeTeam(admin, "qa", ["ann", "rex"]);
  await addMember(admin, "qa", "eve");
  await submit(admin, "eve", eve.pem);
  const { id } = await submit(admin, "rex", revoked.pem);
  const revocation = { certificate: id, revocationReason: RevocationReason.LEFT, options: { noWait: true } };
  await admin.send(teams.revokeCertificate, revocation);
  await createTeam(admin, "idle");
  await createTeam(admin, "gone");
  await admin.send(teams.deleteTeam, { team: "gone" });
  await initialize(admin, gun, ["qa"]);
  await initialize(admin, "dtr.example.org/dev/other", ["qa"]);
});
after(() => house.stop());

interface Bad {
  readonly name: string;
  readonly rpc: Rpc<unknown, unknown>;
  readonly wish: Wish<Record<string, unknown>>;
  readonly reason: ErrorReason;
  readonly fields: readonly string[];
}

function bad<Request>(
  name: string,
  rpc: Rpc<Request, unknown>,
  wish: Wish<Request>,
  reason: ErrorReason,
  ...fields: readonly string[]
): Bad {
  return { name, rpc: rpc as Rpc<unknown, unknown>, wish, reason, fields };
}

/** Sends what must be refused, and checks that it changed nothing but for the record of the refusal. */
async function assertRefused({ rpc, wish, reason, fields }: Bad): Promise<Refused> {
  await house.freshRecords();
  const rows = await house.rows();
  const refused = await house.admin.refused(rpc, wish);
  assert.equal(refused.reason, reason, refused.message);
  assert.equal(refused.code, status[kindOfReason[reason]]);
  assert.deepEqual([...new Set(refused.violations.map(({ field }) => field))].sort(), [...fields].sort());
  assert.deepEqual(await house.rows(), rows);
  const [record, ...more] = await house.freshRecords();
  assert.deepEqual(more, []);
  assert.deepEqual(
    [record?.event_type, record?.stage, record?.result, record?.actor.id, record?.method],
    ["call.refused.v1", "DENIED", { code: kindOfReason[reason], reason }, "admin", rpc.path.slice(1)],
  );
  return refused;
}

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
const gunRows = Object.entries(badGuns).flatMap(([name, text]) => [
  bad(`InitializeTrust of a GUN ${name}`, trust.initializeTrust, { gun: text }, "INVALID_FIELD", "gun"),
  bad(`Delegate on a GUN ${name}`, delegations.delegate, { gun: text, team: "qa" }, "INVALID_FIELD", "gun"),
]);

const badIds: Readonly<Record<string, string>> = {
  "in upper case": "QA",
  "over 64 characters": "a".repeat(65),
  "that is empty": "",
  "with a control character": "q\na",
};
const idRows = Object.entries(badIds).flatMap(([name, id]) => [
  bad(`a team id ${name}`, teams.createTeam, { team: id }, "INVALID_FIELD", "team"),
  bad(`a member id ${name}`, teams.addMember, { team: "qa", member: id }, "INVALID_FIELD", "member"),
]);

const submitting = (name: string, certificatePem: string, reason: ErrorReason, ...fields: string[]): Bad =>
  bad(`a certificate ${name}`, teams.submitCertificate, { member: "ann", certificatePem }, reason, ...fields);
const wrongCertificate = (name: string, pem: string): Bad => submitting(name, pem, "INVALID_FIELD", "certificate_pem");
const rsa = (modulusLength: number) => generateKeyPairSync("rsa", { modulusLength });
const authority = makeCertificate(now, { name: "authority", authority: true });
const zip = Buffer.from("504b0304140000000800000021005f5f5f5f0a0000000a0000000800000063", "hex");

const certificateRows = [
  wrongCertificate("that is no PEM", "hello"),
  wrongCertificate("that is cut off", freshCertificate().slice(0, 300)),
  wrongCertificate("that is a zip", zip.toString("base64")),
  wrongCertificate("that has ended", makeCertificate(now, { from: daysFrom(now, -9), to: daysFrom(now, -1) }).pem),
  wrongCertificate("that begins in two days", makeCertificate(now, { from: daysFrom(now, 2) }).pem),
  wrongCertificate("signed with SHA-1", makeCertificate(now, { signature: signatureKinds.ecdsaSha1 }).pem),
  wrongCertificate(
    "with an RSA key under 2048 bits",
    makeCertificate(now, { keys: rsa(1024), signature: signatureKinds.rsaSha256 }).pem,
  ),
  wrongCertificate(
    "with a key that Notary cannot verify",
    makeCertificate(now, { keys: generateKeyPairSync("ed25519"), signature: signatureKinds.ed25519 }).pem,
  ),
  wrongCertificate("with a key on another curve", makeCertificate(now, { keys: ecPair("secp256k1") }).pem),
  wrongCertificate("behind its authority's", `${authority.pem}${makeCertificate(now, { issuer: authority }).pem}`),
  submitting("of a key that belongs to another member", makeCertificate(now, { keys: eve }).pem, "KEY_OWNED_BY_OTHER"),
  bad(
    "a certificate of a revoked key",
    teams.submitCertificate,
    { member: "rex", certificatePem: makeCertificate(now, { keys: revoked }).pem },
    "KEY_REVOKED",
  ),
  bad(
    "a certificate of a member who does not exist",
    teams.submitCertificate,
    { member: "nobody", certificatePem: freshCertificate() },
    "NOT_FOUND",
  ),
];

const keyRows = [
  submitting("that is a private key", privatePem, "PRIVATE_KEY_PRESENTED"),
  submitting("followed by its private key", `${freshCertificate()}${privatePem}`, "PRIVATE_KEY_PRESENTED"),
  bad(
    "a private key as base64 in a label",
    teams.createTeam,
    { team: "new", labels: { key: secret } },
    "PRIVATE_KEY_PRESENTED",
  ),
  bad(
    "a private key as a path",
    delegations.delegate,
    { gun, team: "qa", paths: ["a", privatePem] },
    "PRIVATE_KEY_PRESENTED",
  ),
  bad(
    "a private key as a reason",
    delegations.undelegate,
    { gun, team: "qa", options: { reason: privatePem } },
    "PRIVATE_KEY_PRESENTED",
  ),
  bad("a private key in a read", audit.listAuditRecords, { eventTypes: ["a", privatePem] }, "PRIVATE_KEY_PRESENTED"),
];

const delegating = (
  name: string,
  wish: Wish<typeof delegations.delegate extends Rpc<infer Q, unknown> ? Q : never>,
  reason: ErrorReason,
  ...fields: string[]
) => bad(name, delegations.delegate, { gun, team: "qa", ...wish }, reason, ...fields);
const delegationRows = [
  delegating("delegating on an unknown GUN", { gun: "dtr.example.org/dev/none" }, "NOT_FOUND"),
  delegating("delegating to an unknown team", { team: "none" }, "NOT_FOUND"),
  delegating("delegating to a deleted team", { team: "gone" }, "NOT_FOUND"),
  delegating("delegating to a team without a valid certificate", { team: "idle" }, "NO_VALID_CERTIFICATE"),
  delegating("paths narrower than those of releases", { paths: ["1."] }, "PATHS_NEED_EXCLUSION", "paths"),
  delegating("a path with a control character", { paths: ["1.", "\u0007"] }, "INVALID_FIELD", "paths"),
  delegating(
    "more than 1,000 paths",
    { paths: Array.from({ length: 1_001 }, (_, n) => `v${n}`) },
    "INVALID_FIELD",
    "paths",
  ),
  delegating("a path over 255 bytes", { paths: ["a".repeat(256)] }, "INVALID_FIELD", "paths"),
  bad(
    "narrower paths than those of releases in the first publication",
    trust.initializeTrust,
    {
      gun: "dtr.example.org/dev/new",
      teams: [
        { team: "qa", paths: [], excludeFromReleases: false },
        { team: "idle", paths: ["1."], excludeFromReleases: false },
      ],
    },
    "PATHS_NEED_EXCLUSION",
    "teams[1].paths",
  ),
  bad(
    "a registry that no Notary is configured for",
    trust.initializeTrust,
    { gun: "dtr.example.org/dev/new", notary: "slow" },
    "NO_SUCH_NOTARY",
  ),
];

const optionRows = [
  bad(
    "a request_id over 128 characters",
    teams.createTeam,
    { team: "new", options: { requestId: "a".repeat(129) } },
    "INVALID_FIELD",
    "options.request_id",
  ),
  bad(
    "a request_id with a space",
    teams.createTeam,
    { team: "new", options: { requestId: "a b" } },
    "INVALID_FIELD",
    "options.request_id",
  ),
  bad(
    "a reason over 1,000 characters",
    teams.createTeam,
    { team: "new", options: { reason: "a".repeat(1_001) } },
    "INVALID_FIELD",
    "options.reason",
  ),
  bad(
    "a reason with a control character",
    teams.createTeam,
    { team: "new", options: { reason: "a\u0000b" } },
    "INVALID_FIELD",
    "options.reason",
  ),
  bad("an etag that is not current", teams.deleteTeam, { team: "idle", options: { etag: "no" } }, "ETAG_MISMATCH"),
  bad(
    "a plan_etag of another plan",
    delegations.undelegate,
    { gun, team: "qa", options: { planEtag: "no" } },
    "PLAN_CHANGED",
  ),
];

const enumRows = [
  bad(
    "an unknown kind of member",
    teams.addMember,
    { team: "qa", member: "new", kind: 99 as MemberKind },
    "INVALID_FIELD",
    "kind",
  ),
  bad(
    "no reason for a revocation",
    teams.revokeCertificate,
    { certificate: "no", revocationReason: RevocationReason.UNSPECIFIED },
    "INVALID_FIELD",
    "certificate",
    "revocation_reason",
  ),
  bad(
    "an unexplained compromise",
    teams.revokeCertificate,
    { certificate: "no", revocationReason: RevocationReason.COMPROMISED },
    "INVALID_FIELD",
    "certificate",
    "options.reason",
  ),
  bad(
    "unknown states of trusts",
    trust.listTrusts,
    { states: [CollectionState.PENDING, 77 as CollectionState, CollectionState.UNSPECIFIED] },
    "INVALID_FIELD",
    "states[1]",
    "states[2]",
  ),
  bad(
    "an unknown state of certificates",
    teams.listCertificates,
    { states: [-1 as CertificateState] },
    "INVALID_FIELD",
    "states[0]",
  ),
  bad(
    "an unknown state of publications",
    delegations.getRollout,
    { id: "5c5b0f0e-2a5f-4a53-8f0c-0d3c7b1e9a11", states: [9 as PublicationState] },
    "INVALID_FIELD",
    "states[0]",
  ),
];

const foreignToken = "WyJhIiwiYiJd";
const listRows = [
  bad(
    "a page_token that nobody gave, of trusts",
    trust.listTrusts,
    { pageToken: foreignToken },
    "INVALID_FIELD",
    "page_token",
  ),
  bad("a page_token that nobody gave, of teams", teams.listTeams, { pageToken: "%%%" }, "INVALID_FIELD", "page_token"),
  bad(
    "a page_token that nobody gave, of members",
    teams.listMembers,
    { pageToken: foreignToken },
    "INVALID_FIELD",
    "page_token",
  ),
  bad(
    "a page_token that nobody gave, of certificates",
    teams.listCertificates,
    { pageToken: foreignToken },
    "INVALID_FIELD",
    "page_token",
  ),
  bad(
    "a page_token that nobody gave, of delegations",
    delegations.listDelegations,
    { gun, pageToken: foreignToken },
    "INVALID_FIELD",
    "page_token",
  ),
  bad(
    "a page_token that nobody gave, of records",
    audit.listAuditRecords,
    { pageToken: foreignToken },
    "INVALID_FIELD",
    "page_token",
  ),
  bad(
    "a page_size below nothing",
    teams.listMembers,
    { pageSize: -1, team: "QA" },
    "INVALID_FIELD",
    "page_size",
    "team",
  ),
  bad("delegations of nothing in particular", delegations.listDelegations, {}, "INVALID_FIELD", "gun", "team"),
  bad("a prefix with a NUL", trust.listTrusts, { gunPrefix: "dtr\u0000" }, "INVALID_FIELD", "gun_prefix"),
  bad("a record of no name", audit.getAuditRecord, {}, "INVALID_FIELD", "index", "event_id"),
  bad(
    "a record below the first",
    audit.getAuditRecord,
    { id: { $case: "index", value: -1n } },
    "INVALID_FIELD",
    "index",
  ),
  bad(
    "a record under no UUID",
    audit.getAuditRecord,
    { id: { $case: "eventId", value: "x" } },
    "INVALID_FIELD",
    "event_id",
  ),
  bad("a record that is not there", audit.getAuditRecord, { id: { $case: "index", value: 2n ** 62n } }, "NOT_FOUND"),
  bad(
    "records of a time that ends before it begins",
    audit.listAuditRecords,
    { startTime: now, endTime: daysFrom(now, -1) },
    "INVALID_FIELD",
    "end_time",
  ),
  bad(
    "records of everything that is misspelt",
    audit.listAuditRecords,
    { gun: "x", team: "X", member: "X", actor: "a\u0000", eventTypes: ["a.b.v1", "x"], results: ["OK", "FINE"] },
    "INVALID_FIELD",
    ...["gun", "team", "member", "actor", "event_types[1]", "results[1]"],
  ),
  bad("a rollout under no UUID", delegations.getRollout, { id: "x" }, "INVALID_FIELD", "id"),
  bad(
    "a rollout that is not there",
    delegations.getRollout,
    { id: "5c5b0f0e-2a5f-4a53-8f0c-0d3c7b1e9a11" },
    "NOT_FOUND",
  ),
  bad("a trust that is not there", trust.getTrust, { gun: "dtr.example.org/dev/none" }, "NOT_FOUND"),
  bad(
    "waiting for what cannot be",
    trust.getTrust,
    { gun, minPublishedGeneration: -1n, minTeamRevisions: [{ team: "QA", revision: -1n }] },
    "INVALID_FIELD",
    "min_published_generation",
    "min_team_revisions[0].team",
    "min_team_revisions[0].revision",
  ),
];

const otherRows = [
  bad("the team id releases", teams.createTeam, { team: "releases" }, "INVALID_FIELD", "team"),
  bad("the id of a deleted team", teams.createTeam, { team: "gone" }, "TEAM_ID_RETIRED"),
  bad("the id of another team", teams.createTeam, { team: "qa", displayName: "Quality" }, "ALREADY_EXISTS"),
  bad(
    "the id of another member",
    teams.addMember,
    { team: "qa", member: "ann", kind: MemberKind.ROBOT },
    "ALREADY_EXISTS",
  ),
  bad(
    "a proof of possession",
    teams.createTeam,
    { team: "new", requiresPossessionProof: true },
    "INVALID_FIELD",
    "requires_possession_proof",
  ),
  bad(
    "more labels than 32",
    teams.createTeam,
    { team: "new", labels: Object.fromEntries(Array.from({ length: 33 }, (_, n) => [`l${n}`, ""])) },
    "INVALID_FIELD",
    "labels",
  ),
  bad(
    "a display name over 200 characters",
    teams.createTeam,
    { team: "new", displayName: "a".repeat(201) },
    "INVALID_FIELD",
    "display_name",
  ),
  bad("deleting a team that is delegated to", teams.deleteTeam, { team: "qa" }, "TEAM_IN_USE"),
  bad(
    "everything that can be wrong with a first publication",
    trust.initializeTrust,
    {
      gun: "x",
      teams: [
        { team: "qa", paths: [], excludeFromReleases: false },
        { team: "Ops", paths: ["\n"], excludeFromReleases: false },
        { team: "qa", paths: [], excludeFromReleases: true },
      ],
      labels: { "Not a key": "v" },
      displayName: " x",
      keyBackend: "none",
      releasesPaths: ["\n"],
      options: { requestId: "\n", reason: "\n" },
    },
    "INVALID_FIELD",
    ...["gun", "teams[1].team", "teams[1].paths", "teams[2].team", "labels", "display_name", "key_backend"],
    ...["releases_paths", "options.request_id", "options.reason"],
  ),
  bad(
    "everything that can be wrong with a certificate's submission",
    teams.submitCertificate,
    { member: "X", certificatePem: "hello", options: { reason: "\n" } },
    "INVALID_FIELD",
    ...["member", "certificate_pem", "options.reason"],
  ),
];

describe("refused, with nothing changed and one record:", () => {
  const rows = [gunRows, idRows, certificateRows, keyRows, delegationRows, optionRows, enumRows, listRows, otherRows];
  for (const row of rows.flat()) {
    test(row.name, async () => {
      const refused = await assertRefused(row);
      assert.ok(refused.message.length > 20);
      for (const { description } of refused.violations) assert.match(description, /^must /);
    });
  }
});

test("a request_id with another body is refused", async () => {
  const options = { requestId: "one", reason: "first" };
  await house.admin.send(teams.createTeam, { team: "first", options });
  await assertRefused(bad("", teams.createTeam, { team: "second", options }, "REQUEST_ID_REUSED"));
});

test("a page token is good for its own list and filter only", async () => {
  const page = await house.admin.send(trust.listTrusts, { pageSize: 1 });
  assert.equal(page.trusts[0]?.gun, gun);
  const next = await house.admin.send(trust.listTrusts, { pageSize: 1, pageToken: page.nextPageToken });
  assert.equal(next.trusts[0]?.gun, "dtr.example.org/dev/other");
  const filtered = { pageToken: page.nextPageToken, team: "qa" };
  await assertRefused(bad("", trust.listTrusts, filtered, "INVALID_FIELD", "page_token"));
  await assertRefused(bad("", teams.listTeams, { pageToken: page.nextPageToken }, "INVALID_FIELD", "page_token"));
  const [digest] = JSON.parse(Buffer.from(page.nextPageToken, "base64url").toString());
  for (const key of ["dtr.example.org/\u0000", "x'", ""]) {
    const pageToken = Buffer.from(JSON.stringify([digest, key])).toString("base64url");
    await assertRefused(bad("", trust.listTrusts, { pageToken }, "INVALID_FIELD", "page_token"));
  }
});

test("a targets file over 3.5 MiB is refused before anything is decided", async () => {
  const { admin } = house;
  const large = "dtr.example.org/dev/large";
  const paths = Array.from({ length: 1_000 }, (_, n) => `${n}${"x".repeat(250)}`);
  await makeTeam(admin, "large-0", ["lea"]);
  await initialize(admin, large);
  for (let at = 0; ; at++) {
    assert.ok(at < 20, "nothing was too large");
    if (at > 0) {
      await createTeam(admin, `large-${at}`);
      await addMember(admin, `large-${at}`, "lea");
    }
    const wish = { gun: large, team: `large-${at}`, paths, excludeFromReleases: true, options: { noWait: true } };
    if ((at + 1) * 254_000 < 3.5 * 1024 * 1024) {
      await admin.send(delegations.delegate, wish);
      continue;
    }
    const refused = await assertRefused(bad("", delegations.delegate, wish, "TOO_LARGE"));
    assert.equal(refused.metadata["limit"], String(3.5 * 1024 * 1024));
    break;
  }
});

test("a list whose page would be longer than clients take has fewer items, and goes on where it ended", async () => {
  const wish = { gun: "dtr.example.org/dev/large", pageSize: 1_000 };
  const teamsSeen: string[] = [];
  let pageToken = "";
  do {
    const page = await house.admin.send(delegations.listDelegations, { ...wish, pageToken });
    teamsSeen.push(...page.delegations.map(({ team }) => team));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  assert.equal(new Set(teamsSeen).size, teamsSeen.length);
  const { team } = await house.admin
    .send(teams.getMember, { member: "lea" })
    .then(({ member }) => ({ team: member?.teams ?? [] }));
  assert.deepEqual(
    teamsSeen,
    team.slice(0, -1).length === teamsSeen.length ? teamsSeen : team.filter((one) => teamsSeen.includes(one)),
  );
});

test("what holds a timestamp that no calendar has is refused", async () => {
  const seconds = Buffer.from([0x4a, 0x0a, 0x08, ...varint(2n ** 61n)]);
  seconds[1] = seconds.length - 2;
  await assert.rejects(house.admin.sendBytes(audit.listAuditRecords.path, seconds), (error: never) => {
    const refused = refusedBy(error);
    assert.deepEqual([refused.reason, refused.violations.map(({ field }) => field)], ["INVALID_FIELD", ["start_time"]]);
    return true;
  });
});

test("a label named __proto__ is refused", async () => {
  const entry = Buffer.concat([Buffer.from([0x0a, 9]), Buffer.from("__proto__"), Buffer.from([0x12, 1, 0x61])]);
  const bytes = Buffer.concat([Buffer.from([0x0a, 3]), Buffer.from("new"), Buffer.from([0x1a, entry.length]), entry]);
  await assert.rejects(house.admin.sendBytes(teams.createTeam.path, bytes), (error: never) => {
    assert.equal(refusedBy(error).reason, "INVALID_FIELD");
    return true;
  });
  await assertRefused(bad("", teams.getTeam, { team: "new" }, "NOT_FOUND"));
});

test("a message over 1 MiB and a deadline of 1 ms end their calls, change nothing, and the service goes on", async () => {
  const rows = await house.rows();
  const large = { team: "new", options: { reason: "x".repeat(1024 * 1024) } };
  await assert.rejects(house.admin.send(teams.createTeam, large), { code: status.RESOURCE_EXHAUSTED });
  const hasty = { deadlineMs: 1 };
  await assert.rejects(house.admin.send(teams.createTeam, { team: "new" }, hasty), { code: status.DEADLINE_EXCEEDED });
  assert.deepEqual(await house.rows(), rows);
  assert.equal((await house.admin.send(teams.getTeam, { team: "qa" })).team?.id, "qa");
});

test("a change with less than 250 ms left is refused before it begins, and recorded", async () => {
  const rows = await house.rows();
  const isRecorded = async (): Promise<boolean> => {
    const sending = { deadlineMs: 240 };
    await assert.rejects(house.admin.send(teams.createTeam, { team: "new" }, sending), {
      code: status.DEADLINE_EXCEEDED,
    });
    return (await house.freshRecords()).some(({ result }) => result.reason === "DEADLINE_TOO_SHORT");
  };
  await until(isRecorded);
  assert.deepEqual(await house.rows(), rows);
});

test("a call that is cancelled while Notary is asked ends, and nothing is decided", async () => {
  const rows = await house.rows();
  const wish = { gun: "slow.example.org/dev/nginx" };
  const cancelled = house.admin.send(trust.initializeTrust, wish, {
    sent: (call) => setTimeout(() => call.cancel(), 100),
  });
  await assert.rejects(cancelled, { code: status.CANCELLED });
  await until(() => house.ended.includes("InitializeTrust CANCELLED"));
  await assert.rejects(house.admin.send(trust.initializeTrust, wish, { deadlineMs: 400 }), {
    code: status.DEADLINE_EXCEEDED,
  });
  await until(() => house.ended.includes("InitializeTrust DEADLINE_EXCEEDED"));
  assert.deepEqual(await house.rows(), rows);
});

test("the private key that was sent stands in no record, no table and no log", async () => {
  await house.freshRecords();
  const tables = await house.database.rows<{ name: string }>(
    `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
     where table_schema in ('public', 'audit') and has_table_privilege(format('%I.%I', table_schema, table_name), 'select')`,
  );
  const asHex = Buffer.from(secret.slice(0, 40)).toString("hex");
  for (const { name } of tables) {
    const found = await house.database.row(
      `select 1 from ${name} t where position(:text in t::text) > 0 or position(:hex in t::text) > 0 limit 1`,
      { text: secret.slice(0, 40), hex: asHex },
    );
    assert.equal(found, undefined, name);
  }
  assert.ok(tables.length > 10);
  assert.ok(!house.logLines.join().includes(secret.slice(0, 40)));
});

test("the same certificate, alone or before its chain, is taken once", async () => {
  const { admin } = house;
  const pem = makeCertificate(now, { issuer: authority, name: "chain" }).pem;
  const first = await admin.send(teams.submitCertificate, {
    member: "ann",
    certificatePem: pem + authority.pem,
    options: { noWait: true },
  });
  const again = await admin.send(teams.submitCertificate, {
    member: "ann",
    certificatePem: pem,
    options: { noWait: true },
  });
  assert.deepEqual(
    [first.outcome?.state, again.outcome?.state],
    [PublicationState.PENDING, PublicationState.UNCHANGED],
  );
  assert.equal(again.certificate?.id, first.certificate?.id);
  assert.equal(first.certificate?.pem.match(/BEGIN CERTIFICATE/g)?.length, 1);
});

test("random bytes as a request are refused, and the service goes on", async () => {
  for (let length = 1; length < 20; length++) {
    const sent = house.admin.sendBytes(teams.createTeam.path, randomBytes(length)).then(
      () => "OK",
      (error) => refusedBy(error).reason,
    );
    assert.equal(await sent, "INVALID_FIELD");
  }
  assert.equal((await house.admin.send(teams.getTeam, { team: "qa" })).team?.id, "qa");
});

function varint(value: bigint): readonly number[] {
  return value < 128n ? [Number(value)] : [Number(value & 127n) | 128, ...varint(value >> 7n)];
}
