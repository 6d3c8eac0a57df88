import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { stories } from "../../scripts/life/run.ts";
import { makeFolder, projectRoot, removeFolder } from "../stack/folder.ts";

const tell = (...args: readonly string[]) => promisify(execFile)(join(projectRoot, "scripts/stories"), args);

let folder: string;
before(async () => {
  folder = await makeFolder("stories");
});
after(() => removeFolder(folder));

test("every story goes as it must, on one stack, with the notary command as a witness", async () => {
  const { stdout } = await tell("--once", "--data-dir", folder);
  for (const { shows } of stories) assert.ok(stdout.includes(`✔ ${shows}\n`), shows);
  assert.match(stdout, /All of it went as it must\.\n$/);
});

test("an unknown story is refused with the names there are", async () => {
  await assert.rejects(tell("nobody"), (error: { code: number; stderr: string }) => {
    assert.equal(error.code, 2);
    for (const { name } of stories) assert.ok(error.stderr.includes(name));
    return true;
  });
});
