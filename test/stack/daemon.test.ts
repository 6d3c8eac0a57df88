import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startDaemon } from "../../scripts/stack/daemon.ts";
import { makeFolder, removeFolder } from "./folder.ts";

let folder: string;
before(async () => {
  folder = await makeFolder("daemon");
});
after(() => removeFolder(folder));

test("a program that ends at every start is given up with what it logged", async () => {
  const hopeless = startDaemon({
    program: "/bin/sh",
    args: ["-c", "echo the port is taken; exit 1"],
    logFile: join(folder, "hopeless.log"),
    isReady: () => Promise.resolve(false),
  });
  await assert.rejects(hopeless, /does not answer:\n(the port is taken\n){3}/);
});
