import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { get } from "node:http";
import { connect as connectTo } from "node:net";
import { join } from "node:path";
import { Client, credentials } from "@grpc/grpc-js";
import { freePort } from "../../src/free-port.ts";
import { type Caller, callerOf } from "../rpc/services/client.ts";
import { makeFolder, removeFolder } from "../stack/folder.ts";
import { keepSecret } from "../stack/kept.ts";
import { type ClientPem, layMaterial, type Material } from "./material.ts";
import { type Imagetrust, start } from "./process.ts";

export interface ServiceOptions {
  /** As the serving role, on a migrated database. */
  readonly databaseUrl: string;
  readonly notaries: readonly (object & { readonly name: string })[];
  /** Beside what every service here is told. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A real `imagetrust serve` with mutual TLS, on ports of its own. */
export interface Service {
  readonly process: Imagetrust;
  readonly port: number;
  readonly material: Material;
  /** What it was started with. */
  readonly env: Readonly<Record<string, string>>;
  readonly admin: Caller;
  readonly viewer: Caller;
  /** A channel of its own; it is closed with the service. */
  connect(identity: ClientPem): Client;
  /** What `/metrics`, `/livez` or `/readyz` answers. */
  ask(path: string): Promise<Page>;
  /** Ends it with SIGTERM and answers its exit code. */
  stop(): Promise<number | null>;
  /** Ends it if it still runs, closes the callers and removes its files. */
  clear(): Promise<void>;
}

export interface Page {
  readonly status: number;
  readonly text: string;
}

/** Starts a service and waits until it is ready; throws with what it printed when it ends before. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const folder = await makeFolder("serve");
  const material = await layMaterial(folder);
  const [port, metricsPort] = [await freePort(), await freePort()];
  const env = { ...settingsOf(options, material), ...listening(port, metricsPort), ...options.env };
  keepSecret("a key-encryption key", Buffer.from(env.IMAGETRUST_KEY_ENCRYPTION_KEY, "base64"));
  keepSecret("a service's TLS key", await readFile(material.tls.keyFile, "utf8"));
  keepSecret("a caller's TLS key", material.clients.admin.key.toString());
  const program = start(["serve"], { ...env, IMAGETRUST_DATA_DIR: join(folder, "data") });
  const ask = (path: string) => pageOf(metricsPort, path);
  const clients: Client[] = [];
  const connect = (identity: ClientPem) => {
    const channel = credentials.createSsl(identity.ca, identity.key, identity.cert);
    const client = new Client(`localhost:${port}`, channel, { "grpc.use_local_subchannel_pool": 1 });
    clients.push(client);
    return client;
  };
  const admin = connect(material.clients.admin);
  const clear = async () => {
    for (const client of clients) client.close();
    program.signal("SIGKILL");
    await program.exited;
    await removeFolder(folder);
  };
  try {
    await ready(program, ask);
    await accepts(port);
  } catch (error) {
    await clear();
    throw error;
  }
  return {
    process: program,
    port,
    material,
    env,
    admin: callerOf(admin),
    viewer: callerOf(connect(material.clients.viewer)),
    connect,
    ask,
    stop: () => {
      program.signal("SIGTERM");
      return program.exited;
    },
    clear,
  };
}

function settingsOf(options: ServiceOptions, { tls, policyDirectory }: Material) {
  return {
    DATABASE_URL: options.databaseUrl,
    IMAGETRUST_NOTARY_SERVERS: JSON.stringify(options.notaries),
    IMAGETRUST_KEY_ENCRYPTION_KEY: randomBytes(32).toString("base64"),
    IMAGETRUST_TLS_CERT_FILE: tls.certFile,
    IMAGETRUST_TLS_KEY_FILE: tls.keyFile,
    IMAGETRUST_TLS_CLIENT_CA_FILE: tls.clientCaFile,
    IMAGETRUST_POLICY_DIR: policyDirectory,
    IMAGETRUST_HEALTH_WAIT_MS: "0",
  };
}

function listening(port: number, metricsPort: number) {
  return {
    IMAGETRUST_LISTEN: `127.0.0.1:${port}`,
    IMAGETRUST_METRICS_LISTEN: `127.0.0.1:${metricsPort}`,
  };
}

async function ready(program: Imagetrust, ask: (path: string) => Promise<Page>): Promise<void> {
  let isOver = false;
  void program.exited.then(() => (isOver = true));
  const end = Date.now() + 30_000;
  while ((await ask("/readyz").catch(() => undefined))?.status !== 200) {
    if (isOver || Date.now() > end) throw new Error(`it does not serve:\n${program.output()}${program.errors()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Who is told that it is ready can connect, at the first try. */
async function accepts(port: number): Promise<void> {
  const socket = connectTo(port, "127.0.0.1");
  await once(socket, "connect");
  socket.destroy();
}

function pageOf(port: number, path: string): Promise<Page> {
  return new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, path, agent: false }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part: string) => (text += part));
      answer.once("end", () => resolve({ status: answer.statusCode ?? 0, text }));
    }).once("error", reject);
  });
}

/** The settings of one Notary server that serves every registry. */
export function notaryNamed(name: string, notary: { readonly url: string; readonly caFile: string }) {
  return { name, baseUrl: notary.url, registryHosts: ["*"], caFile: notary.caFile };
}
