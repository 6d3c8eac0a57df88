import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { watchFiles } from "../../src/rpc/watch-files.ts";
import { until } from "./fixtures.ts";

const directory = mkdtempSync(join(tmpdir(), "imagetrust-watch-"));
after(() => rmSync(directory, { recursive: true }));

test("a change that fails to be taken up is told, and the next one is seen all the same", async () => {
  const file = join(directory, "a");
  writeFileSync(file, "0");
  const failures: unknown[] = [];
  let changes = 0;
  const watch = await watchFiles({
    files: () => Promise.resolve([file]),
    directories: [directory],
    changed: () => {
      changes += 1;
      return changes === 1 ? Promise.reject(new Error("first")) : Promise.resolve();
    },
    failed: (error) => void failures.push(error),
  });
  after(() => watch.close());
  writeFileSync(file, "1");
  await until(() => failures.length === 1);
  writeFileSync(file, "2");
  await until(() => changes === 2);
});

test("a file that is written without being changed is no change; a look of one's own tells its failure", async () => {
  const file = join(directory, "b");
  writeFileSync(file, "same");
  let changes = 0;
  const watch = await watchFiles({
    files: () => Promise.resolve([file]),
    directories: ["/nonexistent"],
    changed: () => {
      changes += 1;
      return Promise.reject(new Error("told to the caller"));
    },
    failed: () => assert.fail("nobody else is told"),
  });
  after(() => watch.close());
  writeFileSync(file, "same");
  await watch.look();
  assert.equal(changes, 0);
  writeFileSync(file, "other");
  await assert.rejects(watch.look(), /told to the caller/);
});
