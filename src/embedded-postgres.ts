import { type ChildProcess, spawn } from "node:child_process";
import { open, readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import pg from "pg";
import { type Cluster, inUse, openCluster, readPidFile, serverEnvironment } from "./embedded-cluster.ts";
import { Fault } from "./errors.ts";
import { freePort } from "./free-port.ts";

export interface EmbeddedPostgresOptions {
  /** Holds the cluster, its password and its log; made when missing. */
  readonly directory: string;
  /** False only for tests that may lose everything: no fsync. Default true. */
  readonly durable?: boolean;
  /** A fixed port instead of a free one. */
  readonly port?: number;
  /** Further server settings, such as `max_connections`. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A running PostgreSQL of our own, on 127.0.0.1 only. It ends with this process, however that ends. */
export interface EmbeddedPostgres {
  /** For migrations: the owner of the database `imagetrust`. */
  readonly ownerUrl: string;
  /** For serving: the role `imagetrust_app`. */
  readonly appUrl: string;
  /** The superuser, on the database `postgres`. */
  readonly adminUrl: string;
  readonly port: number;
  readonly pid: number;
  /** Resolves when the server process is gone, whoever ended it. */
  readonly ended: Promise<void>;
  /** A fast shutdown: open transactions are rolled back, what was committed is kept. */
  stop(): Promise<void>;
}

/**
 * Starts PostgreSQL on a directory and makes the database and its two login roles when they are missing.
 * An existing directory is taken up as it is, also after a crash. Throws Fault DATABASE_UNAVAILABLE with what to do.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const cluster = await openCluster(options.directory, options.durable ?? true);
  const server = await startServer(cluster, options);
  const urlOf = (role: string, database: string) =>
    `postgres://${role}:${cluster.passwordOf(role)}@127.0.0.1:${server.port}/${database}`;
  try {
    await makeRoles(cluster, urlOf("postgres", "postgres"));
  } catch (cause) {
    await server.stop();
    throw new Fault("DATABASE_UNAVAILABLE", `The embedded PostgreSQL in ${options.directory} refused its set-up.`, {
      cause,
    });
  }
  return {
    ...server,
    ownerUrl: urlOf(owner, "imagetrust"),
    appUrl: urlOf(app, "imagetrust"),
    adminUrl: urlOf("postgres", "postgres"),
  };
}

const owner = "imagetrust_owner";
const app = "imagetrust_app";

interface Server extends Pick<EmbeddedPostgres, "port" | "pid" | "ended" | "stop"> {}

async function startServer(cluster: Cluster, options: EmbeddedPostgresOptions): Promise<Server> {
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePort());
    const child = await spawnServer(cluster, port, options);
    const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
    if (await becomesReady(cluster, child)) {
      return { port, pid: child.pid ?? 0, ended, stop: () => stopServer(child, ended) };
    }
    const said = (await readFile(cluster.log, "utf8")).trim();
    if (attempt < 5 && said.includes("could not bind") && options.port === undefined) continue;
    if (said.includes("postmaster.pid")) throw inUse(cluster, "another server");
    throw new Fault("DATABASE_UNAVAILABLE", `The embedded PostgreSQL did not start: ${said}`);
  }
}

async function spawnServer(cluster: Cluster, port: number, options: EmbeddedPostgresOptions): Promise<ChildProcess> {
  const all = {
    ...fixedSettings,
    ...(options.durable === false ? forgetful : {}),
    ...options.settings,
    port: String(port),
  };
  const [file, ...words] = cluster.launcher;
  const log = await open(cluster.log, "w", 0o600);
  try {
    const flags = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    return spawn(file, [...words, cluster.program, "-D", cluster.folder, ...flags], {
      cwd: "/",
      env: serverEnvironment,
      stdio: ["ignore", log.fd, log.fd],
      // A Ctrl-C at the terminal is for us: we still need the database while we drain.
      detached: true,
    });
  } finally {
    await log.close();
  }
}

/** TCP on loopback only, and a log that never holds statements or values. */
const fixedSettings = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  log_min_error_statement: "panic",
  log_error_verbosity: "terse",
  log_checkpoints: "off",
};
const forgetful = { fsync: "off", full_page_writes: "off", synchronous_commit: "off" };

/** False when the server ended instead. */
async function becomesReady(cluster: Cluster, child: ChildProcess): Promise<boolean> {
  let gone = false;
  child.once("error", () => (gone = true)).once("exit", () => (gone = true));
  while (!gone) {
    const { pid, state } = await readPidFile(cluster);
    if (pid === child.pid && state === "ready") return true;
    await pause(5);
  }
  return false;
}

async function stopServer(child: ChildProcess, ended: Promise<void>): Promise<void> {
  child.kill("SIGINT");
  await ended;
}

async function makeRoles(cluster: Cluster, url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      "select rolname as name from pg_roles union all select datname from pg_database",
    );
    const isMissing = (name: string) => !rows.some((row) => row.name === name);
    for (const role of [owner, app].filter(isMissing)) {
      await client.query(`create role ${role} login password '${cluster.passwordOf(role)}'`);
    }
    if (isMissing("imagetrust")) await client.query(`create database imagetrust owner ${owner}`);
  } finally {
    await client.end();
  }
}
