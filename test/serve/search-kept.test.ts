import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { makeFolder, projectRoot, removeFolder } from "../stack/folder.ts";
import { makeIdentity } from "../trust/identity.ts";

const kept = JSON.stringify(join(projectRoot, "test/stack/kept.ts"));

/** A run that made these secrets and wrote this log, and what the search at its end says. */
async function searchAfter(t: TestContext, secrets: Readonly<Record<string, string>>, log: string) {
  const folder = await makeFolder("kept");
  t.after(() => removeFolder(folder));
  const script = `
    import { keepSecret, keepText } from ${kept};
    const { secrets, log } = JSON.parse(process.argv[1]);
    for (const [name, value] of Object.entries(secrets)) keepSecret(name, value);
    if (log !== "") keepText("service-log", log);`;
  const env = { ...process.env, IMAGETRUST_TEST_KEPT_DIR: folder };
  const options = ["--input-type=module-typescript", "-e", script, JSON.stringify({ secrets, log })];
  assert.equal(spawnSync(process.execPath, options, { env, stdio: "inherit" }).status, 0);
  const { status, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, "search-kept.ts"), folder], {
    encoding: "utf8",
  });
  return { status, found: stderr.replace(/-[0-9a-f-]{36}\.text/g, "") };
}

const line = (field: string) => `${JSON.stringify({ level: "info", field, message: "a call ended" })}\n`;

test("a secret planted in a log fails the run, in any encoding, and is named without being shown", async (t) => {
  const { privateKeyPem } = await makeIdentity("ann");
  const passphrase = randomBytes(24).toString("base64url");
  const secrets = { passphrase, "ann's key": privateKeyPem };
  for (const [planted, name] of [
    [Buffer.from(passphrase).toString("hex"), "passphrase"],
    [privateKeyPem.split("\n")[2] ?? "", "ann's key"],
  ] as const) {
    assert.deepEqual(await searchAfter(t, secrets, line("harmless") + line(planted)), {
      status: 1,
      found: `${name} in service-log\n`,
    });
  }
});

test("a run whose logs hold none of its secrets passes", async (t) => {
  const secrets = { passphrase: randomBytes(24).toString("base64url") };
  assert.deepEqual(await searchAfter(t, secrets, line("harmless")), { status: 0, found: "" });
});

test("a run that kept nothing to search does not pass", async (t) => {
  const secrets = { passphrase: randomBytes(24).toString("base64url") };
  assert.equal((await searchAfter(t, secrets, "")).status, 1);
  assert.equal((await searchAfter(t, {}, line("harmless"))).status, 1);
});
