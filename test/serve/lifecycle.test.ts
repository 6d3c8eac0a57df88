import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { connect } from "node:tls";
import { PublicationState } from "../../gen/imagetrust/v1/change.ts";
import { DelegationServiceService } from "../../gen/imagetrust/v1/delegation.ts";
import { TeamServiceService } from "../../gen/imagetrust/v1/team.ts";
import { TrustServiceService } from "../../gen/imagetrust/v1/trust.ts";
import { type NotaryProxy, startNotaryProxy } from "../fault/notary-proxy.ts";
import { until } from "../fault/until.ts";
import { callerOf } from "../rpc/services/client.ts";
import { initialize, makeTeam } from "../rpc/services/story.ts";
import { startNotary, type TestNotary } from "../stack/notary.ts";
import type { TestDatabase } from "../stack/postgres.ts";
import { borrowPostgres, type SharedPostgres } from "../stack/shared-postgres.ts";
import { healthOf } from "./health-client.ts";
import { run } from "./process.ts";
import { notaryNamed, type Service, startService } from "./service.ts";

const gun = "dtr.example.org/dev/nginx";
let postgres: SharedPostgres;
let database: TestDatabase;
let notary: TestNotary;
let proxy: NotaryProxy;
let service: Service;
const cleanups: (() => unknown)[] = [];

before(async () => {
  postgres = await borrowPostgres();
  cleanups.unshift(() => postgres.stop());
  database = await postgres.createDatabase();
  notary = await startNotary(postgres);
  cleanups.unshift(() => notary.stop());
  proxy = await startNotaryProxy(notary);
  cleanups.unshift(() => proxy.close());
  service = await startService({ databaseUrl: database.appUrl, notaries: [notaryNamed("main", proxy)] });
  cleanups.unshift(() => service.clear());
  await makeTeam(service.admin, "qa", ["ann"]);
  await initialize(service.admin, gun);
  const live = await service.admin.send(TrustServiceService.getTrust, { gun, minPublishedGeneration: 1n });
  assert.equal(live.trust?.publication?.state, PublicationState.PUBLISHED);
});
after(async () => {
  for (const cleanup of cleanups) await cleanup();
});

test("it is alive and ready, and serves nothing else over plain HTTP", async () => {
  assert.deepEqual(await service.ask("/livez"), { status: 200, text: "alive\n" });
  assert.deepEqual(await service.ask("/readyz"), { status: 200, text: "ready\n" });
  assert.equal((await service.ask("/")).status, 404);
});

test("under another key-encryption key than its keys were sealed with, or another name, it refuses to start", async () => {
  const other = Buffer.alloc(32, 1).fill(2, 16).toString("base64");
  const [key, name] = await Promise.all([
    run(["serve"], {
      ...service.env,
      IMAGETRUST_LISTEN: "127.0.0.1:0",
      IMAGETRUST_METRICS_LISTEN: "off",
      IMAGETRUST_KEY_ENCRYPTION_KEY: other,
    }),
    run(["serve"], {
      ...service.env,
      IMAGETRUST_LISTEN: "127.0.0.1:0",
      IMAGETRUST_METRICS_LISTEN: "off",
      IMAGETRUST_DEPLOYMENT: "another",
    }),
  ]);
  assert.deepEqual([key.code, name.code], [1, 1]);
  assert.match(
    key.errors,
    /^imagetrust: Stored keys are sealed under key-encryption key [0-9a-f]{16}, but [0-9a-f]{16} is configured; give/,
  );
  assert.match(
    name.errors,
    /^imagetrust: The stored key [0-9a-f]{64} cannot be opened: .*sealed for another deployment/,
  );
  assert.ok(!(key.errors + key.output).includes(other));
});

/** The certificate that a new connection is shown. */
async function certificateShown(): Promise<string> {
  const socket = connect({ host: "localhost", port: service.port, rejectUnauthorized: false, ALPNProtocols: ["h2"] });
  socket.on("error", () => undefined);
  await once(socket, "secureConnect");
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

test("SIGHUP makes it take up new TLS files and policies, and open connections go on", async () => {
  const before = await certificateShown();
  const newcomer = await service.material.replace();
  service.process.signal("SIGHUP");
  await until(async () => (await certificateShown()) !== before, "the new certificate", 15_000);
  await until(() => service.process.output().includes("took up changed policies"), "the new policies", 15_000);
  const { team } = await callerOf(service.connect(newcomer)).send(TeamServiceService.createTeam, { team: "new" });
  assert.equal(team?.id, "new");
  const old = await service.admin.refused(TeamServiceService.createTeam, { team: "old" });
  assert.equal(old.reason, "NOT_PERMITTED", "the connection goes on, and its identity owns nothing any more");
  const stale = callerOf(service.connect(service.material.clients.admin));
  await assert.rejects(stale.send(TeamServiceService.getTeam, { team: "new" }, { deadlineMs: 3_000 }));
  const { text } = await service.ask("/metrics");
  assert.match(text, /^tls_certificate_reloads_total\{result="changed"\} 1$/m);
  assert.match(text, /^policy_reloads_total\{result="changed"\} 1$/m);
});

test("SIGTERM: health tells first, a running change is published and answered, and it ends with 0", async () => {
  const newcomer = await service.material.replace();
  service.process.signal("SIGHUP");
  const admin = callerOf(service.connect(newcomer));
  const anew = () =>
    admin.send(TeamServiceService.getTeam, { team: "qa" }).then(
      () => true,
      () => false,
    );
  await until(anew, "the new authority to count", 15_000);
  const watch = healthOf(service.connect(newcomer)).watch();
  await until(() => watch.seen.length === 1, "the first status");
  const held = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  proxy.rule = async ({ isUpload }) => {
    if (isUpload) arrived.resolve();
    if (isUpload) await held.promise;
    return "forward" as const;
  };
  const change = admin.send(DelegationServiceService.delegate, { gun, team: "qa" });
  await arrived.promise;
  const stopped = service.stop();
  await until(() => watch.isOver, "the end of the watch");
  assert.deepEqual(watch.seen, ["SERVING", "NOT_SERVING"]);
  assert.equal((await service.ask("/readyz")).status, 503);
  assert.equal((await service.ask("/livez")).status, 200);
  held.resolve();
  assert.equal((await change).outcome?.state, PublicationState.PUBLISHED);
  assert.equal(await stopped, 0);
  const log = service.process.output();
  assert.match(log, /"reason":"SIGTERM","message":"stopping"/);
  assert.match(log.trimEnd().split("\n").at(-1) ?? "", /"message":"stopped"/);
  assert.doesNotMatch(log, /cut off calls/);
});
