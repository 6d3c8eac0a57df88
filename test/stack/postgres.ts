import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { runStatements, withDatabase } from "../../scripts/stack/statements.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../src/embedded-postgres.ts";
import { makeFolder, makeVolatileFolder, removeFolder } from "./folder.ts";
import { keepFile, keepSecret } from "./kept.ts";
import { layCluster, migratedTemplate } from "./seed.ts";

export { runStatements } from "../../scripts/stack/statements.ts";

export interface PostgresOptions {
  /** True to keep what was acknowledged over a loss of power; default false, which is faster. */
  readonly durable?: boolean;
  /** A folder to keep the cluster in; without one it lives in a temporary folder until stop(). */
  readonly directory?: string;
  readonly settings?: Readonly<Record<string, string>>;
}

export interface TestDatabase {
  readonly ownerUrl: string;
  readonly appUrl: string;
  drop(): Promise<void>;
}

/** A real PostgreSQL for one test file. Its URLs stay the same over kill() and restart(). */
export interface TestPostgres {
  /** Of the migrated database `imagetrust`. */
  readonly ownerUrl: string;
  readonly appUrl: string;
  /** The superuser's, on the database `postgres`. */
  readonly adminUrl: string;
  readonly pid: number;
  /** A fresh database; `migrated: false` makes it empty. Both roles may connect. */
  createDatabase(options?: { readonly migrated?: boolean }): Promise<TestDatabase>;
  /** Ends the server and removes its folder, unless it was given one. */
  stop(): Promise<void>;
  /** kill -9 of the server and all its backends. */
  kill(): Promise<void>;
  /** Starts it again on the same folder and port; stops it first if it runs. */
  restart(): Promise<void>;
}

/** Starts a cluster that holds a migrated template, so that createDatabase() takes milliseconds. */
export async function startPostgres(options: PostgresOptions = {}): Promise<TestPostgres> {
  const directory = options.directory ?? (await (options.durable ? makeFolder : makeVolatileFolder)("postgres"));
  await layCluster(directory);
  const settings = { max_connections: "300", ...(options.durable ? {} : frugal), ...options.settings };
  const start = (port?: number) =>
    startEmbeddedPostgres({
      directory,
      durable: options.durable ?? false,
      settings,
      ...(port === undefined ? {} : { port }),
    });
  let server = await start();
  for (const url of [server.adminUrl, server.ownerUrl, server.appUrl]) {
    keepSecret("a database password", new URL(url).password);
  }
  return {
    ownerUrl: server.ownerUrl,
    appUrl: server.appUrl,
    adminUrl: server.adminUrl,
    get pid() {
      return server.pid;
    },
    createDatabase: ({ migrated = true } = {}) => createDatabase(server, migrated),
    stop: async () => {
      await server.stop();
      keepFile("postgres-log", join(directory, "postgres.log"));
      if (options.directory === undefined) await removeFolder(directory);
    },
    kill: () => killPostgres(server),
    restart: async () => {
      await server.stop();
      server = await start(server.port);
    },
  };
}

/** Without the processes and the memory that a database of minutes has no use for. */
const frugal = {
  autovacuum: "off",
  io_method: "sync",
  max_logical_replication_workers: "0",
  max_wal_senders: "0",
  shared_buffers: "32MB",
  wal_level: "minimal",
};

async function createDatabase(server: EmbeddedPostgres, migrated: boolean): Promise<TestDatabase> {
  const name = `test_${randomBytes(6).toString("hex")}`;
  const template = migrated ? migratedTemplate : "template0";
  await runStatements(server.adminUrl, [
    `create database ${name} template ${template} strategy file_copy owner imagetrust_owner`,
  ]);
  return {
    ownerUrl: withDatabase(server.ownerUrl, name),
    appUrl: withDatabase(server.appUrl, name),
    drop: () => runStatements(server.adminUrl, [`drop database if exists ${name} with (force)`]),
  };
}

/** kill -9 of a server and all its backends. */
export async function killPostgres(server: Pick<EmbeddedPostgres, "pid" | "ended">): Promise<void> {
  const children = await readFile(`/proc/${server.pid}/task/${server.pid}/children`, "utf8");
  for (const pid of [server.pid, ...children.trim().split(" ").map(Number)]) kill9(pid);
  await server.ended;
}

function kill9(pid: number): void {
  try {
    if (pid > 0) process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
