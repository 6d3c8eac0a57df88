import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { after, before, test } from "node:test";
import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { trace } from "@opentelemetry/api";
import { AlwaysOnSampler, InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import {
  CreateTeamRequest,
  SubmitCertificateRequest,
  TeamServiceClient,
  TeamServiceService,
} from "../../gen/imagetrust/v1/team.ts";
import { digestOf, presentsPrivateKey } from "../../src/rpc/request.ts";
import { decodedError } from "./fixtures.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const pem = String(privateKey.export({ type: "pkcs8", format: "pem" }));
/** The part of the key that must not be found anywhere. */
const secret = pem.split("\n")[1] ?? "";

const spans = new InMemorySpanExporter();
let server: TestServer;
before(async () => {
  const processor = new SimpleSpanProcessor({ exporter: spans });
  trace.setGlobalTracerProvider(new TracerProvider({ sampler: new AlwaysOnSampler(), spanProcessors: [processor] }));
  server = await startTestServer();
});
after(async () => {
  await server.stop();
  trace.disable();
});

/** Sends a request and answers how it was refused. */
function refusalOf(
  send: (client: TeamServiceClient, done: (error: ServiceError | null) => void) => void,
  client?: TeamServiceClient,
) {
  return new Promise<ServiceError>((resolve, reject) => {
    send(client ?? server.client(), (error) => (error ? resolve(error) : reject(new Error("it was let through"))));
  });
}

const createTeam = (request: Parameters<typeof CreateTeamRequest.fromPartial>[0]) =>
  refusalOf((client, done) => client.createTeam(CreateTeamRequest.fromPartial(request), done));

const places: Record<string, () => Promise<ServiceError>> = {
  "the certificate's field": () =>
    refusalOf((client, done) =>
      client.submitCertificate(
        SubmitCertificateRequest.fromPartial({ member: "a", certificatePem: `x\n${pem}` }),
        done,
      ),
    ),
  "an id": () => createTeam({ team: pem }),
  "a label's value": () => createTeam({ labels: { a: pem } }),
  "a label's name": () => createTeam({ labels: { [pem]: "a" } }),
  "the reason": () => createTeam({ options: { reason: pem } }),
  "the request_id": () => createTeam({ options: { requestId: secret } }),
  "the user agent": () =>
    refusalOf(
      (client, done) => client.getTeam({ team: "qa" }, new Metadata(), done),
      new TeamServiceClient(server.address, server.credentialsOf(server.admin), {
        "grpc.primary_user_agent": `agent/${secret}`,
        "grpc.use_local_subchannel_pool": 1,
      }),
    ),
};

for (const [place, send] of Object.entries(places)) {
  test(`a private key in ${place} is refused, and nothing of it is logged, traced, digested or recorded`, async () => {
    const error = await send();
    assert.equal(error.code, status.INVALID_ARGUMENT);
    assert.equal(decodedError(error).reason, "PRIVATE_KEY_PRESENTED");
    const { call, fault } = server.refusals.at(-1) ?? assert.fail("no record");
    assert.equal(fault.reason, "PRIVATE_KEY_PRESENTED");
    assert.deepEqual([call.requestDigest, call.requestId, call.reason, call.authorization], ["", "", "", undefined]);
    const { signal: _, ...recorded } = call;
    const traced = spans.getFinishedSpans().map((span) => [span.name, span.attributes, span.events]);
    assert.ok(traced.length > 0);
    for (const kept of [
      JSON.stringify(recorded),
      JSON.stringify(traced),
      server.lines.join(),
      error.message,
      JSON.stringify(fault),
    ]) {
      assert.ok(!kept.includes(secret.slice(0, 40)), kept);
    }
    assert.match(server.lines.join(), /a caller sent a private key/);
  });
}

test("ordinary requests are let through, certificates included", () => {
  const request = {
    team: "qa",
    labels: { owner: "the people of the platform, floor 3" },
    certificatePem: server.server.certificatePem,
  };
  assert.equal(presentsPrivateKey(request), false);
  assert.equal(
    presentsPrivateKey({ bytes: Buffer.from("0102", "hex"), at: new Date(), list: [1n, null, undefined] }),
    false,
  );
  assert.equal(presentsPrivateKey({ bytes: privateKey.export({ type: "pkcs8", format: "der" }) }), true);
});

test("the digest tells requests apart, and not two encodings of one request with a map", () => {
  const digest = (request: Parameters<typeof CreateTeamRequest.fromPartial>[0]) =>
    digestOf(TeamServiceService.createTeam, CreateTeamRequest.fromPartial(request));
  assert.notEqual(digest({ team: "a" }), digest({ team: "b" }));
  assert.equal(digest({ labels: { a: "1", b: "2" } }), digest({ labels: { b: "2", a: "1" } }));
});
