import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { symlink } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { makeFolder, projectRoot, removeFolder } from "../stack/folder.ts";

test("the command runs from any folder, through a symbolic link, without a Node in the PATH", async () => {
  const folder = await makeFolder("launcher");
  const link = join(folder, "imagetrust");
  await symlink(join(projectRoot, "bin/imagetrust"), link);
  const bin = join(folder, "bin-of-the-machine");
  await promisify(execFile)("mkdir", [bin]);
  for (const program of ["env", "bash", "dirname", "readlink"])
    await symlink(`/usr/bin/${program}`, join(bin, program));
  const { stdout } = await promisify(execFile)(link, ["--help"], { cwd: "/", env: { PATH: bin, HOME: folder } });
  assert.match(stdout, /^Usage: imagetrust /);
  await removeFolder(folder);
});
