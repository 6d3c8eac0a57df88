import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdir, symlink } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import { makeFolder, removeFolder } from "./folder.ts";
import { startNotary, type TestNotary } from "./notary.ts";
import { makeNotaryCli, type NotaryCli } from "./notary-cli.ts";
import { startPostgres, type TestPostgres } from "./postgres.ts";

let postgres: TestPostgres;
let notary: TestNotary;
let cli: NotaryCli;

before(async () => {
  postgres = await startPostgres();
  notary = await startNotary(postgres);
  cli = await makeNotaryCli(notary);
});
after(async () => {
  await cli.remove();
  await notary.stop();
  await postgres.stop();
});

const hash = "ab".repeat(32);

async function publish(gun: string): Promise<void> {
  await cli.mustRun("init", "-p", gun);
  await cli.mustRun("addhash", "-p", gun, "v1", "42", "--sha256", hash);
}

test("the notary command publishes to the stack and reads back what it signed", async () => {
  await publish("dtr.example.org/dev/nginx");
  assert.match(await cli.mustRun("list", "dtr.example.org/dev/nginx"), new RegExp(`v1 +${hash} +42 +targets`));
});

test("what was published is there after server and signer were killed and started again", async () => {
  await publish("dtr.example.org/dev/kept");
  await notary.killServer();
  await notary.killSigner();
  assert.notEqual((await cli.run("addhash", "-p", "dtr.example.org/dev/kept", "v2", "42", "--sha256", hash)).code, 0);
  await notary.restartSigner();
  await notary.restartServer();
  const other = await makeNotaryCli(notary);
  assert.match(await other.mustRun("list", "dtr.example.org/dev/kept"), /v1/);
  await other.remove();
  // Only the signer's keys from before can sign the next snapshot and timestamp.
  await cli.mustRun("publish", "dtr.example.org/dev/kept");
  assert.match(await cli.mustRun("list", "dtr.example.org/dev/kept"), /v2/);
});

test("a server that dies by itself comes back on its own", async () => {
  const dead = notary.serverPid;
  process.kill(dead, "SIGKILL");
  while (notary.serverPid === dead) await pause(10);
  await notary.serverReady();
  assert.equal(notary.serverCrashes, 1);
  await publish("dtr.example.org/dev/revived");
});

test("the server's database can be tampered with", async () => {
  await publish("dtr.example.org/dev/tampered");
  const client = new pg.Client({ connectionString: notary.databaseUrl });
  await client.connect();
  const { rowCount } = await client.query("delete from tuf_files where gun = 'dtr.example.org/dev/tampered'");
  await client.end();
  assert.ok((rowCount ?? 0) >= 4);
  await notary.restartServer();
  const stranger = await makeNotaryCli(notary);
  const { code, stdout, stderr } = await stranger.run("list", "dtr.example.org/dev/tampered");
  assert.equal(code, 1);
  assert.match(stdout + stderr, /does not have trust data/);
  await stranger.remove();
});

test("a Notary kept in a folder is the same one after a stop", async () => {
  const directory = await makeFolder("kept-notary");
  const first = await startNotary(postgres, { directory });
  const writer = await makeNotaryCli(first);
  await writer.mustRun("init", "-p", "dtr.example.org/dev/again");
  await first.stop();
  const second = await startNotary(postgres, { directory });
  assert.equal(second.url, first.url);
  await writer.mustRun("addhash", "-p", "dtr.example.org/dev/again", "v1", "42", "--sha256", hash);
  assert.match(await writer.mustRun("list", "dtr.example.org/dev/again"), /v1/);
  await second.stop();
  await writer.remove();
  await removeFolder(directory);
});

test("a Notary whose port was taken in the meantime moves to another with all it has", async () => {
  const directory = await makeFolder("moved-notary");
  const first = await startNotary(postgres, { directory });
  const writer = await makeNotaryCli(first);
  await writer.mustRun("init", "-p", "dtr.example.org/dev/moved");
  await first.stop();
  const squatter = createServer().listen(Number(new URL(first.url).port), "127.0.0.1");
  await once(squatter, "listening");
  const second = await startNotary(postgres, { directory });
  assert.notEqual(second.url, first.url);
  const reader = await makeNotaryCli(second);
  assert.match(await reader.mustRun("list", "dtr.example.org/dev/moved"), /No targets present/);
  squatter.close();
  await second.stop();
  await reader.remove();
  await writer.remove();
  await removeFolder(directory);
});

test("the whole stack runs from the project's own copies, without the machine's notary, psql or docker", async () => {
  const folder = await makeFolder("bare-path");
  const bin = join(folder, "bin");
  await mkdir(bin);
  for (const program of ["setpriv", "test", "cp", "sh"]) await symlink(`/usr/bin/${program}`, join(bin, program));
  const story = join(import.meta.dirname, "whole-stack.ts");
  const { stdout } = await promisify(execFile)(process.execPath, [story], { env: { PATH: bin, HOME: folder } });
  assert.match(stdout, /^v1 /m);
  await removeFolder(folder);
});
