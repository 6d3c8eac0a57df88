import assert from "node:assert/strict";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { Metadata, type ServiceError } from "@grpc/grpc-js";
import { AuditServiceService } from "../../gen/imagetrust/v1/audit.ts";
import { DelegationServiceService } from "../../gen/imagetrust/v1/delegation.ts";
import { TeamServiceService } from "../../gen/imagetrust/v1/team.ts";
import { TrustServiceService } from "../../gen/imagetrust/v1/trust.ts";
import { jsonOf } from "../../src/cli/json.ts";
import { until } from "../fault/until.ts";
import { type Caller, type Rpc, refusedBy, type Wish } from "../rpc/services/client.ts";
import { freshCertificate } from "../rpc/services/story.ts";
import { startNotary, type TestNotary } from "../stack/notary.ts";
import { startPostgres, type TestDatabase, type TestPostgres } from "../stack/postgres.ts";
import { rowsOfAllTables } from "../stack/rows.ts";
import { sealedKeysOf } from "../stack/sealed-keys.ts";
import { type Collector, startCollector } from "./collector.ts";
import { run } from "./process.ts";
import { type Haystack, privateKeySecretOf, type Secret, search, secretOf } from "./secrets.ts";
import { notaryNamed, type Service, startService } from "./service.ts";
import { startTap, type Tap } from "./tap.ts";

const trust = TrustServiceService;
const teams = TeamServiceService;
const delegations = DelegationServiceService;
const audit = AuditServiceService;

const gun = "dtr.example.org/planted/nginx";
const kek = randomBytes(32);
const bearer = randomBytes(24).toString("base64url");
const wrongPassword = `planted-${randomBytes(12).toString("hex")}`;
const memberKey = String(
  generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "pkcs8", format: "pem" }),
);

let postgres: TestPostgres;
let database: TestDatabase;
let notary: TestNotary;
let tap: Tap;
let collector: Collector;
let service: Service;
const cleanups: (() => unknown)[] = [];
const haystacks: Haystack[] = [];
const secrets: Secret[] = [];
/** Every answer and every error, as clients see them. */
const answers: string[] = [];
const reasons = new Set<string>();

before(async () => {
  postgres = await startPostgres();
  cleanups.unshift(() => postgres.stop());
  database = await postgres.createDatabase();
  const notaryPostgres = await startPostgres();
  cleanups.unshift(() => notaryPostgres.stop());
  notary = await startNotary(notaryPostgres);
  cleanups.unshift(() => notary.stop());
  tap = await startTap(notary);
  cleanups.unshift(() => tap.close());
  collector = await startCollector();
  cleanups.unshift(() => collector.close());
  service = await startService({
    databaseUrl: database.appUrl,
    notaries: [notaryNamed("main", tap)],
    env: {
      IMAGETRUST_KEY_ENCRYPTION_KEY: kek.toString("base64"),
      IMAGETRUST_LOG_LEVEL: "debug",
      IMAGETRUST_TRACE_SAMPLING_RATIO: "1",
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: collector.url,
    },
  });
  cleanups.unshift(() => service.clear());
  await drive();
  await collect();
});
after(async () => {
  for (const cleanup of cleanups) await cleanup();
});

/** Sends a call with a bearer token beside it; keeps what comes of it. */
async function send<Request>(by: Caller, rpc: Rpc<Request, unknown>, wish: Wish<Request>): Promise<void> {
  const metadata = new Metadata();
  metadata.set("authorization", `Bearer ${bearer}`);
  await keep(by.send(rpc, wish, { metadata }));
}

async function keep(answer: Promise<unknown>): Promise<void> {
  try {
    answers.push(jsonOf(await answer));
  } catch (error) {
    const { message, details, metadata } = error as ServiceError;
    const trailers = metadata.get("grpc-status-details-bin").map((bytes) => Buffer.from(bytes).toString("latin1"));
    answers.push(message, details, JSON.stringify(metadata.getMap()), ...trailers);
    if (trailers.length > 0) reasons.add(refusedBy(error as ServiceError).reason);
  }
}

async function drive(): Promise<void> {
  const { admin, viewer } = service;
  const noWait = { noWait: true };
  await send(admin, teams.createTeam, { team: "qa", labels: { kind: "planted" } });
  await send(admin, teams.addMember, { team: "qa", member: "ann" });
  await send(admin, teams.submitCertificate, { member: "ann", certificatePem: freshCertificate() });
  await send(admin, trust.initializeTrust, { gun });
  await send(admin, delegations.delegate, { gun, team: "qa", options: { reason: "planted reason" } });
  await send(admin, trust.getTrust, { gun });
  await send(admin, delegations.listDelegations, { gun });
  await driveRefusals();
  await notary.killServer();
  await send(admin, trust.initializeTrust, { gun: `${gun}-2` });
  await send(admin, delegations.undelegate, { gun, team: "qa", options: { ...noWait, acceptWithoutSigner: true } });
  await send(admin, delegations.delegate, { gun, team: "qa", excludeFromReleases: true, options: noWait });
  await until(() => service.process.output().includes("upload not yet decided") || tap.heard.length > 0, "an attempt");
  await notary.restartServer();
  await postgres.kill();
  await send(admin, teams.createTeam, { team: "ops" });
  await send(viewer, trust.getTrust, { gun });
  await send(viewer, audit.listAuditRecords, {});
  await until(() => service.process.output().includes("a dependency does not answer"), "the log of the outage");
  await postgres.restart();
  await until(async () => (await service.ask("/readyz")).status === 200, "the end of the outage");
  await send(admin, trust.getTrust, { gun, minPublishedGeneration: 2n });
  await send(admin, audit.listAuditRecords, { pageSize: 100 });
  await confuseFiles();
}

/** Calls that are refused, some of them for what they hold. */
async function driveRefusals(): Promise<void> {
  const { admin, viewer } = service;
  const body = memberKey.split("\n")[1] ?? "";
  await send(admin, teams.submitCertificate, { member: "ann", certificatePem: freshCertificate() + memberKey });
  await send(admin, teams.createTeam, { team: "x", labels: { key: body } });
  await send(admin, delegations.delegate, { gun, team: memberKey });
  await send(admin, trust.getTrust, { gun: memberKey });
  await send(admin, audit.listAuditRecords, { actor: body });
  await keep(admin.sendBytes(teams.createTeam.path, Buffer.concat([Buffer.from([0x0a, 0x7f]), Buffer.from(body)])));
  await send(viewer, delegations.delegate, { gun, team: "qa" });
  await send(admin, teams.createTeam, { team: "Not A Team" });
  await send(admin, trust.getTrust, { gun: `${gun}-none` });
  await send(admin, teams.deleteTeam, { team: "qa" });
}

/** The server's key stands where its certificate and its clients' authority should. */
async function confuseFiles(): Promise<void> {
  const { certFile, keyFile, clientCaFile } = service.material.tls;
  for (const file of [certFile, clientCaFile]) writeFileSync(file, readFileSync(keyFile));
  service.process.signal("SIGHUP");
  await until(() => service.process.output().includes("kept the old certificate"), "the refusal of the files");
}

async function collect(): Promise<void> {
  secrets.push(
    secretOf("the key-encryption key", kek),
    secretOf("the database's password", new URL(database.appUrl).password),
    secretOf("a wrong password", wrongPassword),
    secretOf("the bearer token", bearer),
    privateKeySecretOf("the member's private key", memberKey),
    privateKeySecretOf("the server's TLS key", readFileSync(service.material.tls.keyFile)),
    privateKeySecretOf("the caller's TLS key", service.material.clients.admin.key),
    ...(await sealedKeysOf(database.ownerUrl, kek.toString("base64"))).map(({ name, key }) =>
      privateKeySecretOf(name, key),
    ),
  );
  const metrics = (await service.ask("/metrics")).text;
  const tables = await rowsOfAllTables(database.ownerUrl);
  assert.equal(await service.stop(), 0);
  const url = new URL(database.appUrl);
  url.password = wrongPassword;
  const refused = await run(["serve"], { ...service.env, DATABASE_URL: url.href, IMAGETRUST_METRICS_LISTEN: "off" });
  haystacks.push(
    { name: "the log", text: service.process.output() + service.process.errors() },
    { name: "the log of a start in vain", text: refused.output + refused.errors },
    { name: "the spans", text: Buffer.concat(collector.bodies).toString("latin1") },
    { name: "the metrics", text: metrics },
    { name: "the tables", text: tables },
    { name: "the answers", text: answers.join("\n") },
    { name: "what Notary was told", text: JSON.stringify(tap.heard) },
  );
}

test("the run went through what it should: answers, refusals and outages", () => {
  for (const reason of ["PRIVATE_KEY_PRESENTED", "NOT_PERMITTED", "INVALID_FIELD", "NOT_FOUND", "TEAM_IN_USE"]) {
    assert.ok(reasons.has(reason), `${reason} is not among ${[...reasons].join(", ")}`);
  }
  for (const reason of ["NOTARY_UNAVAILABLE", "DATABASE_UNAVAILABLE"]) assert.ok(reasons.has(reason), reason);
  assert.ok(secrets.length >= 9, "the root and the targets key of the repository are among the secrets");
});

test("everything that was collected tells of the run, so that there is something to search", () => {
  const repository = [secretOf("the repository", gun)];
  const told = haystacks.filter((haystack) => search(repository, haystack).length > 0).map(({ name }) => name);
  assert.deepEqual(told, ["the log", "the spans", "the tables", "the answers", "what Notary was told"]);
  const textOf = (name: string) => haystacks.find((one) => one.name === name)?.text ?? "";
  assert.match(textOf("the metrics"), /^rpc_server_duration_count/m);
  assert.match(textOf("the log of a start in vain"), /password authentication failed/);
  assert.match(textOf("the tables"), /^audit\.entry:\n.+/m);
  assert.match(textOf("the log"), /"level":"debug"/);
});

test("no secret stands anywhere", () => {
  assert.deepEqual(
    haystacks.flatMap((haystack) => search(secrets, haystack)),
    [],
  );
});
