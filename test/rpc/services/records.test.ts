import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  AuditServiceService,
  AuditSubjectType,
  type AuditRecord as WireRecord,
} from "../../../gen/imagetrust/v1/audit.ts";
import { DelegationServiceService } from "../../../gen/imagetrust/v1/delegation.ts";
import { ExpiryServiceService } from "../../../gen/imagetrust/v1/expiry.ts";
import { RevocationReason, TeamServiceService } from "../../../gen/imagetrust/v1/team.ts";
import { TrustServiceService } from "../../../gen/imagetrust/v1/trust.ts";
import type { AuditRecord } from "../../../src/audit/record.ts";
import { type Rpc, requestOf, type Wish } from "./client.ts";
import { type House, openHouse } from "./house.ts";
import { addMember, createTeam, delegate, freshCertificate, initialize, makeTeam, submit } from "./story.ts";

const gun = "dtr.example.org/dev/nginx";
let house: House;
let rolloutId = "";
let compromised = "";
let batchId = "";
let replaced = "";

before(async () => {
  house = await openHouse({ publishing: false });
  const { admin } = house;
  const [ann] = await makeTeam(admin, "qa", ["ann"]);
  await makeTeam(admin, "ops", ["oli"]);
  await createTeam(admin, "idle");
  await initialize(admin, gun, ["qa"]);
  await initialize(admin, "dtr.example.org/dev/unwanted");
  await delegate(admin, gun, "ops");
  await addMember(admin, "qa", "leaver");
  await submit(admin, "leaver");
  compromised = (await submit(admin, "ann")).id;
  replaced = (await submit(admin, "ann")).id;
  await addMember(admin, "qa", "traitor");
  await submit(admin, "traitor");
  assert.ok(ann);
  const { outcome } = await admin.send(TeamServiceService.submitCertificate, {
    member: "ann",
    certificatePem: freshCertificate(),
    options: { noWait: true },
  });
  rolloutId = outcome?.rollout?.id ?? "";
  await initialize(admin, "dtr.example.org/dev/later");
  const guns = ["dtr.example.org/dev/later"];
  const batch = await admin.send(DelegationServiceService.batchDelegate, {
    team: "qa",
    guns,
    options: { noWait: true },
  });
  batchId = batch.outcome?.rollout?.id ?? "";
});
after(() => house.stop());

interface Asked {
  readonly rpc: Rpc<unknown, unknown>;
  readonly wish: () => Wish<Record<string, unknown>>;
  /** What the record of a mutation must be. */
  readonly eventType?: string;
  readonly subject?: string;
}

/** Types the request of each row against its RPC. */
function row<Request>(
  rpc: Rpc<Request, unknown>,
  wish: Wish<Request> | (() => Wish<Request>),
  record: Pick<Asked, "eventType" | "subject"> = {},
): Asked {
  const make = typeof wish === "function" ? wish : () => wish;
  return { rpc: rpc as Rpc<unknown, unknown>, wish: make as Asked["wish"], ...record };
}

const trust = TrustServiceService;
const teams = TeamServiceService;
const delegations = DelegationServiceService;
const expiry = ExpiryServiceService;
const audit = AuditServiceService;

/** One sound call of every RPC. */
const calls: readonly Asked[] = [
  row(
    trust.initializeTrust,
    { gun: "dtr.example.org/dev/new" },
    { eventType: "trust.initialized.v1", subject: "dtr.example.org/dev/new" },
  ),
  row(trust.getTrust, { gun }),
  row(trust.listTrusts, {}),
  row(
    trust.deleteTrust,
    { gun: "dtr.example.org/dev/unwanted" },
    { eventType: "trust.deleted.v1", subject: "dtr.example.org/dev/unwanted" },
  ),
  row(teams.createTeam, { team: "new" }, { eventType: "team.created.v1", subject: "new" }),
  row(teams.getTeam, { team: "qa" }),
  row(teams.listTeams, {}),
  row(
    teams.updateTeam,
    { team: "idle", requiresPossessionProof: true, updateMask: ["requires_possession_proof"] },
    { eventType: "team.updated.v1", subject: "idle" },
  ),
  row(
    teams.createPossessionChallenge,
    { member: "ann", certificatePem: freshCertificate() },
    { eventType: "key.challenged.v1" },
  ),
  row(teams.deleteTeam, { team: "idle" }, { eventType: "team.deleted.v1", subject: "idle" }),
  row(teams.addMember, { team: "qa", member: "bob" }, { eventType: "member.added.v1", subject: "bob" }),
  row(teams.removeMember, { team: "qa", member: "leaver" }, { eventType: "member.removed.v1", subject: "leaver" }),
  row(teams.getMember, { member: "ann" }),
  row(teams.listMembers, {}),
  row(
    teams.submitCertificate,
    { member: "ann", certificatePem: freshCertificate() },
    { eventType: "certificate.submitted.v1" },
  ),
  row(teams.revokeCertificate, () => ({ certificate: compromised, revocationReason: RevocationReason.COMPROMISED }), {
    eventType: "key.revoked.v1",
  }),
  row(teams.replaceCertificate, () => ({ certificate: replaced, certificatePem: freshCertificate() }), {
    eventType: "key.replaced.v1",
  }),
  row(
    teams.revokeMember,
    { member: "traitor", revocationReason: RevocationReason.COMPROMISED },
    { eventType: "member.revoked.v1", subject: "traitor" },
  ),
  row(teams.listCertificates, {}),
  row(
    delegations.delegate,
    { gun, team: "ops", excludeFromReleases: true },
    { eventType: "delegation.delegated.v1", subject: gun },
  ),
  row(delegations.undelegate, { gun, team: "ops" }, { eventType: "delegation.undelegated.v1", subject: gun }),
  row(delegations.getDelegation, { gun, team: "qa" }),
  row(delegations.listDelegations, { gun }),
  row(delegations.listAuthority, { gun }),
  row(delegations.getRollout, () => ({ id: rolloutId })),
  row(delegations.listRollouts, {}),
  row(
    delegations.batchDelegate,
    { team: "ops", guns: ["dtr.example.org/dev/later"] },
    { eventType: "delegation.batch_delegated.v1", subject: "ops" },
  ),
  row(delegations.cancelRollout, () => ({ id: batchId }), { eventType: "rollout.cancelled.v1", subject: "qa" }),
  row(
    delegations.createDelegationRule,
    { gunPrefix: "dtr.example.org/ruled/", team: "qa" },
    { eventType: "delegation_rule.created.v1", subject: "qa" },
  ),
  row(
    delegations.deleteDelegationRule,
    { gunPrefix: "dtr.example.org/ruled/", team: "qa" },
    { eventType: "delegation_rule.deleted.v1", subject: "qa" },
  ),
  row(delegations.listDelegationRules, {}),
  // One that has nothing pending, so that it ends at once.
  row(delegations.watchRollout, () => ({ id: batchId })),
  row(expiry.listExpiring, {}),
  row(audit.listAuditRecords, {}, { eventType: "audit.listed.v1", subject: "admin" }),
  row(audit.getAuditRecord, { id: { $case: "index", value: 0n } }, { eventType: "audit.read.v1", subject: "admin" }),
];

test("every RPC of every service is called here", () => {
  const served = [trust, teams, delegations, expiry, audit].flatMap((service) =>
    Object.values(service).map(({ path }) => path),
  );
  assert.deepEqual(calls.map(({ rpc }) => rpc.path).sort(), served.sort());
});

for (const { rpc, wish, eventType, subject } of calls) {
  const isMutation = "options" in (requestOf(rpc, {}) as object);
  const name = rpc.path.slice(rpc.path.lastIndexOf("/") + 1);
  const kept = eventType === undefined ? "no record" : `one record, ${eventType}`;

  test(`${name} writes ${kept}`, async () => {
    await house.freshRecords();
    const options = isMutation
      ? { options: { noWait: true, reason: `because of ${name}`, requestId: `id-${name}` } }
      : {};
    await house.admin.send(rpc, { ...wish(), ...options });
    const records = await house.freshRecords();
    assert.deepEqual(
      records.map(({ event_type }) => event_type),
      eventType === undefined ? [] : [eventType],
    );
    const [record] = records;
    if (record !== undefined) assertTold(record, rpc.path, subject);
    if (record !== undefined && isMutation) assertExplained(record, name);
  });
}

function assertTold(record: AuditRecord, path: string, subject: string | undefined): void {
  assert.deepEqual(record.actor.id, "admin");
  assert.equal(record.actor.authentication, "mtls");
  assert.match(record.actor.certificate_sha256 ?? "", /^[0-9a-f]{64}$/);
  assert.deepEqual([record.method, record.stage, record.result.code], [path.slice(1), "RESULT", "OK"]);
  assert.equal(record.authorization?.decision, "ALLOW");
  assert.match(record.request_sha256 ?? "", /^[0-9a-f]{64}$/);
  if (subject !== undefined) assert.equal(record.subject.id, subject);
}

function assertExplained(record: AuditRecord, name: string): void {
  assert.deepEqual([record.reason, record.request_id], [`because of ${name}`, `id-${name}`]);
  const { before, after, diff } = record.change ?? assert.fail("nothing is said to have changed");
  assert.notDeepEqual(before, after);
  assert.ok(Array.isArray(diff) && diff.length > 0 && diff.every((line) => line.length > 10), JSON.stringify(diff));
}

test("a caller who is not permitted is refused, and the refusal is recorded with who asked for what", async () => {
  await house.freshRecords();
  const rows = await house.rows();
  const refused = await house.viewer.refused(delegations.delegate, {
    gun,
    team: "ops",
    options: { reason: "why not" },
  });
  assert.equal(refused.reason, "NOT_PERMITTED");
  assert.deepEqual(await house.rows(), rows);
  const [record, ...more] = await house.freshRecords();
  assert.deepEqual(more, []);
  assert.deepEqual(
    [record?.event_type, record?.stage, record?.actor.id, record?.result.reason, record?.reason],
    ["call.refused.v1", "DENIED", "viewer", "NOT_PERMITTED", "why not"],
  );
  assert.equal(record?.authorization?.resource, `Collection::"${gun}"`);
});

test("the log is listed newest first over its pages, by filter, and each record is found by its index and event_id", async () => {
  const all = [];
  let pageToken = "";
  do {
    const page = await house.admin.send(audit.listAuditRecords, {
      pageSize: 7,
      pageToken,
      actor: "admin",
      results: ["OK"],
    });
    all.push(...page.records);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  assert.ok(all.length > 14);
  assert.deepEqual(
    all.map(({ index }) => index),
    all.map(({ index }) => index).sort((a, b) => Number(b - a)),
  );
  const delegated = all.find(({ eventType }) => eventType === "delegation.delegated.v1") ?? assert.fail();
  const { change, leaf, authorization } = delegated;
  assert.match(change?.diff.join() ?? "", /oli .* may no longer sign targets\/releases/);
  assert.match(authorization?.policies.join() ?? "", /^admin@/);
  assert.equal(JSON.parse(Buffer.from(leaf).toString()).record.event_id, delegated.eventId);
  for (const id of [
    { $case: "index", value: delegated.index },
    { $case: "eventId", value: delegated.eventId },
  ] as const) {
    const { record } = await house.admin.send(audit.getAuditRecord, { id });
    assert.deepEqual(record, delegated);
  }
});

test("each filter of the log finds what it names and nothing else", async () => {
  const list = async (wish: Wish<Parameters<typeof audit.listAuditRecords.requestSerialize>[0]>) =>
    (await house.admin.send(audit.listAuditRecords, { pageSize: 1_000, ...wish })).records;
  const all = await list({});
  const middle = all[Math.floor(all.length / 2)]?.occurTime ?? assert.fail();
  const isAbout = (type: AuditSubjectType, id: string) => (record: WireRecord) =>
    [record.subject, ...record.about].some((one) => one?.type === type && one.id === id);
  const filters: readonly (readonly [Parameters<typeof list>[0], (record: WireRecord) => boolean])[] = [
    [{ gun }, isAbout(AuditSubjectType.GUN, gun)],
    [{ team: "ops" }, isAbout(AuditSubjectType.TEAM, "ops")],
    [{ member: "ann" }, isAbout(AuditSubjectType.MEMBER, "ann")],
    [{ actor: "viewer" }, ({ actor }) => actor?.id === "viewer"],
    [{ eventTypes: ["team.created.v1"] }, ({ eventType }) => eventType === "team.created.v1"],
    [{ results: ["REFUSED"] }, ({ result }) => result !== "OK"],
    [{ results: ["PERMISSION_DENIED"] }, ({ result }) => result === "PERMISSION_DENIED"],
    [{ startTime: middle }, ({ occurTime }) => (occurTime ?? middle) >= middle],
    [{ endTime: middle }, ({ occurTime }) => (occurTime ?? middle) < middle],
  ];
  const indexes = (records: readonly WireRecord[]) => records.map(({ index }) => index);
  for (const [wish, isMeant] of filters) {
    const meant = indexes(all.filter(isMeant));
    assert.ok(meant.length > 0 && meant.length < all.length, Object.keys(wish).join());
    assert.deepEqual(indexes((await list(wish)).filter(({ index }) => index <= (all[0]?.index ?? 0n))), meant);
  }
});
