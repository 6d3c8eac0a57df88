import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, chown, mkdtemp, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { promisify } from "node:util";
import pg from "pg";
import {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  startEmbeddedPostgres,
} from "../../src/embedded-postgres.ts";
import { Fault } from "../../src/errors.ts";
import { launcherFor } from "../../src/unprivileged.ts";
import { makeFolder, makeVolatileFolder, projectRoot, removeFolder } from "./folder.ts";
import { killPostgres } from "./postgres.ts";
import { layCluster } from "./seed.ts";

const isRoot = process.getuid?.() === 0;
const nobody = { uid: 65_534, gid: 65_534 };
const running = new Set<EmbeddedPostgres>();
const folders: string[] = [];

after(async () => {
  for (const server of running) await server.stop();
  for (const folder of folders) await removeFolder(folder);
});

async function newFolder(make = makeFolder): Promise<string> {
  const folder = await make("embedded");
  folders.push(folder);
  return folder;
}

const newVolatileFolder = () => newFolder(makeVolatileFolder);

/** A folder with a cluster that an earlier start made: for tests of what comes after. */
async function usedFolder(): Promise<string> {
  const folder = await newVolatileFolder();
  await layCluster(folder);
  return folder;
}

async function start(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres(options);
  running.add(server);
  void server.ended.then(() => running.delete(server));
  return server;
}

async function ask(url: string, sql: string): Promise<unknown> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return Object.values((await client.query<Record<string, unknown>>(sql)).rows[0] ?? {})[0];
  } finally {
    await client.end();
  }
}

async function crash(
  launcher: readonly string[],
  directory: string,
): Promise<{ acknowledged: number; missing: number[]; uid: number }> {
  const [file = process.execPath, ...args] = [
    ...launcher,
    process.execPath,
    join(import.meta.dirname, "crash-story.ts"),
    directory,
  ];
  const { stdout } = await promisify(execFile)(file, args, { cwd: "/" });
  return JSON.parse(stdout) as { acknowledged: number; missing: number[]; uid: number };
}

test("rows acknowledged before a kill -9 are there after the restart", async () => {
  const told = await crash([], await newFolder());
  assert.deepEqual(told.missing, []);
  assert.ok(told.acknowledged >= 1_000);
});

test("an ordinary user's rows are kept over a kill -9 too", {
  skip: !isRoot && "this run is an ordinary user's",
}, async () => {
  const directory = await newFolder();
  await chown(directory, nobody.uid, nobody.gid);
  const told = await crash(launcherFor(nobody, "KILL", [projectRoot, directory]), directory);
  assert.deepEqual([told.uid, told.missing], [nobody.uid, []]);
});

test("a directory is taken up again with its data, its passwords and its own roles", async () => {
  const directory = await newVolatileFolder();
  const first = await start({ directory, durable: false });
  await ask(first.ownerUrl, "create table t as select 7 as seven");
  await ask(first.ownerUrl, "grant select on t to imagetrust_app");
  await first.stop();
  const second = await start({ directory, durable: false, port: first.port });
  assert.deepEqual([second.ownerUrl, second.appUrl], [first.ownerUrl, first.appUrl]);
  assert.equal(await ask(second.appUrl, "select seven from t"), 7);
  assert.equal(await ask(second.appUrl, "select current_user"), "imagetrust_app");
  await assert.rejects(ask(second.appUrl, "create table u(i int)"), /permission denied/);
  await assert.rejects(ask(second.ownerUrl, "create role more"), /permission denied/);
});

test("nobody on this machine gets in without the password, which only we can read", async () => {
  const directory = await newVolatileFolder();
  const server = await start({ directory, durable: false });
  for (const password of ["", "guess"]) {
    const url = new URL(server.adminUrl);
    url.password = password;
    await assert.rejects(ask(url.href, "select 1"), /password/);
  }
  assert.equal((await stat(join(directory, "postgres.secret"))).mode & 0o777, 0o600);
  assert.equal(await ask(server.adminUrl, "show listen_addresses"), "127.0.0.1");
  assert.equal(await ask(server.adminUrl, "show unix_socket_directories"), "");
  const commandLine = await readFile(`/proc/${server.pid}/cmdline`, "utf8");
  assert.ok(!commandLine.includes(new URL(server.adminUrl).password));
});

test("fsync is on unless durable is false", async () => {
  const durable = await start({ directory: await newFolder() });
  assert.deepEqual(
    [await ask(durable.adminUrl, "show fsync"), await ask(durable.adminUrl, "show full_page_writes")],
    ["on", "on"],
  );
  await durable.stop();
  const forgetful = await start({ directory: await newVolatileFolder(), durable: false });
  assert.equal(await ask(forgetful.adminUrl, "show fsync"), "off");
});

test("a pid file whose pid now belongs to another process of ours does not hinder a start", async () => {
  const directory = await usedFolder();
  const first = await start({ directory, durable: false });
  await killPostgres(first);
  const pidFile = join(directory, "cluster/postmaster.pid");
  const lines = (await readFile(pidFile, "utf8")).split("\n");
  await writeFile(pidFile, [String(await bystander()), ...lines.slice(1)].join("\n"));
  const second = await start({ directory, durable: false });
  assert.equal(await ask(second.adminUrl, "select 1"), 1);
});

/** The pid of a process that runs as the server's account and is no server. */
async function bystander(): Promise<number> {
  const child = spawn("sleep", ["600"], isRoot ? nobody : {});
  children.push(child);
  await once(child, "spawn");
  return child.pid ?? 0;
}

const children: ChildProcess[] = [];
after(() => {
  for (const child of children) child.kill("SIGKILL");
});

test("a directory in use is refused with a fault that says by whom", async () => {
  const directory = await usedFolder();
  const server = await start({ directory, durable: false });
  await assert.rejects(startEmbeddedPostgres({ directory, durable: false }), (error: unknown) => {
    assert.ok(error instanceof Fault);
    assert.equal(error.reason, "DATABASE_UNAVAILABLE");
    assert.match(error.message, new RegExp(`in use by process .*${server.pid}.* choose another data directory`));
    return true;
  });
  assert.equal(await ask(server.adminUrl, "select 1"), 1);
});

test("the server ends with the process that started it, and the next one starts at once", async () => {
  const directory = await usedFolder();
  const script = `
    import { startEmbeddedPostgres } from ${JSON.stringify(join(projectRoot, "src/embedded-postgres.ts"))};
    console.log((await startEmbeddedPostgres({ directory: process.argv[1], durable: false })).pid);
    setInterval(() => {}, 1000);`;
  const owner = spawn(process.execPath, ["--input-type=module-typescript", "-e", script, directory], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(owner);
  const [pid] = (await once(createInterface(owner.stdout), "line")) as [string];
  owner.kill("SIGKILL");
  const next = await start({ directory, durable: false });
  assert.notEqual(String(next.pid), pid);
  assert.equal(await ask(next.adminUrl, "select 1"), 1);
});

test("a Ctrl-C at the service's terminal does not reach its server", async () => {
  const server = await start({ directory: await usedFolder(), durable: false });
  const processGroup = (await readFile(`/proc/${server.pid}/stat`, "utf8")).split(") ")[1]?.split(" ")[2];
  assert.equal(processGroup, String(server.pid));
});

test("root may keep it in a folder that only root can enter", { skip: !isRoot && "needs root" }, async () => {
  const hidden = await newVolatileFolder();
  await chmod(hidden, 0o700);
  const directory = await mkdtemp(join(hidden, "data-"));
  const server = await start({ directory, durable: false });
  assert.equal(await ask(server.adminUrl, "select 1"), 1);
  assert.match(await readFile(`/proc/${server.pid}/status`, "utf8"), /^Uid:\t65534\t65534/m);
});
