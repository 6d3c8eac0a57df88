import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, credentials } from "@grpc/grpc-js";
import type { AuditRecord } from "../../../src/audit/record.ts";
import { recordRefusal } from "../../../src/audit/refusal.ts";
import { createSequencer } from "../../../src/audit/sequencer.ts";
import { type Core, openCore } from "../../../src/core.ts";
import { type Database, openDatabase } from "../../../src/database.ts";
import { openNotaryServers } from "../../../src/notary/directory.ts";
import { auditService } from "../../../src/rpc/audit-service.ts";
import { createAuthorizer } from "../../../src/rpc/authorize.ts";
import { delegationService } from "../../../src/rpc/delegation-service.ts";
import type { Edge } from "../../../src/rpc/edge.ts";
import { expiryService } from "../../../src/rpc/expiry-service.ts";
import { createHealth } from "../../../src/rpc/health.ts";
import { loadPolicies } from "../../../src/rpc/policy-set.ts";
import { startServer } from "../../../src/rpc/server.ts";
import { signatureService } from "../../../src/rpc/signature-service.ts";
import { teamService } from "../../../src/rpc/team-service.ts";
import { openCertificates } from "../../../src/rpc/tls.ts";
import { trustService } from "../../../src/rpc/trust-service.ts";
import { parseKeyEncryptionKey } from "../../../src/signing/key-encryption-key.ts";
import { openSealedBackend } from "../../../src/signing/sealed.ts";
import { registerServers } from "../../../src/trust/publisher/due-store.ts";
import { createAuthority, type Identity, issueIdentity } from "../../../src/x509/authority.ts";
import { keepText } from "../../stack/kept.ts";
import { keepService } from "../../stack/kept-service.ts";
import { startNotary, type TestNotary } from "../../stack/notary.ts";
import { borrowPostgres } from "../../stack/shared-postgres.ts";
import { testFollowing, testSettings } from "../../trust/house.ts";
import { collectedLog, noMetrics } from "../fixtures.ts";
import { writeTls } from "../test-server.ts";
import { type Caller, callerOf } from "./client.ts";
import { startSilentServer } from "./silent-server.ts";

export const publicNotaryUrl = "https://notary.example.org";

/** The whole service behind its real edge, on a PostgreSQL and a Notary of its own. */
export interface House {
  readonly core: Core;
  readonly database: Database;
  readonly notary: TestNotary;
  readonly admin: Caller;
  /** Another admin, and somebody who may only look. */
  readonly other: Caller;
  readonly viewer: Caller;
  /** Who owns dtr.example.org/dev/. */
  readonly owner: Caller;
  /** The options of the command by which the admin calls this service. */
  readonly commandLine: readonly string[];
  readonly logLines: readonly string[];
  /** What was counted as ended, such as `Delegate NOT_FOUND`. */
  readonly ended: readonly string[];
  /** A digest of every table but the audit log's. */
  rows(): Promise<Readonly<Record<string, string>>>;
  /** The records that entered the log since the last time, oldest first. */
  freshRecords(): Promise<readonly AuditRecord[]>;
  /** Whether somebody waits for the Notary that never answers. */
  notaryIsAsked(): boolean;
  /** Ends the streams, as the service does when it stops. */
  endStreams(): void;
  /** Throws when any call ended as INTERNAL. */
  stop(): Promise<void>;
}

/** `following` keeps what others sign. `publishing: false` leaves the publisher asleep: what is decided stays pending. GUNs of slow.example.org have a Notary that never answers. */
export async function openHouse(how: { readonly publishing: boolean; readonly following?: boolean }): Promise<House> {
  const { publishing, following = false } = how;
  const postgres = await borrowPostgres();
  const [notary, slow] = await Promise.all([startNotary(postgres), startSilentServer()]);
  const now = (): Date => new Date();
  const { log, lines } = collectedLog();
  const database = openDatabase({ url: postgres.appUrl });
  const sequencer = createSequencer(database, log, now);
  const notaries = openNotaryServers([
    { name: "main", baseUrl: notary.url, registryHosts: ["*"], caFile: notary.caFile },
    { name: "slow", baseUrl: slow.url, registryHosts: ["slow.example.org"], caFile: notary.caFile },
  ]);
  const kekText = randomBytes(32).toString("base64");
  const kek = parseKeyEncryptionKey(kekText);
  if (!kek.ok) throw new Error(kek.fault);
  const core = openCore({
    database,
    sequencer,
    notaries,
    backends: [openSealedBackend(database, kek.value, "test")],
    publisher: testSettings,
    follower: testFollowing,
    heartbeatMs: 200,
    longestWaitMs: 10_000,
    log,
    now,
  });
  sequencer.start();
  if (publishing) await core.publisher.start();
  else await registerServers(database, notaries.all);
  if (following) core.follower.start();
  const ended: string[] = [];
  const edge: Omit<Edge, "authorizer"> = {
    metrics: {
      ...noMetrics,
      ended: (method, code) => void ended.push(`${method.slice(method.lastIndexOf("/") + 1)} ${code}`),
    },
    log,
    recordRefusal: (call, fault) => recordRefusal(database, call, fault, now()),
  };
  const draining = new AbortController();
  const served = await serve(edge, draining, (known) => [
    trustService(known, { room: core.trust, signals: core.signals, notaryUrls: new Map([["main", publicNotaryUrl]]) }),
    teamService(known, core.teams),
    delegationService(known, core.trust, core.signals),
    signatureService(known, { tags: core.signedTags, watching: core.watching }),
    expiryService(known, database),
    auditService(known, { database, sequencer, now }),
  ]);
  const fresh = { from: 0n };
  const digests = await digestsOf(database);
  return {
    core,
    database,
    notary,
    ...served.callers,
    commandLine: served.commandLine,
    logLines: lines,
    ended,
    rows: async () => {
      const rows = await database.rows<{ name: string; digest: string | null }>(digests);
      return Object.fromEntries(rows.map(({ name, digest }) => [name, digest ?? ""]));
    },
    freshRecords: async () => {
      await sequencer.catchUp(new AbortController().signal);
      const rows = await database.rows<{ idx: bigint; leaf: Buffer }>(
        "select idx, leaf from audit.entry where idx >= :from order by idx",
        fresh,
      );
      fresh.from += BigInt(rows.length);
      return rows.map((row) => (JSON.parse(row.leaf.toString()) as { record: AuditRecord }).record);
    },
    notaryIsAsked: () => slow.connections > 0,
    endStreams: () => draining.abort(),
    stop: async () => {
      await served.stop();
      await core.follower.stop();
      await core.publisher.stop();
      await sequencer.stop();
      await notaries.close();
      await database.close();
      await keepService(postgres.ownerUrl, kekText, "test");
      keepText("edge-log", lines.join(""));
      await Promise.all([slow.stop(), notary.stop()]);
      await postgres.stop();
      const unexpected = lines.filter((line) => line.includes("a call failed unexpectedly"));
      if (unexpected.length > 0) throw new Error(unexpected.join(""));
    },
  };
}

type Services = Parameters<typeof startServer>[0]["services"];

/** Starts a server with mTLS and the default policies, and connects three callers to it. */
async function serve(known: Omit<Edge, "authorizer">, draining: AbortController, servicesOf: (edge: Edge) => Services) {
  const directory = mkdtempSync(join(tmpdir(), "imagetrust-services-"));
  const now = new Date();
  const authority = await createAuthority("test authority", 2, now);
  const issue = (name: string) => issueIdentity(authority, { name, purposes: ["client"], days: 1 }, now);
  const server = await issueIdentity(
    authority,
    { name: "server", purposes: ["server"], dns: ["localhost"], ips: ["127.0.0.1"], days: 1 },
    now,
  );
  const edge: Edge = { ...known, authorizer: authorizerOf(directory), draining: draining.signal };
  const certificates = await openCertificates(writeTls(directory, server, authority), edge.log, edge.metrics);
  const services = servicesOf(edge);
  const running = await startServer({
    listen: { host: "127.0.0.1", port: 0 },
    certificates,
    services,
    health: createHealth(services.map(({ name }) => ({ name, changes: true }))),
    descriptors: await readFile(new URL("../../../gen/imagetrust.v1.binpb", import.meta.url)),
    metrics: edge.metrics,
    log: edge.log,
    onDrain: () => draining.abort(),
  });
  const connect = async (name: string): Promise<Caller> => {
    const { certificatePem, privateKeyPem } = await issue(name);
    const [ca, key, own] = [authority.certificatePem, privateKeyPem, certificatePem].map((pem) => Buffer.from(pem));
    const channel = credentials.createSsl(ca, key, own);
    const limits = { "grpc.use_local_subchannel_pool": 1 };
    return callerOf(new Client(`localhost:${running.port}`, channel, limits));
  };
  const callers = {
    admin: await connect("admin"),
    other: await connect("other"),
    viewer: await connect("viewer"),
    owner: await connect("owner"),
  };
  return {
    callers,
    commandLine: [
      "--address",
      `localhost:${running.port}`,
      ...writeCommandFiles(directory, authority, await issue("admin")),
    ],
    stop: async () => {
      await running.drain({ healthWaitMs: 0, graceMs: 1_000 });
      for (const caller of Object.values(callers)) caller.close();
      certificates.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function writeCommandFiles(directory: string, authority: Identity, caller: Identity): readonly string[] {
  const files = { ca: authority.certificatePem, cert: caller.certificatePem, key: caller.privateKeyPem };
  return Object.entries(files).flatMap(([name, pem]) => {
    const file = join(directory, `command-${name}.pem`);
    writeFileSync(file, pem, { mode: 0o600 });
    return [`--${name}`, file];
  });
}

function authorizerOf(directory: string): Edge["authorizer"] {
  const uid = (type: string, id: string) => ({ type: `ImageTrust::${type}`, id });
  const roles = { admin: "admin", other: "admin", viewer: "viewer" };
  const entities = Object.entries(roles).map(([name, role]) => ({
    uid: uid("Identity", name),
    parents: [uid("Role", role)],
  }));
  const owns = [uid("Prefix", "dtr.example.org/dev/")];
  const owner = { uid: uid("Identity", "owner"), attrs: { owns, teams: [], members: [] }, parents: [] };
  writeFileSync(join(directory, "entities.json"), JSON.stringify([...entities, owner]));
  const loaded = loadPolicies(directory);
  if (!loaded.ok) throw new Error(loaded.faults.join());
  return createAuthorizer(loaded.value);
}

/** Answers how to read every table's digest at once. */
async function digestsOf(database: Database): Promise<string> {
  const tables = await database.rows<{ name: string }>(
    `select format('%I', relname) as name from pg_class
     where relkind = 'r' and relnamespace = 'public'::regnamespace and has_table_privilege(oid, 'select') order by 1`,
  );
  const digest = "md5(string_agg(t::text, ' ' order by t::text))";
  return tables.map(({ name }) => `select '${name}' as name, ${digest} as digest from ${name} t`).join(" union all ");
}
