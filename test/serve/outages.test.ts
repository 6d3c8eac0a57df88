import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { PendingReason, PublicationState } from "../../gen/imagetrust/v1/change.ts";
import { DelegationServiceService } from "../../gen/imagetrust/v1/delegation.ts";
import { TrustServiceService } from "../../gen/imagetrust/v1/trust.ts";
import { until } from "../fault/until.ts";
import { initialize, makeTeam } from "../rpc/services/story.ts";
import { startNotary, type TestNotary } from "../stack/notary.ts";
import { runStatements, startPostgres, type TestDatabase, type TestPostgres } from "../stack/postgres.ts";
import { type HealthClient, healthOf } from "./health-client.ts";
import { notaryNamed, type Service, startService } from "./service.ts";

const { delegate } = DelegationServiceService;
const { getTrust } = TrustServiceService;
const gun = "dtr.example.org/dev/nginx";
const trustService = "imagetrust.v1.TrustService";
const auditService = "imagetrust.v1.AuditService";
let postgres: TestPostgres;
let database: TestDatabase;
let notary: TestNotary;
let service: Service;
let health: HealthClient;
const cleanups: (() => unknown)[] = [];

before(async () => {
  postgres = await startPostgres();
  cleanups.unshift(() => postgres.stop());
  database = await postgres.createDatabase();
  // Notary has a cluster of its own: it must live on while the service's database is down.
  const notaryPostgres = await startPostgres();
  cleanups.unshift(() => notaryPostgres.stop());
  notary = await startNotary(notaryPostgres);
  cleanups.unshift(() => notary.stop());
  service = await startService({ databaseUrl: database.appUrl, notaries: [notaryNamed("main", notary)] });
  cleanups.unshift(() => service.clear());
  health = healthOf(service.connect(service.material.clients.viewer));
  await makeTeam(service.admin, "qa", ["ann"]);
  await initialize(service.admin, gun);
  const { trust } = await service.admin.send(getTrust, { gun, minPublishedGeneration: 1n });
  assert.equal(trust?.publication?.state, PublicationState.PUBLISHED);
});
after(async () => {
  for (const cleanup of cleanups) await cleanup();
});

/** What is put right within a test, and at its end where it did not come so far. */
function once(work: () => Promise<unknown>): () => Promise<unknown> {
  let done: Promise<unknown> | undefined;
  return () => (done ??= work());
}

const healthIs = (name: string, expected: string) =>
  until(async () => (await health.check(name)) === expected, `${name || "the whole"} to be ${expected}`);

test("while the database is down all is NOT_SERVING and calls are UNAVAILABLE; when it is back all goes on by itself", async (t) => {
  const restart = once(() => postgres.restart());
  t.after(restart);
  await postgres.kill();
  const { reason } = await service.admin.refused(getTrust, { gun });
  assert.equal(reason, "DATABASE_UNAVAILABLE");
  for (const name of ["", trustService, auditService]) await healthIs(name, "NOT_SERVING");
  assert.deepEqual(await service.ask("/readyz"), { status: 503, text: "not ready\n" });
  assert.equal((await service.ask("/livez")).status, 200, "a restart would not bring the database back");
  await restart();
  for (const name of ["", trustService, auditService]) await healthIs(name, "SERVING");
  assert.equal((await service.ask("/readyz")).status, 200);
  assert.equal((await service.admin.send(getTrust, { gun })).trust?.gun, gun);
  const lines = service.process.output().split("\n");
  const told = (text: string) =>
    lines.filter((line) => line.includes('"dependency":"database"') && line.includes(text));
  assert.equal(told("a dependency does not answer").length, 1);
  assert.equal(told("a dependency answers again").length, 1);
});

test("when a stored key cannot be opened any more the services with changes are NOT_SERVING and reads go on", async (t) => {
  const set = (kek: string) => `update sealed_keys set kek_id = ${kek} where role = 'root'`;
  const restore = once(() =>
    runStatements(database.ownerUrl, [set("(select kek_id from sealed_keys where role = 'targets')")]),
  );
  t.after(restore);
  await runStatements(database.ownerUrl, [set("'ffffffffffffffff'")]);
  await healthIs(trustService, "NOT_SERVING");
  assert.deepEqual([await health.check(""), await health.check(auditService)], ["SERVING", "SERVING"]);
  assert.equal((await service.admin.send(getTrust, { gun })).trust?.gun, gun);
  await restore();
  await healthIs(trustService, "SERVING");
});

test("while Notary is down all is SERVING and changes are kept; the collection's state and a metric tell why they wait", async (t) => {
  const restart = once(() => notary.restartServer());
  t.after(restart);
  await notary.killServer();
  const { outcome } = await service.admin.send(delegate, { gun, team: "qa", options: { noWait: true } });
  assert.equal(outcome?.state, PublicationState.PENDING);
  const waitsForNotary = async () => {
    const { trust } = await service.admin.send(getTrust, { gun });
    return trust?.publication?.pendingReason === PendingReason.NOTARY_UNREACHABLE;
  };
  await until(waitsForNotary, "NOTARY_UNREACHABLE");
  const waiting = 'publisher_collections{state="pending",reason="NOTARY_UNREACHABLE"}';
  const isCounted = async (count: number) => (await service.ask("/metrics")).text.includes(`\n${waiting} ${count}\n`);
  await until(() => isCounted(1), waiting, 40_000);
  const { text } = await service.ask("/metrics");
  assert.match(text, /^notary_request_duration_seconds_count\{server="main",operation="read",outcome="fault"\} [1-9]/m);
  for (const name of ["", trustService, auditService]) assert.equal(await health.check(name), "SERVING");
  await restart();
  const { publication } = (await service.admin.send(getTrust, { gun, minPublishedGeneration: 2n })).trust ?? {};
  assert.equal(publication?.state, PublicationState.PUBLISHED);
});
