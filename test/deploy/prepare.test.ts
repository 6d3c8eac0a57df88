import assert from "node:assert/strict";
import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { parseConfig } from "../../src/config.ts";
import { loadPolicies } from "../../src/rpc/policy-set.ts";
import { serviceOf } from "./compose.ts";
import { runInProject } from "./container.ts";
import { lastOf, readStages } from "./dockerfile.ts";
import { filesBelow, openPrepared, type Prepared } from "./prepared.ts";

let prepared: Prepared;

before(async () => {
  prepared = await openPrepared({ PUBLIC_HOST: "trust.example.org" });
  assert.deepEqual(await prepared.run(), { code: 0, stdout: "prepared\n", stderr: "" });
});

after(() => prepared.remove());

const read = (file: string) => readFileSync(join(prepared.folder, file), "utf8");
const certificateOf = (file: string) => new X509Certificate(read(file));

/** Holds for every file: its content, and all that a second run could touch. */
function fingerprints(): readonly string[] {
  return filesBelow(prepared.folder).map((file) => {
    const { mode, uid, gid, mtimeMs, ino } = statSync(join(prepared.folder, file));
    return [file, mode, uid, gid, mtimeMs, ino, createHash("sha256").update(read(file)).digest("hex")].join(" ");
  });
}

const userOf = (dockerfile: string) =>
  lastOf(
    readStages(dockerfile).find(({ instructions }) => instructions.some(({ name }) => name === "USER")) ??
      assert.fail(dockerfile),
    "USER",
  );

test("the environment that compose gives to imagetrust is valid with the files made for it", async () => {
  const { environment } = prepared.mount("imagetrust");
  const check = ["node", "src/main.ts", "serve", "--check"];
  const checked = await runInProject(check, { environment, user: userOf("Dockerfile"), mounts: [] });
  assert.deepEqual(checked, { code: 0, stdout: "the configuration is valid\n", stderr: "" });
});

test("each variable of that environment counts: without it the configuration is wrong, or leaves compose's database", () => {
  const { environment } = prepared.mount("imagetrust");
  assert.ok(Object.keys(environment).length >= 7);
  assert.equal(parseConfig(environment).databaseUrl, read("imagetrust/database-url"));
  for (const name of Object.keys(environment)) {
    const without = { ...environment, [name]: "" };
    if (name === "IMAGETRUST_DATABASE_URL_FILE") assert.equal(parseConfig(without).databaseUrl, undefined);
    else assert.throws(() => parseConfig(without), /The configuration is wrong/, name);
  }
});

test("its key-encryption key has 256 bits of its own", () => {
  assert.equal(Buffer.from(read("imagetrust/key-encryption-key"), "base64").length, 32);
});

test("its policies parse, and know the admin, the viewer and the auditor by their certificates' names", () => {
  const loaded = loadPolicies(join(prepared.folder, "imagetrust/policies"));
  assert.ok(loaded.ok);
  const known = [...loaded.value.entities.values()].map(({ uid, parents }) => [uid, parents]);
  const expected = ["admin", "viewer", "auditor"].map((role) => [
    { type: "ImageTrust::Identity", id: certificateOf(`client/${role}.pem`).subject.replace(/^CN=/, "") },
    [{ type: "ImageTrust::Role", id: role }],
  ]);
  assert.deepEqual(known, expected);
});

const issued = {
  "imagetrust/client-ca.pem": ["imagetrust/server", "client/admin", "client/viewer", "client/auditor"],
  "notary-server/ca.pem": ["notary-server/tls", "notary-server/signer-client", "notary-signer/tls"],
} as const;

test("every certificate is signed by the authority that its users are given, and fits its key", () => {
  for (const [authorityFile, names] of Object.entries(issued)) {
    const authority = certificateOf(authorityFile);
    assert.ok(authority.ca && authority.verify(authority.publicKey), authorityFile);
    for (const name of names) {
      const certificate = certificateOf(`${name}.pem`);
      assert.ok(certificate.verify(authority.publicKey) && certificate.checkIssued(authority), name);
      assert.ok(certificate.checkPrivateKey(createPrivateKey(read(`${name}-key.pem`))), name);
      assert.ok(certificate.validToDate.getTime() - Date.now() > 3_600 * 86_400_000, name);
    }
  }
  for (const copy of ["client/ca.pem", "ca/imagetrust.pem"]) assert.equal(read(copy), read("imagetrust/client-ca.pem"));
  for (const copy of ["imagetrust/notary-ca.pem", "client/notary-ca.pem", "notary-signer/ca.pem"])
    assert.equal(read(copy), read("notary-server/ca.pem"), copy);
});

test("servers are named as compose's network and other machines call them; clients are no servers", () => {
  const servers = {
    "imagetrust/server": "imagetrust",
    "notary-server/tls": "notary-server",
    "notary-signer/tls": "notary-signer",
  };
  for (const [file, service] of Object.entries(servers)) {
    serviceOf(service);
    const certificate = certificateOf(`${file}.pem`);
    for (const host of [service, "localhost", "trust.example.org"])
      assert.equal(certificate.checkHost(host, { subject: "never" }), host, file);
    assert.equal(certificate.checkIP("127.0.0.1"), "127.0.0.1");
    assert.deepEqual(certificate.keyUsage, ["1.3.6.1.5.5.7.3.1"], file);
  }
  for (const file of ["client/admin.pem", "notary-server/signer-client.pem"])
    assert.deepEqual(certificateOf(file).keyUsage, ["1.3.6.1.5.5.7.3.2"], file);
});

test("an address as PUBLIC_HOST becomes an address in the certificates", async () => {
  const other = await openPrepared({ PUBLIC_HOST: "2001:db8::7" });
  assert.equal((await other.run()).code, 0);
  const certificate = new X509Certificate(readFileSync(join(other.folder, "imagetrust/server.pem")));
  assert.equal(certificate.checkIP("2001:db8::7"), "2001:db8::7");
  const servers = readFileSync(join(other.folder, "imagetrust/notary-servers.json"), "utf8");
  assert.match(servers, /"publicUrl": "https:\/\/\[2001:db8::7\]:4443"/);
  await other.remove();
});

test("every file is its consumer's alone to read; only what is no secret is for everybody", () => {
  const users = {
    ca: serviceOf("prepare").user,
    postgres: "999:999",
    migrate: userOf("Dockerfile"),
    imagetrust: userOf("Dockerfile"),
    client: userOf("Dockerfile"),
    "notary-signer": userOf("deploy/notary/Dockerfile"),
    "notary-server": userOf("deploy/notary/Dockerfile"),
  } as Readonly<Record<string, string | undefined>>;
  const open = { "imagetrust/policies/entities.json": 0o444, "client/complete": 0o644 } as Readonly<
    Record<string, number>
  >;
  const isRoot = process.getuid?.() === 0;
  for (const file of filesBelow(prepared.folder)) {
    const { mode, uid, gid } = statSync(join(prepared.folder, file));
    assert.equal(mode & 0o777, open[file] ?? 0o400, file);
    if (file === "client/complete") continue;
    const owner = isRoot ? users[file.split("/")[0] ?? ""] : `${process.getuid?.()}:${process.getgid?.()}`;
    assert.equal(`${uid}:${gid}`, owner, file);
  }
});

test("no secret is in two consumers' hands but the passwords, which PostgreSQL must know", () => {
  const secrets = filesBelow(prepared.folder).filter((file) => /key|passphrase|password/.test(file));
  assert.equal(new Set(secrets.map(read)).size, secrets.length);
  const urlOf = (file: string) => new URL(/postgres:\/\/[^"\s]+/.exec(read(file))?.[0] ?? assert.fail(file));
  const urls = { owner: "migrate/database-url", app: "imagetrust/database-url" } as const;
  for (const [role, file] of Object.entries({
    ...urls,
    "notary-server": "notary-server/config.json",
    "notary-signer": "notary-signer/config.json",
  })) {
    assert.equal(urlOf(file).password, read(`postgres/${role}-password`), file);
    assert.equal(urlOf(file).host, "postgres:5432");
  }
});

test("a second run changes nothing, not even with another PUBLIC_HOST", async () => {
  const first = fingerprints();
  assert.deepEqual(await prepared.run(), { code: 0, stdout: "prepared already\n", stderr: "" });
  assert.deepEqual(fingerprints(), first);
});

test("a run that broke off is repeated as a whole", async () => {
  const broken = await openPrepared();
  const passwordOf = () => readFileSync(join(broken.folder, "postgres/app-password"), "utf8");
  assert.equal((await broken.run()).code, 0);
  const first = passwordOf();
  rmSync(join(broken.folder, "client/complete"));
  assert.equal((await broken.run()).stdout, "prepared\n");
  assert.notEqual(passwordOf(), first);
  assert.ok(readFileSync(join(broken.folder, "imagetrust/database-url"), "utf8").includes(`:${passwordOf()}@`));
  await broken.remove();
});

test("it says how it is called, and does nothing, when it is called otherwise", async () => {
  const unchanged = fingerprints();
  for (const words of ["client", "withdraw x --role admin", "client x --role owner"]) {
    const ended = await prepared.run(...words.split(" "));
    assert.equal(ended.code, 2, words);
    assert.match(ended.stderr, /^usage: prepare\.ts FOLDER /);
  }
  assert.deepEqual(fingerprints(), unchanged);
});
