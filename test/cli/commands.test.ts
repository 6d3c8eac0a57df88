import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { AuditServiceService } from "../../gen/imagetrust/v1/audit.ts";
import { PublicationState, RolloutKind } from "../../gen/imagetrust/v1/change.ts";
import { AuthorityAxis, DelegationServiceService } from "../../gen/imagetrust/v1/delegation.ts";
import { ExpiringKind, ExpiryServiceService } from "../../gen/imagetrust/v1/expiry.ts";
import { CertificateState, MemberKind, RevocationReason, TeamServiceService } from "../../gen/imagetrust/v1/team.ts";
import { CollectionState, TrustServiceService } from "../../gen/imagetrust/v1/trust.ts";
import { type FakeService, runCaptured, startFakeService } from "./fake-service.ts";

const gun = "dtr.example.org/dev/nginx";
const page = { pageSize: 50, pageToken: "" };
let service: FakeService;
before(async () => {
  service = await startFakeService();
});
after(() => service.close());

/** The command line, the RPC it must reach, and the fields its request must hold. */
const commands: readonly (readonly [line: string, method: { path: string }, request: object])[] = [
  [
    `init ${gun} --team qa:v1,v2 --team ops --exclude-from-releases qa --releases-path r --label a=b=c --display-name Nginx --key-backend hsm --notary main`,
    TrustServiceService.initializeTrust,
    {
      gun,
      teams: [
        { team: "qa", paths: ["v1", "v2"], excludeFromReleases: true },
        { team: "ops", paths: [], excludeFromReleases: false },
      ],
      releasesPaths: ["r"],
      labels: { a: "b=c" },
      displayName: "Nginx",
      keyBackend: "hsm",
      notary: "main",
    },
  ],
  [`trust get ${gun}`, TrustServiceService.getTrust, { gun, minPublishedGeneration: 0n }],
  [`trust wait ${gun} --generation 7`, TrustServiceService.getTrust, { gun, minPublishedGeneration: 7n }],
  [
    "trust list --prefix dtr. --state in-sync --state BLOCKED --team qa --page-size 3 --page-token t",
    TrustServiceService.listTrusts,
    {
      gunPrefix: "dtr.",
      states: [CollectionState.IN_SYNC, CollectionState.BLOCKED],
      team: "qa",
      pageSize: 3,
      pageToken: "t",
    },
  ],
  [`trust delete ${gun}`, TrustServiceService.deleteTrust, { gun }],
  [
    "team create qa --display-name Quality --label x=y",
    TeamServiceService.createTeam,
    { team: "qa", displayName: "Quality", labels: { x: "y" }, requiresPossessionProof: false },
  ],
  ["team create qa --require-proof", TeamServiceService.createTeam, { team: "qa", requiresPossessionProof: true }],
  ["team get qa", TeamServiceService.getTeam, { team: "qa" }],
  ["team list --member alice", TeamServiceService.listTeams, { ...page, member: "alice" }],
  ["team delete qa", TeamServiceService.deleteTeam, { team: "qa" }],
  [
    "member add qa build-1 --robot --display-name Builder",
    TeamServiceService.addMember,
    { team: "qa", member: "build-1", kind: MemberKind.ROBOT, displayName: "Builder" },
  ],
  [
    "member add qa build-1",
    TeamServiceService.addMember,
    { team: "qa", member: "build-1", kind: MemberKind.UNSPECIFIED, displayName: "" },
  ],
  ["member add qa alice --person", TeamServiceService.addMember, { member: "alice", kind: MemberKind.PERSON }],
  ["member remove qa alice", TeamServiceService.removeMember, { team: "qa", member: "alice" }],
  ["member get alice", TeamServiceService.getMember, { member: "alice" }],
  ["member list --team qa", TeamServiceService.listMembers, { ...page, team: "qa" }],
  [
    "certificate revoke 1b --because compromised",
    TeamServiceService.revokeCertificate,
    { certificate: "1b", revocationReason: RevocationReason.COMPROMISED },
  ],
  [
    "member revoke alice --because left",
    TeamServiceService.revokeMember,
    { member: "alice", revocationReason: RevocationReason.LEFT },
  ],
  [
    "certificate list --member alice --team qa --unproven --state not-yet-valid",
    TeamServiceService.listCertificates,
    { ...page, member: "alice", team: "qa", states: [CertificateState.NOT_YET_VALID], unproven: true },
  ],
  [
    `delegate ${gun} qa --path v1 --path v2 --exclude-from-releases`,
    DelegationServiceService.delegate,
    { gun, team: "qa", paths: ["v1", "v2"], excludeFromReleases: true },
  ],
  [`undelegate ${gun} qa`, DelegationServiceService.undelegate, { gun, team: "qa" }],
  [`delegation get ${gun} qa`, DelegationServiceService.getDelegation, { gun, team: "qa" }],
  ["delegation list --team qa", DelegationServiceService.listDelegations, { ...page, gun: "", team: "qa" }],
  [
    "rollout get 5c --state pending",
    DelegationServiceService.getRollout,
    { ...page, id: "5c", states: [PublicationState.PENDING] },
  ],
  ["rollout show 5c", DelegationServiceService.getRollout, { ...page, id: "5c", states: [] }],
  [
    "rollout list --kind batch --actor ann --unfinished",
    DelegationServiceService.listRollouts,
    { ...page, kind: RolloutKind.BATCH, actor: "ann", unfinished: true },
  ],
  ["rollout watch 5c", DelegationServiceService.watchRollout, { id: "5c" }],
  ["rollout cancel 5c", DelegationServiceService.cancelRollout, { id: "5c" }],
  [
    `delegate-batch qa ${gun} dtr.example.org/dev/other --path v1 --exclude-from-releases`,
    DelegationServiceService.batchDelegate,
    {
      team: "qa",
      guns: [gun, "dtr.example.org/dev/other"],
      selection: undefined,
      paths: ["v1"],
      excludeFromReleases: true,
    },
  ],
  [
    "delegate-batch qa --prefix dtr.example.org/dev/ --label tier=1 --team-of ops",
    DelegationServiceService.batchDelegate,
    { team: "qa", guns: [], selection: { gunPrefix: "dtr.example.org/dev/", labels: { tier: "1" }, team: "ops" } },
  ],
  [
    "rule create dtr.example.org/dev/* qa --path v1 --exclude-from-releases",
    DelegationServiceService.createDelegationRule,
    { gunPrefix: "dtr.example.org/dev/", team: "qa", paths: ["v1"], excludeFromReleases: true },
  ],
  [
    "rule delete dtr.example.org/dev/ qa --end-delegations",
    DelegationServiceService.deleteDelegationRule,
    { gunPrefix: "dtr.example.org/dev/", team: "qa", endDelegations: true },
  ],
  [
    "rule list --prefix dtr. --team qa",
    DelegationServiceService.listDelegationRules,
    { ...page, gunPrefix: "dtr.", team: "qa" },
  ],
  [
    "audit list --gun g --team t --member m --actor a --type x.v1 --type y.v1 --result OK --since 2026-03-01 --until 2026-03-02T10:00:00+01:00",
    AuditServiceService.listAuditRecords,
    {
      ...page,
      gun: "g",
      team: "t",
      member: "m",
      actor: "a",
      eventTypes: ["x.v1", "y.v1"],
      results: ["OK"],
      startTime: new Date("2026-03-01T00:00:00Z"),
      endTime: new Date("2026-03-02T09:00:00Z"),
    },
  ],
  [
    "expiring --until 2026-03-02 --prefix dtr. --team qa --kind delegation --kind certificate",
    ExpiryServiceService.listExpiring,
    {
      ...page,
      untilTime: new Date("2026-03-02T00:00:00Z"),
      gunPrefix: "dtr.",
      team: "qa",
      kinds: [ExpiringKind.DELEGATION, ExpiringKind.CERTIFICATE],
    },
  ],
  ["expiring", ExpiryServiceService.listExpiring, { ...page, untilTime: undefined, kinds: [] }],
  [
    `authority --member ann --team qa --key-id 1b --gun ${gun} --prefix dtr. --at 2026-03-02 --live`,
    DelegationServiceService.listAuthority,
    {
      ...page,
      ...{ gun, team: "qa", member: "ann", key: "1b", gunPrefix: "dtr.", axis: AuthorityAxis.LIVE },
      asOf: new Date("2026-03-02T00:00:00Z"),
    },
  ],
  [
    "authority --member ann",
    DelegationServiceService.listAuthority,
    { ...page, gun: "", member: "ann", axis: AuthorityAxis.DECIDED, asOf: undefined },
  ],
  ["audit get 17", AuditServiceService.getAuditRecord, { id: { $case: "index", value: 17n } }],
  [
    "audit get 0198F1A2-0000-7000-8000-000000000001",
    AuditServiceService.getAuditRecord,
    { id: { $case: "eventId", value: "0198f1a2-0000-7000-8000-000000000001" } },
  ],
];

for (const [line, method, expected] of commands) {
  test(`${line} sends what it says`, async () => {
    const arrived = service.arrivals.length;
    const { code } = await service.run(...line.split(" "));
    assert.equal(code, 1, "the fake answers UNIMPLEMENTED");
    const [arrival, ...more] = service.arrivals.slice(arrived);
    assert.deepEqual(more, []);
    assert.equal(arrival?.path, method.path);
    const decoder = method as unknown as { requestDeserialize(bytes: Buffer): object };
    const request = decoder.requestDeserialize(arrival.bytes);
    assert.partialDeepStrictEqual(request, expected);
  });
}

test("the options of a change are sent with it", async () => {
  const line = `--reason tidying --request-id r-1 --validate-only --no-wait member remove qa bob --etag e --plan-etag p`;
  await service.run(...line.split(" "), "--accept-orphaned", "--accept-without-signer");
  assert.deepEqual(service.requests(TeamServiceService.removeMember).at(-1)?.options, {
    requestId: "r-1",
    validateOnly: true,
    reason: "tidying",
    etag: "e",
    noWait: true,
    acceptOrphaned: true,
    acceptRevived: false,
    planEtag: "p",
    acceptWithoutSigner: true,
  });
  await service.run("delegate", gun, "qa", "--accept-revived");
  assert.equal(service.requests(DelegationServiceService.delegate).at(-1)?.options?.acceptRevived, true);
});

test("a change without a request id gets a fresh UUID, and global options may stand behind the command", async () => {
  await service.run("team", "delete", "qa", "--reason", "gone");
  await service.run("team", "delete", "qa");
  const [one, two] = service.requests(TeamServiceService.deleteTeam).slice(-2);
  assert.match(one?.options?.requestId ?? "", /^[0-9a-f]{8}-/);
  assert.notEqual(one?.options?.requestId, two?.options?.requestId);
  assert.equal(one?.options?.reason, "gone");
});

const wrong: readonly (readonly [line: string, says: RegExp])[] = [
  ["", /Usage: imagetrust/],
  ["frobnicate", /unknown command/],
  ["delegate onlyone", /missing required argument 'team'/],
  ["trust list --state nowhere", /initializing, in_sync/],
  ["trust list --state unspecified", /initializing, in_sync/],
  ["trust list --page-size 0", /1 to 1000/],
  ["trust wait g --generation -1", /whole number from 1/],
  ["--timeout 0 trust list", /more than 0/],
  ["--timeout soon trust list", /more than 0/],
  ["team create qa --label x", /name=value/],
  ["team create qa --accept-orphaned", /unknown option/],
  ["team update qa --require-proof --take-unproven", /cannot be used with/],
  ["member add qa x --robot --person", /cannot be used with/],
  ["rollout wait", /missing required argument 'id'/],
  ["rollout list --kind nothing", /team_change, member_revocation/],
  ["apply", /--file/],
  ["apply -f /nowhere/trust.yaml", /cannot read/],
  ["--request-id r apply -f /dev/null", /names each itself/],
  ["export --gun g --team qa", /Give one of/],
  ["delegate-batch qa", /--prefix, --label or --team-of/],
  [`delegate-batch qa ${gun} --prefix dtr.`, /--prefix, --label or --team-of/],
  ["delegate-batch qa --file /nowhere/guns", /cannot read/],
  [`init ${gun} --team qa --exclude-from-releases ops`, /names ops/],
  ["certificate add alice", /either a certificate file, or a client bundle/],
  ["certificate add alice /nowhere/cert.pem", /Cannot read/],
  ["certificate revoke 1b", /--because/],
  ["audit get seventeen", /event id/],
  ["audit list --since yesterday", /2026-03-01T12:00:00Z/],
  ["audit list --since 2026-03-01T12:00:00", /2026-03-01T12:00:00Z/],
];

for (const [line, says] of wrong) {
  test(`\`imagetrust ${line}\` is a usage error and sends nothing`, async () => {
    const arrived = service.arrivals.length;
    const { code, err, out } = await service.run(...line.split(" ").filter((word) => word !== ""));
    assert.equal(code, 2);
    assert.match(err + out, says);
    assert.equal(service.arrivals.length, arrived);
  });
}

test("without a client certificate the command says what is missing", async () => {
  const { code, err } = await runCaptured("trust", "list");
  assert.equal(code, 2);
  assert.match(err, /--cert .* and --key/);
});

test("--help and --version are no errors", async () => {
  assert.deepEqual(await runCaptured("--version"), { code: 0, out: "0.1.0\n", err: "" });
  const { code, out } = await runCaptured("member", "setup", "--help");
  assert.equal(code, 0);
  assert.match(out, /--notary-url/);
});

test("the launcher hands no other command than these two to the service", async () => {
  const launcher = join(import.meta.dirname, "../../bin/imagetrust");
  const said = await new Promise((resolve) => execFile(launcher, ["signer"], (_, __, err) => resolve(err)));
  assert.match(String(said), /unknown command 'signer'/);
});
