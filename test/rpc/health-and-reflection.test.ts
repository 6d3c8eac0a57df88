import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Client, makeGenericClientConstructor, type ServiceError, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { protoPath } from "grpc-health-check";
import { until } from "./fixtures.ts";
import { startTestServer, type TestServer, writeTls } from "./test-server.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer({ handlers: { getTeam: () => Promise.resolve({ team: undefined }) } });
});
after(() => server.stop());

test("health follows database and signing, and Watch tells every change", async () => {
  const check = healthClient();
  after(() => check.close());
  await assert.rejects(check.status("no.such.Service"), { code: status.NOT_FOUND });
  assert.equal(await check.status(""), "NOT_SERVING", "nothing was reported yet");
  const seen: string[] = [];
  const watch = check.watch("imagetrust.v1.TeamService", seen);
  after(() => watch.cancel());
  await until(() => seen.length === 1);
  const team = "imagetrust.v1.TeamService";
  const audit = "imagetrust.v1.AuditService";
  for (const [conditions, whole, changing, reading] of [
    [{ database: true, signing: true }, "SERVING", "SERVING", "SERVING"],
    [{ database: true, signing: false }, "SERVING", "NOT_SERVING", "SERVING"],
    [{ database: true, signing: true }, "SERVING", "SERVING", "SERVING"],
    [{ database: false, signing: true }, "NOT_SERVING", "NOT_SERVING", "NOT_SERVING"],
  ] as const) {
    server.health.report(conditions);
    assert.deepEqual(
      [await check.status(""), await check.status(team), await check.status(audit)],
      [whole, changing, reading],
    );
  }
  await until(() => seen.length === 5);
  assert.deepEqual(seen, ["NOT_SERVING", "SERVING", "NOT_SERVING", "SERVING", "NOT_SERVING"]);
});

test("reflection lists the services and knows their symbols", async () => {
  const reflection = loadSync("reflection/v1/reflection.proto", {
    includeDirs: [
      `${import.meta.dirname}/../../node_modules/@grpc/reflection/build/proto/grpc`,
      `${import.meta.dirname}/../../node_modules/@grpc/reflection/build/proto`,
    ],
  });
  const Reflection = makeGenericClientConstructor(
    reflection["grpc.reflection.v1.ServerReflection"] as never,
    "Reflection",
  );
  const client = new Reflection(server.address, server.credentialsOf(server.admin)) as unknown as Client & {
    serverReflectionInfo(): NodeJS.ReadWriteStream & { write(message: object): void };
  };
  after(() => client.close());
  const ask = (question: object) =>
    new Promise<Record<string, never>>((resolve, reject) => {
      const stream = client.serverReflectionInfo();
      stream.once("data", resolve).once("error", reject);
      stream.write(question);
      stream.end();
    });
  const listed = JSON.stringify(await ask({ listServices: "" }));
  for (const name of ["TrustService", "TeamService", "DelegationService", "AuditService"]) {
    assert.match(listed, new RegExp(`imagetrust\\.v1\\.${name}"`));
  }
  assert.match(listed, /grpc\.health\.v1\.Health/);
  const symbol = JSON.stringify(await ask({ fileContainingSymbol: "imagetrust.v1.TeamService" }));
  assert.match(symbol, /fileDescriptorProto/);
});

test("a client that knows nothing but reflection can call", async () => {
  const directory = mkdtempSync(join(tmpdir(), "imagetrust-reflection-"));
  after(() => rmSync(directory, { recursive: true }));
  writeTls(directory, server.admin, server.authority);
  const buf = fileURLToPath(new URL("../../node_modules/.bin/buf", import.meta.url));
  const tls = ["--cacert", "ca.pem", "--cert", "server.pem", "--key", "server.key", "--protocol", "grpc"];
  const url = `https://${server.address}/imagetrust.v1.TeamService/GetTeam`;
  const environment = { ...process.env, HOME: directory, BUF_CACHE_DIR: directory };
  const options = { cwd: directory, env: environment };
  const { stdout } = await promisify(execFile)(buf, ["curl", ...tls, "--data", '{"team":"qa"}', url], options);
  assert.deepEqual(JSON.parse(stdout), {});
});

function healthClient() {
  const definition = loadSync(protoPath, { enums: String })["grpc.health.v1.Health"];
  const Health = makeGenericClientConstructor(definition as never, "Health");
  const client = new Health(server.address, server.credentialsOf(server.admin)) as unknown as Client & {
    check(request: object, done: (error: ServiceError | null, answer: { status: string }) => void): void;
    watch(request: object): NodeJS.ReadableStream & { cancel(): void };
  };
  return {
    close: () => client.close(),
    status: (service: string) =>
      new Promise<string>((resolve, reject) => {
        client.check({ service }, (error, answer) => (error ? reject(error) : resolve(answer.status)));
      }),
    watch: (service: string, seen: string[]) => {
      const stream = client.watch({ service });
      stream.on("data", (answer: { status: string }) => seen.push(answer.status));
      stream.on("error", () => undefined);
      return stream;
    },
  };
}
