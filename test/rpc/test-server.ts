import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type CallOptions,
  type ChannelCredentials,
  type Client,
  type ClientReadableStream,
  credentials,
  type MethodDefinition,
  type ServiceDefinition,
} from "@grpc/grpc-js";
import { TeamServiceClient, TeamServiceService } from "../../gen/imagetrust/v1/team.ts";
import type { Call } from "../../src/audit/call.ts";
import type { Fault } from "../../src/errors.ts";
import { Fault as Refusal } from "../../src/errors.ts";
import { createAuthorizer } from "../../src/rpc/authorize.ts";
import type { Edge } from "../../src/rpc/edge.ts";
import { createHealth, type Health } from "../../src/rpc/health.ts";
import { type Handlers, implement } from "../../src/rpc/implement.ts";
import type { RpcMetrics } from "../../src/rpc/metrics.ts";
import type { Permission } from "../../src/rpc/permissions.ts";
import { loadPolicies } from "../../src/rpc/policy-set.ts";
import { team } from "../../src/rpc/resource.ts";
import { type RunningServer, type ServerOptions, startServer } from "../../src/rpc/server.ts";
import { type CertificateSource, openCertificates, type TlsFiles } from "../../src/rpc/tls.ts";
import { createAuthority, type Identity, issueIdentity } from "../../src/x509/authority.ts";
import { collectedLog, noMetrics } from "./fixtures.ts";

type TeamHandlers = Handlers<typeof TeamServiceService>;

/** A stream of numbers, for which the API has no RPC yet. */
export const countService = {
  count: {
    path: "/test.Counter/Count",
    requestStream: false,
    responseStream: true,
    requestSerialize: (value: number) => Buffer.from(String(value)),
    requestDeserialize: (bytes: Buffer) => Number(bytes.toString()),
    responseSerialize: (value: number) => Buffer.from(String(value)),
    responseDeserialize: (bytes: Buffer) => Number(bytes.toString()),
  },
} as const satisfies Record<string, MethodDefinition<number, number>>;
export interface CountClient extends Client {
  count(to: number, options?: CallOptions): ClientReadableStream<number>;
}

const countPermission: Permission = { action: "GetTeam", resourceOf: () => team("counter") };

export interface TestServer {
  readonly running: RunningServer;
  readonly address: string;
  readonly files: TlsFiles;
  readonly certificates: CertificateSource;
  readonly health: Health;
  readonly authority: Identity;
  readonly server: Identity;
  readonly admin: Identity;
  readonly lines: readonly string[];
  readonly refusals: readonly { readonly call: Call; readonly fault: Fault }[];
  /** What was counted, as `ended GetTeam NOT_FOUND`. */
  readonly counted: readonly string[];
  credentialsOf(identity: Identity | undefined): ChannelCredentials;
  /** A client certificate named by a URI, else by its CN. */
  issue(id: string, days?: number): Promise<Identity>;
  /** A client of the team service as `admin` unless told otherwise. */
  client(identity?: Identity): TeamServiceClient;
  stop(): Promise<void>;
}

export interface TestServerOptions {
  readonly handlers?: Partial<TeamHandlers>;
  readonly count?: Handlers<typeof countService>["count"];
  readonly edge?: Partial<Edge>;
  readonly server?: Partial<ServerOptions>;
}

/** A server of the team service with made-up handlers, real mTLS and the default policies, where `admin` is admin. */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const directory = mkdtempSync(join(tmpdir(), "imagetrust-rpc-"));
  const now = new Date();
  const authority = await createAuthority("test authority", 2, now);
  const server = await issueIdentity(
    authority,
    { name: "server", purposes: ["server"], dns: ["localhost"], ips: ["127.0.0.1"], days: 1 },
    now,
  );
  const issue = (id: string, days = 1) =>
    issueIdentity(
      authority,
      { name: id.includes("://") ? "caller" : id, purposes: ["client"], uris: id.includes("://") ? [id] : [], days },
      now,
    );
  const admin = await issue("admin");
  const files = writeTls(directory, server, authority);
  const counted: string[] = [];
  const metrics = countingMetrics(counted);
  const { log, lines } = collectedLog();
  const certificates = await openCertificates(files, log, metrics);
  const refusals: { call: Call; fault: Fault }[] = [];
  const edge: Edge = {
    authorizer: adminAuthorizer(directory),
    metrics,
    log,
    recordRefusal: (call, fault) => Promise.resolve(void refusals.push({ call, fault })),
    ...options.edge,
  };
  const services = [
    implement(edge, TeamServiceService, teamHandlers(options.handlers ?? {})),
    implement(
      edge,
      countService as unknown as ServiceDefinition,
      { count: options.count ?? countTo } as never,
      new Map([[countService.count.path, countPermission]]),
    ),
  ];
  const health = createHealth([
    { name: "imagetrust.v1.TeamService", changes: true },
    { name: "imagetrust.v1.AuditService", changes: false },
  ]);
  const running = await startServer({
    listen: { host: "127.0.0.1", port: 0 },
    certificates,
    services,
    health,
    descriptors: await readFile(new URL("../../gen/imagetrust.v1.binpb", import.meta.url)),
    metrics,
    log,
    ...options.server,
  });
  const clients: TeamServiceClient[] = [];
  const address = `localhost:${running.port}`;
  const credentialsOf = (identity: Identity | undefined) =>
    identity === undefined
      ? credentials.createSsl(Buffer.from(authority.certificatePem))
      : credentials.createSsl(
          Buffer.from(authority.certificatePem),
          Buffer.from(identity.privateKeyPem),
          Buffer.from(identity.certificatePem),
        );
  return {
    running,
    address,
    files,
    certificates,
    health,
    authority,
    server,
    admin,
    lines,
    refusals,
    counted,
    credentialsOf,
    issue,
    client: (identity = admin) => {
      const client = new TeamServiceClient(address, credentialsOf(identity), { "grpc.use_local_subchannel_pool": 1 });
      clients.push(client);
      return client;
    },
    stop: async () => {
      for (const client of clients) client.close();
      certificates.close();
      await running.drain({ healthWaitMs: 0, graceMs: 0 });
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

export function writeTls(directory: string, server: Identity, authority: Identity): TlsFiles {
  const write = (name: string, content: string) => {
    writeFileSync(join(directory, name), content);
    return join(directory, name);
  };
  return {
    certFile: write("server.pem", server.certificatePem),
    keyFile: write("server.key", server.privateKeyPem),
    clientCaFile: write("ca.pem", authority.certificatePem),
  };
}

function adminAuthorizer(directory: string) {
  const uid = (type: string, id: string) => ({ type: `ImageTrust::${type}`, id });
  const named = ["admin", "spiffe://test/admin"].map((id) => ({
    uid: uid("Identity", id),
    parents: [uid("Role", "admin")],
  }));
  writeFileSync(join(directory, "entities.json"), JSON.stringify(named));
  const loaded = loadPolicies(directory);
  if (!loaded.ok) throw new Error(loaded.faults.join());
  return createAuthorizer(loaded.value);
}

function teamHandlers(given: Partial<TeamHandlers>): TeamHandlers {
  const refuse = () => Promise.reject(new Refusal("NOT_FOUND", "This test has no handler for that."));
  const all = Object.keys(TeamServiceService).map((name) => [name, refuse]);
  return { ...(Object.fromEntries(all) as unknown as TeamHandlers), ...given };
}

async function* countTo(last: number): AsyncGenerator<number> {
  for (let number = 1; number <= last; number++) yield await Promise.resolve(number);
}

function countingMetrics(counted: string[]): RpcMetrics {
  return {
    ...noMetrics,
    ended: (method, code) => void counted.push(`ended ${method.slice(method.lastIndexOf("/") + 1)} ${code}`),
    connectionRefused: (reason) => void counted.push(`refused ${reason}`),
    requestUnread: () => void counted.push("unread"),
    refusalUnrecorded: () => void counted.push("unrecorded"),
    certificatesReloaded: (result) => void counted.push(`certificates ${result}`),
  };
}
