import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type CallOptions, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { CreateTeamRequest, type GetTeamResponse, type TeamServiceClient } from "../../gen/imagetrust/v1/team.ts";
import type { Call } from "../../src/audit/call.ts";
import { Fault } from "../../src/errors.ts";
import { createLogger } from "../../src/logger.ts";
import { startTelemetry, type Telemetry } from "../../src/telemetry.ts";
import { decodedError, until } from "./fixtures.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

let telemetry: Telemetry;
let server: TestServer;
let client: TeamServiceClient;
const calls: Call[] = [];
const never = new Promise<GetTeamResponse>(() => undefined);
/** What the handler of GetTeam does, by the team asked for. */
const behaviours: Record<string, (call: Call) => Promise<GetTeamResponse>> = {
  qa: () => Promise.resolve({ team: undefined }),
  hang: () => never,
  missing: () => Promise.reject(new Fault("NOT_FOUND", "There is no team `missing`; ListTeams tells which there are.")),
  broken: () => Promise.reject(new Error("password=hunter2 at /srv/secret.ts")),
  thrown: () => {
    throw new TypeError("thrown, not rejected");
  },
  unencodable: () => Promise.resolve({ team: { id: 7 } } as unknown as GetTeamResponse),
  surrogate: () => Promise.reject(new Fault("CONFLICT", "half a character \ud800 and many \u{1f600}".repeat(100))),
};

before(async () => {
  telemetry = await startTelemetry({
    metricsListen: undefined,
    samplingRatio: 0,
    environment: {},
    version: "0",
    isReady: () => true,
    log: createLogger("silent"),
  });
  server = await startTestServer({
    handlers: {
      getTeam: (request, call) => {
        calls.push(call);
        return behaviours[request.team]?.(call) ?? Promise.resolve({ team: undefined });
      },
      createTeam: (_request, call) => {
        calls.push(call);
        const fields = Array.from({ length: 500 }, (_, index) => ({
          field: `labels[${index}]`,
          fault: "must be shorter",
        }));
        return Promise.reject(
          new Fault("INVALID_FIELD", "Several fields are wrong.", { fields, metadata: { team: "x" } }),
        );
      },
    },
    edge: { times: { unaryMs: 400, longestMs: 2_000, recordMs: 100 } },
  });
  client = server.client();
});
after(async () => {
  await server.stop();
  await telemetry.stop();
});

function getTeam(
  team: string,
  options: CallOptions = {},
  metadata = new Metadata(),
  from = client,
): Promise<GetTeamResponse> {
  return new Promise((resolve, reject) => {
    from.getTeam({ team }, metadata, options, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}

function createTeam(request: Parameters<typeof CreateTeamRequest.fromPartial>[0]): Promise<unknown> {
  return new Promise((resolve, reject) => {
    client.createTeam(CreateTeamRequest.fromPartial(request), (error, answer) =>
      error ? reject(error) : resolve(answer),
    );
  });
}

async function errorOf(answer: Promise<unknown>): Promise<ServiceError> {
  return answer.then(
    () => assert.fail("the call succeeded"),
    (error: ServiceError) => error,
  );
}

/** The newest line of the log with this message. */
function lineOf(message: string): Readonly<Record<string, unknown>> {
  return JSON.parse(server.lines.findLast((line) => line.includes(`"${message}"`)) ?? "{}");
}

test("a call carries the caller's identity, the digest of the request, its trace and what allowed it", async () => {
  const metadata = new Metadata();
  metadata.set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  await getTeam("qa", { deadline: Date.now() + 1_500 }, metadata);
  const call = calls.at(-1);
  assert.ok(call);
  assert.deepEqual(call.actor.id, "admin");
  assert.match(call.actor.certificateSha256, /^[0-9a-f]{64}$/);
  assert.equal(call.method, "imagetrust.v1.TeamService/GetTeam");
  assert.equal(call.authorization?.resource, 'Team::"qa"');
  assert.match(call.authorization?.policies.join() ?? "", /^admin@/);
  assert.match(call.requestDigest, /^[0-9a-f]{64}$/);
  assert.equal(call.traceId, "0af7651916cd43dd8448eb211c80319c");
  assert.match(call.peer, /^127\.0\.0\.1:\d+$/);
  assert.match(call.userAgent, /grpc-node/);
  assert.ok(call.deadline > Date.now() && call.deadline < Date.now() + 1_500);
});

test("a URI in the certificate names the caller, whatever its CN says", async () => {
  const identity = await server.issue("spiffe://test/admin");
  await getTeam("qa", {}, undefined, server.client(identity));
  assert.equal(calls.at(-1)?.actor.id, "spiffe://test/admin");
});

test("a call without a deadline gets one, and is answered when its handler never ends", async () => {
  const asked = Date.now();
  const error = await errorOf(getTeam("hang"));
  assert.equal(error.code, status.DEADLINE_EXCEEDED);
  assert.equal(decodedError(error).reason, "DEADLINE_EXCEEDED");
  assert.ok(calls.at(-1)?.signal.aborted);
  assert.ok((calls.at(-1)?.deadline ?? 0) < asked + 2_000, "the standard time, not the longest");
});

test("no client may ask for more than the longest time", async () => {
  await getTeam("qa", { deadline: Date.now() + 3_600_000 });
  assert.ok((calls.at(-1)?.deadline ?? 0) <= Date.now() + 2_000);
});

test("a cancelled call reaches the handler's signal, and is counted as cancelled", async () => {
  const before = calls.length;
  const pending = client.getTeam({ team: "hang" }, () => undefined);
  await until(() => calls.length > before);
  pending.cancel();
  await until(() => calls.at(-1)?.signal.aborted === true);
  assert.equal((calls.at(-1) as Call).signal.reason.reason, "CANCELLED");
  await until(() => server.counted.at(-1) === "ended GetTeam CANCELLED");
  assert.equal(lineOf("a call was refused or failed")["reason"], "CANCELLED");
});

test("a deadline of 1 ms harms nobody", async () => {
  const errors = await Promise.all(
    Array.from({ length: 20 }, () => errorOf(getTeam("hang", { deadline: Date.now() + 1 }))),
  );
  assert.ok(errors.every((error) => error.code === status.DEADLINE_EXCEEDED));
  await getTeam("qa");
});

test("a fault arrives with its code, message, reason, metadata and field violations", async () => {
  const error = await errorOf(createTeam({ team: "x", options: { requestId: "r", reason: "why" } }));
  assert.deepEqual([calls.at(-1)?.requestId, calls.at(-1)?.reason], ["r", "why"]);
  assert.ok(server.counted.includes("ended CreateTeam INVALID_ARGUMENT"));
  assert.equal(error.code, status.INVALID_ARGUMENT);
  assert.equal(error.details, "Several fields are wrong.");
  const decoded = decodedError(error);
  assert.equal(decoded.domain, "imagetrust");
  assert.equal(decoded.reason, "INVALID_FIELD");
  assert.equal(decoded.metadata["team"], "x");
  assert.deepEqual(decoded.violations[0], { field: "labels[0]", description: "must be shorter" });
  assert.equal(decoded.violations.length + Number(decoded.metadata["omitted_violations"]), 500);
});

test("what is no Fault is INTERNAL to the caller and told in full to the log", async () => {
  for (const team of ["broken", "thrown", "unencodable"]) {
    const error = await errorOf(getTeam(team));
    assert.equal(error.code, status.INTERNAL);
    assert.doesNotMatch(JSON.stringify(error), /hunter2|secret\.ts|thrown|TypeError/);
    const { trace_id } = decodedError(error).metadata;
    const line = server.lines.findLast((text) => text.includes("a call failed unexpectedly")) ?? "";
    assert.match(JSON.parse(line).err.stack, /at /);
    assert.equal(JSON.parse(line).trace_id, trace_id);
  }
});

test("a message that is long or holds half a character arrives all the same", async () => {
  const error = await errorOf(getTeam("surrogate"));
  assert.equal(error.code, status.ABORTED);
  assert.match(error.details, /^half a character \ufffd and many/);
  assert.ok(error.details.length < 1_200);
});

test("refusals are recorded before the caller is told; reads that succeed and failures are not", async () => {
  const before = server.refusals.length;
  await errorOf(getTeam("missing"));
  assert.equal(server.refusals.length, before + 1);
  const { call, fault } = server.refusals.at(-1) ?? assert.fail();
  assert.deepEqual([fault.reason, call.actor.id, call.authorization?.decision], ["NOT_FOUND", "admin", "ALLOW"]);
  await getTeam("qa");
  assert.equal(server.counted.at(-1), "ended GetTeam OK");
  await errorOf(getTeam("broken"));
  await errorOf(getTeam("hang", { deadline: Date.now() + 50 }));
  assert.equal(server.refusals.length, before + 1);
});

test("who is not permitted is refused, and the record names action, resource and policies", async () => {
  const handled = calls.length;
  const error = await errorOf(getTeam("qa", {}, undefined, server.client(await server.issue("stranger"))));
  assert.equal(error.code, status.PERMISSION_DENIED);
  assert.equal(decodedError(error).reason, "NOT_PERMITTED");
  assert.equal(calls.length, handled);
  const { call } = server.refusals.at(-1) ?? assert.fail();
  assert.equal(call.actor.id, "stranger");
  assert.equal(call.authorization?.decision, "DENY");
  assert.match(call.authorization?.policies.join() ?? "", /^default-deny@/);
});

test("bytes that are no request are refused and recorded", async () => {
  const error = await errorOf(sendBytes(Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f])));
  assert.equal(error.code, status.INVALID_ARGUMENT);
  assert.equal(server.refusals.at(-1)?.fault.reason, "INVALID_FIELD");
  const entry = CreateTeamRequest.encode(CreateTeamRequest.fromPartial({ labels: { aaaaaaaaa: "x" } })).finish();
  const hidden = Buffer.from(Buffer.from(entry).toString("latin1").replace("aaaaaaaaa", "__proto__"), "latin1");
  assert.match((await errorOf(sendBytes(hidden, "CreateTeam"))).details, /__proto__/);
});

test("a request of 2 MiB is refused by the server, which counts and logs it and goes on", async () => {
  const unread = () => server.counted.filter((line) => line === "unread").length;
  const before = unread();
  assert.equal((await errorOf(getTeam("x".repeat(2 * 1024 * 1024)))).code, status.RESOURCE_EXHAUSTED);
  await until(() => unread() === before + 1);
  assert.equal(lineOf("a call ended before its request was read")["method"], "imagetrust.v1.TeamService/GetTeam");
  await getTeam("qa");
});

test("a refusal whose record cannot be written stands, and is counted and logged", async () => {
  const failing = await startTestServer({
    edge: { recordRefusal: () => new Promise(() => undefined), times: { recordMs: 20 } },
  });
  after(() => failing.stop());
  const error = await errorOf(getTeam("qa", {}, undefined, failing.client()));
  assert.equal(error.code, status.NOT_FOUND);
  assert.ok(failing.counted.includes("unrecorded"));
  assert.match(failing.lines.join(), /a refusal could not be recorded/);
});

function sendBytes(bytes: Buffer, method = "GetTeam"): Promise<unknown> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      `/imagetrust.v1.TeamService/${method}`,
      (value: Buffer) => value,
      (value: Buffer) => value,
      bytes,
      (error, answer) => (error ? reject(error) : resolve(answer)),
    );
  });
}
