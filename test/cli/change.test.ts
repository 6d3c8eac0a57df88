import assert from "node:assert/strict";
import { createServer } from "node:net";
import { afterEach, beforeEach, test } from "node:test";
import { status } from "@grpc/grpc-js";
import {
  BlockReason,
  KeyRef,
  Outcome,
  PendingReason,
  Plan,
  PlanWarning,
  Publication,
  PublicationState,
  RolePlan,
  RoleVersion,
  WarningCode,
} from "../../gen/imagetrust/v1/change.ts";
import { DelegationServiceService } from "../../gen/imagetrust/v1/delegation.ts";
import { TeamServiceService } from "../../gen/imagetrust/v1/team.ts";
import { TrustServiceService } from "../../gen/imagetrust/v1/trust.ts";
import { type FakeService, refusal, startFakeService } from "./fake-service.ts";

const gun = "dtr.example.org/dev/nginx";
const { undelegate } = DelegationServiceService;
let service: FakeService;
beforeEach(async () => {
  service = await startFakeService();
});
afterEach(() => service.close());

const emptyPlan = Plan.fromPartial({});
const planned: Plan = { ...emptyPlan, summary: "End the delegation." };

function publication(parts: Partial<Publication>): Publication {
  return { ...Publication.fromPartial({ gun, generation: 2n }), ...parts };
}

function outcome(state: PublicationState, parts: Partial<Outcome> = {}): { outcome: Outcome } {
  const roles = [RoleVersion.fromPartial({ role: "targets", version: 3 })];
  const publications = [publication({ state, roles })];
  return { outcome: { ...Outcome.fromPartial({}), state, publications, plan: planned, ...parts } };
}

const { PUBLISHED, UNCHANGED, PENDING, BLOCKED, SUPERSEDED, CANCELLED } = PublicationState;
for (const [state, code, says] of [
  [PUBLISHED, 0, /PUBLISHED: live on Notary/],
  [UNCHANGED, 0, /UNCHANGED: nothing to publish/],
  [PENDING, 3, /PENDING: accepted and kept, not live yet.*trust wait dtr\.example\.org/],
  [BLOCKED, 3, /BLOCKED/],
  [SUPERSEDED, 3, /SUPERSEDED: a later change/],
  [CANCELLED, 3, /CANCELLED/],
] as const) {
  test(`exit code ${code} stands for outcome ${state}`, async () => {
    service.answer(undelegate, () => outcome(state));
    const run = await service.run("--no-wait", "undelegate", gun, "qa");
    assert.equal(run.code, code, run.err);
    assert.match(run.out, says);
    assert.match(run.out, /^End the delegation\.$/m);
  });
}

test("what was made and has nothing to publish is not called unchanged", async () => {
  const made = (summary: string) => outcome(UNCHANGED, { plan: { ...emptyPlan, summary }, publications: [] });
  service.answer(TeamServiceService.createTeam, () => ({ ...made("Team qa is created."), team: undefined }));
  service.answer(TeamServiceService.deleteTeam, () => made("Team qa is deleted."));
  service.answer(TeamServiceService.addMember, () => ({ ...made("Member a joins team qa."), member: undefined }));
  service.answer(TrustServiceService.deleteTrust, () => ({ ...made("Give up trust."), trust: undefined }));
  const said = async (...args: readonly string[]) => {
    const { code, out } = await service.run(...args);
    return `${code} ${out}`;
  };
  assert.equal(await said("team", "create", "qa"), "0 Team qa is created.\nNothing to publish.\n");
  assert.equal(await said("team", "delete", "qa"), "0 Team qa is deleted.\nNothing to publish.\n");
  assert.equal(await said("member", "add", "qa", "a"), "0 Member a joins team qa.\nNothing to publish.\n");
  assert.equal(await said("trust", "delete", gun), "0 Give up trust.\nNothing to publish.\n");
});

test("what blocks a collection is shown with the service's own words", async () => {
  const why = { blockReason: BlockReason.ROLLBACK, blockTime: new Date(0), detail: "Notary went back." };
  const publications = [publication({ state: BLOCKED, ...why })];
  service.answer(undelegate, () => outcome(BLOCKED, { publications }));
  const { out } = await service.run("undelegate", gun, "qa");
  assert.match(out, /ROLLBACK since 1970-01-01T00:00:00Z; Notary went back\./);
});

test("a refusal is printed with reason, every field fault and its facts, and exits 1", async () => {
  service.answer(undelegate, () => {
    const fields = [
      { field: "gun", description: "must be lower case" },
      { field: "team", description: "must not be empty" },
    ];
    throw refusal(status.INVALID_ARGUMENT, "INVALID_FIELD", "2 fields are wrong.", fields, { limit: "64" });
  });
  const run = await service.run("undelegate", "X", "y");
  assert.equal(run.code, 1);
  assert.equal(run.out, "");
  assert.equal(
    run.err,
    "error: INVALID_FIELD: 2 fields are wrong.\n  gun: must be lower case\n  team: must not be empty\n  (limit: 64)\n",
  );
  const json = await service.run("--json", "undelegate", "X", "y");
  assert.deepEqual(JSON.parse(json.err).error.fields[1], { field: "team", fault: "must not be empty" });
});

test("an error without details, or with damaged ones, is printed by its status", async () => {
  const damaged = refusal(status.PERMISSION_DENIED, "", "no");
  (damaged as unknown as { metadata: { set(key: string, value: Buffer): void } }).metadata.set(
    "grpc-status-details-bin",
    Buffer.from("ffffffff", "hex"),
  );
  service.answer(undelegate, () => {
    throw damaged;
  });
  const { code, err } = await service.run("undelegate", gun, "qa");
  assert.equal(code, 1);
  assert.equal(err, "error: PERMISSION_DENIED: no\n");
});

test("UNAVAILABLE is tried again under the same request id until the change is answered", async () => {
  let attempts = 0;
  service.answer(undelegate, () => {
    attempts++;
    if (attempts === 1) throw refusal(status.UNAVAILABLE, "DATABASE_UNAVAILABLE", "The database does not answer.");
    if (attempts === 2) throw refusal(status.UNAVAILABLE, "OUTCOME_UNKNOWN", "Repeat with the same request_id.");
    return outcome(PUBLISHED);
  });
  const { code, err } = await service.run("undelegate", gun, "qa");
  assert.equal(code, 0);
  const ids = service.requests(undelegate).map(({ options }) => options?.requestId);
  assert.equal(ids.length, 3);
  assert.equal(new Set(ids).size, 1);
  assert.match(err, /The database does not answer.*Trying again with request id/s);
});

test("a refusal is not tried again", async () => {
  service.answer(undelegate, () => {
    throw refusal(status.ABORTED, "ETAG_MISMATCH", "Read again.");
  });
  assert.equal((await service.run("undelegate", gun, "qa")).code, 1);
  assert.equal(service.arrivals.length, 1);
});

test("a pending change is asked for again until it is live, and the plan that decided it is shown", async () => {
  let attempts = 0;
  service.answer(undelegate, () => {
    attempts++;
    if (attempts === 1) return outcome(PENDING, { planEtag: "first" });
    return outcome(attempts < 3 ? PENDING : PUBLISHED, {
      requestReplayed: true,
      plan: { ...emptyPlan, summary: "Decided earlier." },
    });
  });
  const { code, out } = await service.run("--json", "undelegate", gun, "qa");
  assert.equal(code, 0);
  assert.equal(attempts, 3);
  assert.partialDeepStrictEqual(JSON.parse(out).outcome, {
    state: "PUBLISHED",
    planEtag: "first",
    requestReplayed: false,
    plan: { summary: "End the delegation." },
  });
  assert.equal(new Set(service.requests(undelegate).map(({ options }) => options?.requestId)).size, 1);
});

test("a change that stays pending exits 3 when the time is up, also if the service goes away meanwhile", async () => {
  let attempts = 0;
  service.answer(undelegate, () => {
    attempts++;
    if (attempts > 1) throw refusal(status.UNAVAILABLE, "DATABASE_UNAVAILABLE", "Away.");
    return outcome(PENDING, {
      publications: [publication({ state: PENDING, pendingReason: PendingReason.NOTARY_UNREACHABLE })],
    });
  });
  const { code, out } = await service.run("--timeout", "1", "undelegate", gun, "qa");
  assert.equal(code, 3);
  assert.ok(attempts > 1);
  assert.match(out, /NOTARY_UNREACHABLE/);
});

test("--no-wait asks once and tells the service not to wait", async () => {
  service.answer(undelegate, () => outcome(PENDING));
  assert.equal((await service.run("--no-wait", "undelegate", gun, "qa")).code, 3);
  assert.deepEqual(
    service.requests(undelegate).map(({ options }) => options?.noWait),
    [true],
  );
});

test("a change that is never answered exits 4 and names the request id to repeat it with", async () => {
  service.answer(undelegate, () => {
    throw refusal(status.UNAVAILABLE, "OUTCOME_UNKNOWN", "Not known.");
  });
  const { code, err } = await service.run("--timeout", "0.3", "--request-id", "r-9", "undelegate", gun, "qa");
  assert.equal(code, 4);
  assert.match(err, /OUTCOME_UNKNOWN: Not known\. \(Repeat the command with --request-id r-9\.\)/);
});

test("a service that is not there exits 4, for reads at once", async () => {
  const port = await freePort();
  const gone = ["--address", `localhost:${port}`];
  const read = await service.run(...gone, "trust", "list");
  assert.equal(read.code, 4);
  assert.match(read.err, /UNAVAILABLE/);
  assert.equal((await service.run(...gone, "--timeout", "0.4", "undelegate", gun, "qa")).code, 4);
});

test("--validate-only shows the plan, exits 0, and is asked once", async () => {
  const key = KeyRef.fromPartial({ canonicalKeyId: "c2635e285e8fc7ae7f", member: "alice" });
  const role = RolePlan.fromPartial({ gun });
  const warning = PlanWarning.fromPartial({ code: WarningCode.TEAM_NOT_IN_RELEASES, message: "Not released." });
  const plan: Plan = {
    summary: "Delegate to qa.",
    collections: 3,
    truncated: true,
    roles: [
      { ...role, role: "targets", fromVersion: 3, toVersion: 4 },
      { ...role, role: "targets/qa", roleCreated: true, keysAdded: [key], pathsAdded: [""] },
      { ...role, role: "targets/ops", roleRemoved: true, keysRemoved: [key], pathsRemoved: ["v1", "v2"] },
    ],
    warnings: [{ ...warning, tags: ["1.0"] }],
  };
  service.answer(undelegate, () => outcome(PENDING, { plan, validatedOnly: true, planEtag: "e7", publications: [] }));
  const { code, out } = await service.run("--validate-only", "undelegate", gun, "qa");
  assert.equal(code, 0);
  assert.equal(service.arrivals.length, 1);
  assert.equal(
    out,
    `Delegate to qa.
GUN                        ROLE         VERSION  KEYS                 PATHS
${gun}  targets      3 -> 4
${gun}  targets/qa   new      +alice:c2635e285e8f  +all
${gun}  targets/ops  removed  -alice:c2635e285e8f  -v1, v2
... and more: 3 collections in all.
warning: TEAM_NOT_IN_RELEASES: Not released. Tags: 1.0.
Nothing was changed. To insist on this plan: --plan-etag e7
`,
  );
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
