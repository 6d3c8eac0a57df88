import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, test } from "node:test";
import pg from "pg";
import type { Gun, RoleName } from "../../src/names.ts";
import { openNotaryServers } from "../../src/notary/directory.ts";
import type { UploadAnswer } from "../../src/notary/server.ts";
import { parseSnapshot, parseTimestamp } from "../../src/tuf/envelope.ts";
import { startNotary } from "../stack/notary.ts";
import { runStatements, startPostgres } from "../stack/postgres.ts";
import { delegationFile, makeKeys, makeSigner, rootFile, targetsFile } from "./collection.ts";

const postgres = await startPostgres();
after(() => postgres.stop());
const notary = await startNotary(postgres, { supervised: false });
after(() => notary.stop());
const servers = openNotaryServers([{ name: "main", baseUrl: notary.url, caFile: notary.caFile, registryHosts: ["*"] }]);
after(() => servers.close());
const server = servers.byName("main");

const never = new AbortController().signal;
const role = (name: string) => name as RoleName;
const [timestamp, snapshot, releases, qa] = ["timestamp", "snapshot", "targets/releases", "targets/qa"].map(role) as [
  RoleName,
  RoleName,
  RoleName,
  RoleName,
];

let count = 0;
/** A GUN with a port, because it must be encoded, that no other test uses. */
const newGun = () => `dtr.example.org:5000/test/repository-${++count}` as Gun;

/** A collection with delegations to one member, after its first upload. */
async function initialize() {
  const gun = newGun();
  const keys = await makeKeys(server, gun, never);
  const member = makeSigner();
  const delegations = { [releases]: member.key, [qa]: member.key };
  const files = [rootFile(keys), targetsFile(keys, 1, delegations)];
  assert.deepEqual(await server.upload(gun, files, never), { kind: "ACCEPTED" });
  return { gun, keys, member, delegations, files };
}

async function versionsOf(gun: Gun, name: RoleName): Promise<readonly number[]> {
  const versions: number[] = [];
  for (let version = 1; (await server.readVersion(gun, name, version, never)) !== undefined; version++) {
    versions.push(version);
  }
  return versions;
}

/** Repeats an upload until the server answers something else than that; its own reconnection takes about a second. */
async function uploadUntilNot(unwanted: UploadAnswer["kind"], ask: () => Promise<UploadAnswer>): Promise<UploadAnswer> {
  for (const end = Date.now() + 20_000; ; ) {
    const answer = await ask();
    if (answer.kind !== unwanted || Date.now() > end) return answer;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test("one upload of root and targets with its delegations can be read back in every way", async () => {
  const { gun, files } = await initialize();
  for (const { role: name, bytes } of files) {
    assert.ok((await server.readVersion(gun, name, 1, never))?.equals(bytes));
    assert.ok((await server.readCurrent(gun, name, never))?.equals(bytes));
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    assert.ok((await server.readByHash(gun, name, sha256, never))?.equals(bytes));
    assert.equal(await server.readVersion(gun, name, 2, never), undefined);
  }
  const stamp = parseTimestamp((await server.readVersion(gun, timestamp, 1, never)) ?? Buffer.alloc(0));
  const list = (await server.readVersion(gun, snapshot, 1, never)) ?? Buffer.alloc(0);
  assert.ok(
    stamp.content.meta.get("snapshot")?.hashes.get("sha256")?.equals(createHash("sha256").update(list).digest()),
  );
  for (const { role: name, bytes } of files) {
    const entry = parseSnapshot(list).content.meta.get(name);
    assert.equal(entry?.length, bytes.length);
    assert.ok(entry?.hashes.get("sha256")?.equals(createHash("sha256").update(bytes).digest()));
  }
});

test("timestamp and snapshot begin at version 1 and rise by one with each upload", async () => {
  const { gun, keys, member, delegations } = await initialize();
  assert.deepEqual(await versionsOf(gun, timestamp), [1]);
  assert.deepEqual(await versionsOf(gun, snapshot), [1]);
  const next = [targetsFile(keys, 2, delegations)];
  assert.equal((await server.upload(gun, next, never)).kind, "ACCEPTED");
  assert.equal((await server.upload(gun, [delegationFile(releases, member)], never)).kind, "ACCEPTED");
  assert.deepEqual(await versionsOf(gun, timestamp), [1, 2, 3]);
  assert.deepEqual(await versionsOf(gun, snapshot), [1, 2, 3]);
});

test("a GUN without trust is absent in every way", async () => {
  const gun = newGun();
  for (const name of ["root", "targets", "snapshot", "timestamp", "targets/releases"].map(role)) {
    assert.equal(await server.readVersion(gun, name, 1, never), undefined);
    assert.equal(await server.readCurrent(gun, name, never), undefined);
    assert.equal(await server.readByHash(gun, name, "0".repeat(64), never), undefined);
  }
});

test("a delegation that was never signed is absent although SQL storage answers 500", async () => {
  const { gun, member } = await initialize();
  assert.equal(await server.readCurrent(gun, releases, never), undefined);
  assert.equal(await server.readVersion(gun, releases, 1, never), undefined);
  const file = delegationFile(releases, member);
  assert.equal((await server.upload(gun, [file], never)).kind, "ACCEPTED");
  assert.ok((await server.readCurrent(gun, releases, never))?.equals(file.bytes));
  assert.ok((await server.readVersion(gun, releases, 1, never))?.equals(file.bytes));
});

test("a version that is taken answers VERSION, for the same bytes as for others", async () => {
  const { gun, keys, files } = await initialize();
  assert.deepEqual(await server.upload(gun, files, never), { kind: "VERSION" });
  assert.deepEqual(await server.upload(gun, [targetsFile(keys, 1)], never), { kind: "VERSION" });
  assert.deepEqual(await versionsOf(gun, timestamp), [1]);
});

test("what the server will never take is REFUSED by its name", async () => {
  const { gun, keys, delegations } = await initialize();
  const yesterday = new Date(Date.now() - 86_400_000);
  const refusals: readonly (readonly [readonly { role: RoleName; bytes: Buffer }[], string, RegExp])[] = [
    [[targetsFile(keys, 2, delegations, yesterday)], "ErrBadTargets", /targets expired/],
    [[delegationFile(releases, makeSigner())], "ErrBadTargets", /did not meet threshold for targets\/releases/],
    [[delegationFile("targets/nobody", makeSigner())], "ErrBadTargets", /delegation does not exist/],
    [[rootFile(keys, 3)], "ErrBadRoot", /must increment the version/],
  ];
  for (const [files, error, detail] of refusals) {
    const answer = await server.upload(gun, files, never);
    assert.ok(answer.kind === "REFUSED" && answer.error === error, JSON.stringify(answer));
    assert.match(answer.detail, detail);
  }
  const malformed = await server.upload(gun, [{ role: role("targets"), bytes: Buffer.from("{") }], never);
  assert.ok(malformed.kind === "REFUSED" && malformed.code === "MALFORMED_JSON");
});

test("a first upload that names keys the server does not hold misses server keys", async () => {
  const gun = newGun();
  const keys = await makeKeys(server, gun, never);
  for (const strange of [{ timestamp: makeSigner().key }, { snapshot: makeSigner().key }]) {
    const answer = await server.upload(gun, [rootFile({ ...keys, ...strange }), targetsFile(keys)], never);
    assert.equal(answer.kind, "MISSING_SERVER_KEY", JSON.stringify(answer));
  }
  assert.equal((await server.upload(gun, [rootFile(keys), targetsFile(keys)], never)).kind, "ACCEPTED");
});

test("a server key stays the same until it is used", async () => {
  const gun = newGun();
  for (const name of ["snapshot", "timestamp"] as const) {
    const key = await server.readServerKey(gun, name, never);
    assert.ok(key.equals(await server.readServerKey(gun, name, never)));
  }
});

test("while the signer is down an upload FAILS and no server key is given; afterwards the same bytes land", async () => {
  const { gun, keys } = await initialize();
  const next = [targetsFile(keys, 2)];
  await notary.killSigner();
  assert.equal((await server.upload(gun, next, never)).kind, "FAILED");
  await assert.rejects(server.readServerKey(gun, "snapshot", never), { reason: "NOTARY_UNAVAILABLE" });
  await notary.restartSigner();
  assert.equal((await uploadUntilNot("FAILED", () => server.upload(gun, next, never))).kind, "ACCEPTED");
});

test("a signer without its database seems to have lost its keys, and hands out no empty one", async () => {
  const other = await initialize();
  const { gun, keys } = await initialize();
  const next = [targetsFile(keys, 2)];
  const database = new URL(notary.signerDatabaseUrl).pathname.slice(1);
  await notary.restartSigner();
  await uploadUntilNot("FAILED", () => server.upload(other.gun, [targetsFile(other.keys, 2)], never));
  await runStatements(postgres.adminUrl, [
    `alter database ${database} with allow_connections false`,
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${database}'`,
  ]);
  assert.equal((await uploadUntilNot("FAILED", () => server.upload(gun, next, never))).kind, "MISSING_SERVER_KEY");
  await assert.rejects(server.readServerKey(gun, "snapshot", never), { reason: "NOTARY_UNAVAILABLE" });
  await runStatements(postgres.adminUrl, [`alter database ${database} with allow_connections true`]);
  assert.equal((await server.upload(gun, next, never)).kind, "ACCEPTED");
});

test("a server without its database says nothing about what is absent", async () => {
  const { gun, keys } = await initialize();
  const database = new URL(notary.databaseUrl).pathname.slice(1);
  await runStatements(postgres.adminUrl, [
    `alter database ${database} with allow_connections false`,
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${database}'`,
  ]);
  await assert.rejects(server.readVersion(gun, role("root"), 9, never), { reason: "NOTARY_UNAVAILABLE" });
  await assert.rejects(server.readCurrent(gun, releases, never), { reason: "NOTARY_UNAVAILABLE" });
  await assert.rejects(server.readCurrent(newGun(), timestamp, never), { reason: "NOTARY_UNAVAILABLE" });
  assert.equal((await server.upload(gun, [targetsFile(keys, 2)], never)).kind, "FAILED");
  await runStatements(postgres.adminUrl, [`alter database ${database} with allow_connections true`]);
  assert.equal(await server.readVersion(gun, role("root"), 9, never), undefined);
});

test("the generation stays while the server runs, changes with its restart, and an upload it died over is unreachable", async () => {
  const { gun, keys } = await initialize();
  const next = [targetsFile(keys, 2)];
  const before = await server.generation(never);
  assert.match(before, /^\d[\d.e+]+\/\d+$/);
  assert.equal(await server.generation(never), before);

  const blocker = new pg.Client({ connectionString: notary.databaseUrl });
  await blocker.connect();
  await blocker.query("begin");
  await blocker.query("lock table tuf_files in access exclusive mode");
  const sent = server.upload(gun, next, never);
  const blocked = "select 1 from pg_locks where relation = 'tuf_files'::regclass and not granted";
  while ((await blocker.query(blocked)).rowCount === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await notary.killServer();
  const answer = await sent;
  assert.ok(answer.kind === "UNREACHABLE" && answer.sent, JSON.stringify(answer));
  await blocker.end();

  const refused = await server.upload(gun, next, never);
  assert.ok(refused.kind === "UNREACHABLE" && !refused.sent, JSON.stringify(refused));
  await assert.rejects(server.readVersion(gun, snapshot, 1, never), { reason: "NOTARY_UNAVAILABLE" });
  await assert.rejects(server.generation(never), { reason: "NOTARY_UNAVAILABLE" });
  await notary.restartServer();
  const [startBefore, resetsBefore] = before.split("/");
  const [startAfter, resetsAfter] = (await server.generation(never)).split("/");
  assert.notEqual(startAfter, startBefore);
  assert.ok(Number(resetsAfter) > Number(resetsBefore));
  assert.equal((await server.upload(gun, next, never)).kind, "ACCEPTED");
});

test("a server whose certificate is not trusted is asked nothing", async () => {
  const strangers = openNotaryServers([{ name: "stranger", baseUrl: notary.url, registryHosts: ["*"] }]);
  const answer = await strangers.byName("stranger").upload(newGun(), [], never);
  assert.deepEqual(answer, {
    kind: "UNREACHABLE",
    sent: false,
    detail: "its TLS certificate is not trusted: check the CA file",
  });
  await strangers.close();
});

test("the changefeed tells of each upload after an id, with the version and hash of the timestamp that it made", async () => {
  const { gun, files } = await initialize();
  assert.ok(files.length > 0);
  const all = await server.changefeed(0n, 1_000, never);
  const ids = all.map(({ id }) => id);
  assert.deepEqual(
    ids,
    [...ids].sort((one, other) => Number(one - other)),
  );
  const ours = all.filter((row) => row.gun === gun);
  const first = await server.readVersion(gun, timestamp, 1, never);
  assert.ok(first !== undefined);
  const sha256 = createHash("sha256").update(first).digest("hex");
  assert.deepEqual(
    ours.map(({ version, sha256: hash }) => [version, hash]),
    [[1, sha256]],
  );
  const last = ids.at(-1) ?? 0n;
  assert.deepEqual(await server.changefeed(last, 1_000, never), []);
  assert.deepEqual(
    (await server.changefeed(last - 1n, 1, never)).map(({ id }) => id),
    [last],
  );
});
