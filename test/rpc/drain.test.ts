import assert from "node:assert/strict";
import { connect } from "node:net";
import { after, test } from "node:test";
import { type Client, makeGenericClientConstructor, type ServiceError, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { protoPath } from "grpc-health-check";
import type { GetTeamResponse } from "../../gen/imagetrust/v1/team.ts";
import type { Call } from "../../src/audit/call.ts";
import { until } from "./fixtures.ts";
import { type CountClient, countService, startTestServer, type TestServer } from "./test-server.ts";

async function serverThatDrains(options: Parameters<typeof startTestServer>[0] = {}): Promise<TestServer> {
  const server = await startTestServer(options);
  after(() => server.stop());
  server.health.report({ database: true, signing: true });
  return server;
}

function watchHealth(server: TestServer): { readonly seen: string[]; readonly ended: Promise<ServiceError> } {
  const Health = makeGenericClientConstructor(
    loadSync(protoPath, { enums: String })["grpc.health.v1.Health"] as never,
    "Health",
  );
  const client = new Health(server.address, server.credentialsOf(server.admin)) as unknown as Client & {
    watch(request: object): NodeJS.ReadableStream;
  };
  const seen: string[] = [];
  const stream = client.watch({ service: "" });
  stream.on("data", (answer: { status: string }) => seen.push(answer.status));
  const ended = new Promise<ServiceError>((resolve) => stream.on("error", (error) => resolve(error as ServiceError)));
  after(() => client.close());
  return { seen, ended };
}

test("a drain waits for running calls, tells health first, and needs no grace for those who watch health", async () => {
  const answer = Promise.withResolvers<GetTeamResponse>();
  let began = 0;
  const server = await serverThatDrains({
    handlers: {
      getTeam: () => {
        began += 1;
        return answer.promise;
      },
    },
  });
  const health = watchHealth(server);
  await until(() => health.seen.length === 1);
  const client = server.client();
  const ask = () =>
    new Promise((resolve, reject) =>
      client.getTeam({ team: "qa" }, (error) => (error ? reject(error) : resolve("answered"))),
    );
  const first = ask();
  await until(() => began === 1);

  const started = performance.now();
  const drained = server.running.drain({ healthWaitMs: 100, graceMs: 60_000 });
  await until(() => health.seen.at(-1) === "NOT_SERVING");
  const second = ask();
  await until(() => began === 2);
  assert.equal((await health.ended).code, status.UNAVAILABLE);
  assert.ok(performance.now() - started >= 99, "the watch goes on until the load balancers had their time");
  answer.resolve({ team: undefined });
  assert.deepEqual(await Promise.all([first, second]), ["answered", "answered"]);
  assert.equal(await drained, true);
  assert.ok(performance.now() - started < 30_000);
  await assert.rejects(
    new Promise((resolve, reject) =>
      connect(server.running.port, "127.0.0.1").once("error", reject).once("connect", resolve),
    ),
    { code: "ECONNREFUSED" },
  );
});

test("what is not done within the grace is cut off, and its handler is told", async () => {
  let last: Call | undefined;
  const server = await serverThatDrains({
    count: async function* (_to, call) {
      last = call;
      yield await Promise.resolve(1);
      await new Promise((_resolve, reject) => call.signal.addEventListener("abort", () => reject(call.signal.reason)));
    },
  });
  const Counter = makeGenericClientConstructor(countService, "Counter");
  const client = new Counter(server.address, server.credentialsOf(server.admin)) as unknown as CountClient;
  after(() => client.close());
  const stream = client.count(1);
  const failed = new Promise<ServiceError>((resolve) => stream.on("error", (error) => resolve(error as ServiceError)));
  await new Promise((resolve) => stream.once("data", resolve));
  assert.equal(await server.running.drain({ healthWaitMs: 0, graceMs: 50 }), false);
  assert.equal((await failed).code, status.UNAVAILABLE);
  await until(() => last?.signal.aborted === true);
  assert.match(server.lines.join(), /cut off calls/);
});

test("a server without connections drains at once", async () => {
  const server = await serverThatDrains();
  assert.equal(await server.running.drain({ healthWaitMs: 0, graceMs: 60_000 }), true);
});
