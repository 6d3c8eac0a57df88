import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { join } from "node:path";
import { type ClientFiles, openDevelopment } from "../../src/development.ts";
import { freePort } from "../../src/free-port.ts";
import { startDaemon } from "./daemon.ts";
import { projectRoot } from "./project.ts";

export interface LocalServiceOptions {
  /** Holds the development CA with its client certificates, the key-encryption key, the log. */
  readonly directory: string;
  /** As the serving role, on a migrated database. */
  readonly databaseUrl: string;
  readonly notary: { readonly url: string; readonly caFile: string };
}

/** A real `imagetrust serve` with mutual TLS on 127.0.0.1. */
export interface LocalService {
  /** Such as `localhost:12345`; the same at the next start unless somebody else took the port. */
  readonly address: string;
  /** Prometheus metrics over plain HTTP. */
  readonly metricsUrl: string;
  readonly caFile: string;
  readonly clients: { readonly admin: ClientFiles; readonly viewer: ClientFiles };
  readonly logFile: string;
  stop(): Promise<void>;
}

/** Starts `imagetrust serve` and waits until it is ready to be called. */
export async function startLocalService(options: LocalServiceOptions): Promise<LocalService> {
  const { directory } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const { clients, tls } = await openDevelopment(directory, new Date());
  const ports = await layPorts(join(directory, "ports.json"));
  const logFile = join(directory, "service.log");
  const daemon = await startDaemon({
    program: join(projectRoot, "bin/imagetrust"),
    args: ["serve"],
    env: { ...settingsOf(options, ports), IMAGETRUST_KEY_ENCRYPTION_KEY_FILE: await layKey(directory) },
    logFile,
    isReady: () => isReady(ports.metrics),
  });
  return {
    address: `localhost:${ports.api}`,
    metricsUrl: `http://127.0.0.1:${ports.metrics}/metrics`,
    caFile: tls.clientCaFile,
    clients,
    logFile,
    stop: () => daemon.stop(),
  };
}

function settingsOf({ directory, databaseUrl, notary }: LocalServiceOptions, ports: Ports) {
  const servers = [{ name: "main", baseUrl: notary.url, registryHosts: ["*"], caFile: notary.caFile }];
  return {
    IMAGETRUST_DATA_DIR: directory,
    DATABASE_URL: databaseUrl,
    IMAGETRUST_NOTARY_SERVERS: JSON.stringify(servers),
    IMAGETRUST_LISTEN: `127.0.0.1:${ports.api}`,
    IMAGETRUST_METRICS_LISTEN: `127.0.0.1:${ports.metrics}`,
    // As long as the notary client's own: it warns of targets that end within six months.
    IMAGETRUST_TARGETS_LIFE_DAYS: "1095",
    // No load balancer has to turn away first.
    IMAGETRUST_HEALTH_WAIT_MS: "0",
    IMAGETRUST_DRAIN_GRACE_MS: "2000",
  };
}

interface Ports {
  readonly api: number;
  readonly metrics: number;
}

async function layPorts(file: string): Promise<Ports> {
  const kept = JSON.parse(await readFile(file, "utf8").catch(() => "{}")) as Partial<Ports>;
  const ports = { api: await freePort(kept.api), metrics: await freePort(kept.metrics) };
  await writeFile(file, JSON.stringify(ports));
  return ports;
}

async function layKey(directory: string): Promise<string> {
  const file = join(directory, "key-encryption-key");
  const fresh = `${randomBytes(32).toString("base64")}\n`;
  await writeFile(file, fresh, { flag: "wx", mode: 0o600 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
  return file;
}

function isReady(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    get({ host: "127.0.0.1", port, path: "/readyz", agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    }).once("error", () => resolve(false));
  });
}
