import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { checkConfiguration } from "../../src/check.ts";
import { parseConfig } from "../../src/config.ts";
import { Fault } from "../../src/errors.ts";
import { makeFolder, removeFolder } from "../stack/folder.ts";
import { layMaterial, type Material } from "./material.ts";
import { run } from "./process.ts";

let folder: string;
let material: Material;
before(async () => {
  folder = await makeFolder("check");
  material = await layMaterial(folder);
});
after(() => removeFolder(folder));

function check(env: Readonly<Record<string, string>>) {
  return run(["serve", "--check"], { ...sound(), ...env });
}

/** A configuration that nothing is wrong with; neither its database nor its Notary is there. */
const sound = () => ({
  DATABASE_URL: "postgres://imagetrust_app:hunter2@db.example.org/imagetrust",
  IMAGETRUST_KEY_ENCRYPTION_KEY: randomBytes(32).toString("base64"),
  IMAGETRUST_TLS_CERT_FILE: material.tls.certFile,
  IMAGETRUST_TLS_KEY_FILE: material.tls.keyFile,
  IMAGETRUST_TLS_CLIENT_CA_FILE: material.tls.clientCaFile,
  IMAGETRUST_POLICY_DIR: material.policyDirectory,
  IMAGETRUST_NOTARY_SERVERS: JSON.stringify([
    { name: "main", baseUrl: "https://notary.example.org", registryHosts: ["dtr.example.org"] },
  ]),
});

test("a sound configuration is called valid, though neither database nor Notary is there", async () => {
  assert.deepEqual(await check({}), { code: 0, output: "the configuration is valid\n", errors: "" });
});

test("every fault of the settings is told at once, each on a line, and no value that may be secret", async () => {
  const { code, output, errors } = await check({
    DATABASE_URL: "mysql://root:hunter2@db.example.org/imagetrust",
    IMAGETRUST_LISTEN: "8443",
    IMAGETRUST_TLS_KEY_FILE: "/nonexistent.key",
    IMAGETRUST_POLICY_DIR: "/nonexistent",
    IMAGETRUST_LOG_LEVEL: "loud",
    IMAGETRUST_NOTARY_SERVERS: JSON.stringify([{ name: "main", baseUrl: "ftp://x", registryHosts: [] }]),
  });
  assert.deepEqual([code, output], [1, ""]);
  const [title, ...faults] = errors.trimEnd().split("\n");
  assert.equal(title, "imagetrust: The configuration is wrong:");
  assert.deepEqual(faults.map((line) => line.trim().split(" ")[0]).sort(), [
    "DATABASE_URL",
    "IMAGETRUST_LISTEN",
    "IMAGETRUST_LOG_LEVEL",
    "IMAGETRUST_NOTARY_SERVERS[0].baseUrl",
    "IMAGETRUST_NOTARY_SERVERS[0].registryHosts",
    "IMAGETRUST_POLICY_DIR",
    "IMAGETRUST_TLS_KEY_FILE",
  ]);
  assert.doesNotMatch(errors, /hunter2/);
});

/** What only a look into a file or a value shows. */
const unusable: readonly (readonly [what: string, env: () => Promise<Record<string, string>>, says: RegExp])[] = [
  [
    "a key-encryption key of 31 bytes",
    async () => ({ IMAGETRUST_KEY_ENCRYPTION_KEY: randomBytes(31).toString("base64") }),
    /The key-encryption key must be 32 random bytes/,
  ],
  [
    "a key-encryption key that others may read",
    async () => ({ IMAGETRUST_KEY_ENCRYPTION_KEY: "", IMAGETRUST_KEY_ENCRYPTION_KEY_FILE: await write("kek", "x") }),
    /The key-encryption key must name a file that only its owner may read/,
  ],
  [
    "another certificate's key",
    async () => ({ IMAGETRUST_TLS_KEY_FILE: await write("other.key", String(material.clients.admin.key)) }),
    /other\.key is not the key of the certificate in /,
  ],
  [
    "policies without entities",
    async () => ({ IMAGETRUST_POLICY_DIR: folder }),
    /entities\.json is missing: nobody would be permitted anything/,
  ],
];

for (const [what, env, says] of unusable) {
  test(`${what} is refused with words, and without what it holds`, async () => {
    const given = { ...sound(), ...(await env()) };
    await assert.rejects(
      async () => checkConfiguration(parseConfig(given)),
      (error) => {
        assert.ok(error instanceof Fault);
        assert.match(error.message, says);
        const secret = given.IMAGETRUST_KEY_ENCRYPTION_KEY || "BEGIN PRIVATE KEY";
        assert.ok(!error.message.includes(secret), error.message);
        return true;
      },
    );
  });
}

async function write(name: string, content: string): Promise<string> {
  await writeFile(join(folder, name), content, { mode: 0o644 });
  return join(folder, name);
}
