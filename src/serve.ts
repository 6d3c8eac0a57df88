import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { requireAppendOnly } from "./audit/append-only.ts";
import { createRefusals } from "./audit/refusals.ts";
import { createSequencer } from "./audit/sequencer.ts";
import { observeSequencer } from "./audit/sequencer-metrics.ts";
import type { Config } from "./config.ts";
import { keyEncryptionKeyOf } from "./configured-key.ts";
import { openCore } from "./core.ts";
import { type Database, openDatabase } from "./database.ts";
import { type Development, openDevelopment } from "./development.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "./embedded-postgres.ts";
import { createLogger, type Logger } from "./logger.ts";
import { openNotaryServers } from "./notary/directory.ts";
import { auditService } from "./rpc/audit-service.ts";
import { openPolicyDirectory } from "./rpc/authorize.ts";
import { delegationService } from "./rpc/delegation-service.ts";
import type { Edge } from "./rpc/edge.ts";
import { expiryService } from "./rpc/expiry-service.ts";
import { createHealth } from "./rpc/health.ts";
import { startProbing } from "./rpc/health-probe.ts";
import { openMemberAuthorities } from "./rpc/member-authorities.ts";
import { createRpcMetrics } from "./rpc/metrics.ts";
import { startServer } from "./rpc/server.ts";
import { signatureService } from "./rpc/signature-service.ts";
import { teamService } from "./rpc/team-service.ts";
import { openCertificates } from "./rpc/tls.ts";
import { trustService } from "./rpc/trust-service.ts";
import { migrate, requireSchema } from "./schema.ts";
import { openSealedBackend } from "./signing/sealed.ts";
import { startTelemetry } from "./telemetry.ts";
import type { PublisherRoom, PublisherSettings } from "./trust/publisher/publisher-room.ts";

/** What ends a serving process, and what makes it read certificates and policies again. */
export interface ServeSignals {
  readonly stop: Promise<string>;
  readonly onReload: (reload: () => void) => void;
}

const day = 86_400_000;
const readingServices = /(?:Audit|Expiry|Signature)Service$/;
const descriptorsFile = new URL("../gen/imagetrust.v1.binpb", import.meta.url);
const packageFile = new URL("../package.json", import.meta.url);
const now = (): Date => new Date();

/** Serves until it is told to stop, then drains. `atStep` is a place for tests to stop the process. */
export async function serve(
  config: Config,
  environment: NodeJS.ProcessEnv,
  signals: ServeSignals,
  atStep: PublisherRoom["atStep"] = () => undefined,
): Promise<void> {
  const log = createLogger(config.logLevel);
  for (const variable of config.unknownVariables) log.warn({ variable }, "an IMAGETRUST_ variable is no setting");
  const readiness = { isReady: () => false };
  const telemetry = await startTelemetry({
    metricsListen: config.metricsListen,
    samplingRatio: config.traceSamplingRatio,
    environment,
    version: await versionOf(),
    isReady: () => readiness.isReady(),
    log,
  });
  const development = needsDevelopment(config) ? await openDevelopment(config.dataDirectory, now()) : undefined;
  const postgres = config.databaseUrl === undefined ? await startOwnPostgres(config.dataDirectory, log) : undefined;
  const database = openDatabase({
    url: config.databaseUrl ?? postgres?.appUrl ?? "",
    connections: config.databaseConnections,
  });
  await requireSchema(database);
  await requireAppendOnly(database);

  const sealed = openSealedBackend(database, await keyEncryptionKeyOf(config), config.deployment);
  await sealed.check();
  const notaries = openNotaryServers(config.notaryServers);
  const metrics = createRpcMetrics();
  const { memberAuthorities } = config;
  const authorities = memberAuthorities && (await openMemberAuthorities(memberAuthorities, log, metrics));
  const sequencer = createSequencer(database, log, now);
  observeSequencer(sequencer);
  const core = openCore({
    database,
    sequencer,
    notaries,
    authorities: () => authorities?.current,
    requiresPossessionProof: config.requirePossessionProof,
    backends: [sealed],
    publisher: publisherSettingsOf(config),
    longestWaitMs: config.maxWaitMs,
    log,
    now,
    atStep,
  });

  const tls = config.tls ?? (development as Development).tls;
  const certificates = await openCertificates(tls, log, metrics);
  const policies = await openPolicyDirectory(
    config.policyDirectory ?? (development as Development).policyDirectory,
    log,
    metrics,
  );
  const refusals = createRefusals(database, log, now);
  const draining = new AbortController();
  const edge: Edge = {
    authorizer: policies,
    draining: draining.signal,
    metrics,
    log,
    recordRefusal: (call, fault) => refusals.record(call, fault, now()),
  };
  const notaryUrls = new Map(config.notaryServers.map((server) => [server.name, server.publicUrl]));
  const services = [
    trustService(edge, { room: core.trust, signals: core.signals, notaryUrls }),
    teamService(edge, core.teams),
    delegationService(edge, core.trust, core.signals),
    signatureService(edge, { tags: core.signedTags, watching: core.watching }),
    expiryService(edge, database),
    auditService(edge, { database, sequencer, now }),
  ];
  const health = createHealth(services.map(({ name }) => ({ name, changes: !readingServices.test(name) })));
  sequencer.start();
  await core.publisher.start();
  core.follower.start();
  core.expiryWatch.start();
  const probing = await startProbing(health, { database: probeOf(database), signing: () => sealed.check() }, log);
  const server = await startServer({
    listen: config.listen,
    certificates,
    services,
    health,
    descriptors: await readFile(descriptorsFile),
    metrics,
    log,
    onDrain: () => draining.abort(),
  });
  // Not before the port is open.
  readiness.isReady = () => health.isServing;
  signals.onReload(() => {
    certificates.reload().catch((error: unknown) => log.error({ err: error }, "certificates were not reloaded"));
    policies.reload().catch((error: unknown) => log.error({ err: error }, "policies were not reloaded"));
    authorities?.reload().catch((error: unknown) => log.error({ err: error }, "member authorities were not reloaded"));
  });
  announce(log, config, server.port, telemetry.metricsPort, development);

  const reason = await Promise.race([signals.stop, ...(postgres === undefined ? [] : [endOf(postgres)])]);
  log.info({ reason }, "stopping");
  await server.drain({ healthWaitMs: config.healthWaitMs, graceMs: config.drainGraceMs });
  probing.stop();
  await core.follower.stop();
  await Promise.all([core.publisher.stop(), core.expiryWatch.stop()]);
  await refusals.flush(now()).catch((error: unknown) => log.error({ err: error }, "refusals were not recorded"));
  await sequencer.stop();
  policies.close();
  certificates.close();
  authorities?.close();
  await notaries.close();
  await database.close();
  await postgres?.stop();
  await telemetry.stop();
  log.info({}, "stopped");
}

async function versionOf(): Promise<string> {
  return (JSON.parse(await readFile(packageFile, "utf8")) as { readonly version: string }).version;
}

function needsDevelopment(config: Config): boolean {
  return config.tls === undefined || config.policyDirectory === undefined;
}

/** The embedded PostgreSQL of the data directory, at this version's schema. */
async function startOwnPostgres(dataDirectory: string, log: Logger): Promise<EmbeddedPostgres> {
  await mkdir(dataDirectory, { recursive: true, mode: 0o700 });
  const postgres = await startEmbeddedPostgres({ directory: join(dataDirectory, "postgres") });
  const applied = await migrate(postgres.ownerUrl);
  log.info({ port: postgres.port, migrations: applied }, "embedded postgres started");
  return postgres;
}

async function endOf(postgres: EmbeddedPostgres): Promise<string> {
  await postgres.ended;
  return "the embedded postgres ended";
}

function publisherSettingsOf(config: Config): PublisherSettings {
  return {
    rootLifeMs: config.rootLifeDays * day,
    targetsLifeMs: config.targetsLifeDays * day,
    concurrency: config.publisherConcurrency,
    claimMs: 10_000,
    leaseMs: 6_000,
    rejectAfterMs: 120_000,
    patrolMs: config.patrolIntervalMs,
    restartCheckMs: 10_000,
    firstBackOffMs: 250,
    longestBackOffMs: 30_000,
  };
}

function probeOf(database: Database): () => Promise<unknown> {
  return () => database.row("select 1");
}

/** Says where to call, and with what when the development identities were made. */
function announce(
  log: Logger,
  config: Config,
  port: number,
  metricsPort: number | undefined,
  development: Development | undefined,
): void {
  log.info({ address: `${config.listen.host}:${port}`, metricsPort }, "serving");
  if (development === undefined) return;
  const { clients, tls } = development;
  log.info({ ca: tls.clientCaFile, ...clients }, "development identities: call with these client certificates");
}
