import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { availableParallelism, loadavg } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { promisify } from "node:util";
import { unzipSync } from "fflate";
import { projectRoot } from "../../scripts/stack/project.ts";
import { promises } from "../../scripts/story/chapter.ts";
import { shellWord } from "../../scripts/story/narrator.ts";
import { makeFolder, removeFolder } from "../stack/folder.ts";
import { nobodyLeftIn, type Started, start } from "./processes.ts";

let folder: string;
/** With characters that a shell must see quoted. */
let directory: string;

before(async () => {
  folder = await makeFolder("quickstart");
  directory = join(folder, "it's here");
  await mkdir(join(folder, "home"));
});
afterEach(async () => {
  for (const run of runs.splice(0)) run.kill();
  await nobodyLeftIn(directory);
});
after(() => removeFolder(folder));

const runs: Started[] = [];

function quickstart(...options: readonly string[]): Started {
  const program = join(projectRoot, "scripts/quickstart");
  return begin([program, "--data-dir", directory, ...options]);
}

function begin(program: readonly string[]): Started {
  const run = start(program, join(folder, "home"));
  runs.push(run);
  return run;
}

function keepsPromises(run: Started): void {
  for (const promise of promises) assert.ok(run.output().includes(`✔ ${promise}\n`), promise);
}

test("an empty directory is enough for the story; the service stays up, answers as printed, and ends with kill -9", async (context) => {
  const run = quickstart();
  await run.untilPrinted("Ctrl-C ends all of it");
  keepsPromises(run);
  assert.match(run.output(), /^PUBLISHED: live on Notary\.$/m);
  context.diagnostic(durationOf(run));
  const printed = (beginning: string) => new RegExp(`^  (${beginning} .*)$`, "m").exec(run.output())?.[1] ?? "";
  const type = async (line: string) => {
    const env = { PATH: "/usr/bin:/bin", HOME: join(folder, "home") };
    return (await promisify(execFile)("bash", ["-euc", `${printed("source")}\n${line}`], { env })).stdout;
  };
  assert.match(await type(printed("imagetrust trust")), /^State +IN_SYNC$/m);
  assert.equal(JSON.parse(await type(printed("buf curl"))).trust.state, "COLLECTION_STATE_IN_SYNC");
  assert.match(await type(await postingAsMember("alice")), /^200 /m);

  const other = quickstart("--once");
  assert.equal(await other.ended, 1);
  assert.match(other.output(), /is in use by process [\d, ]+; .*choose another data directory/);
  assert.match(await type(printed("imagetrust trust")), /^State +IN_SYNC$/m);

  run.kill();
  await run.ended;
  await nobodyLeftIn(directory);
});

/** What the outsider tries in vain, done by a member: that Notary refuses it must not lie in how it is made or sent. */
async function postingAsMember(member: string): Promise<string> {
  const own = join(directory, "story", member);
  const { "cert.pem": certificate = "" } = unzipSync(await readFile(join(own, `ucp-bundle-${member}.zip`)));
  await writeFile(join(own, "cert.pem"), certificate);
  const files = [join(directory, "story/onlooker/config.json"), join(own, "cert.pem"), join(own, "signing/key.pem")];
  const program = join(projectRoot, "scripts/story/post-raw.ts");
  const what = [
    "dtr.example.org/dev/nginx",
    "raw",
    join(own, "signing/manifest.json"),
    "targets/releases",
    "targets/qa",
  ];
  return ["node", program, ...files, ...what].map(shellWord).join(" ");
}

test("a later run takes up the same data directory and passes again, in the time that is promised", async (context) => {
  const run = quickstart("--once");
  assert.equal(await run.ended, 0, run.output());
  keepsPromises(run);
  await nobodyLeftIn(directory);
  assert.match(run.output(), /^UNCHANGED: nothing to publish\.\n\nAn earlier run/m);
  context.diagnostic(durationOf(run));
  assert.ok(secondsOf(run) < promisedSeconds(), durationOf(run));
});

test("Ctrl-C in the midst of the story ends everything", async () => {
  const run = quickstart("--once");
  await run.untilPrinted("$ imagetrust team create");
  process.kill(run.pid, "SIGINT");
  assert.equal(await run.ended, 130);
  await nobodyLeftIn(directory);
});

test("a run with a step removed exits 1 and says what is missing", async () => {
  const program = [process.execPath, join(import.meta.dirname, "without-a-step.ts"), directory, "publish"];
  const run = begin(program);
  assert.equal(await run.ended, 1);
  assert.match(run.output(), /^The story failed\. "list the tags": 1\.\d is not listed under targets\/releases\.$/m);
  await nobodyLeftIn(directory);
});

test("a wrong option is a usage error", async () => {
  const run = quickstart("--twice");
  assert.equal(await run.ended, 2);
  assert.match(run.output(), /^usage: scripts\/quickstart /m);
});

/** A run in a directory of an earlier one takes under 20 s; as many times that as the machine has more to do than processors. */
function promisedSeconds(): number {
  return 20 * Math.max(1, (loadavg()[0] ?? 0) / availableParallelism());
}

/** By the time the run itself prints. */
function secondsOf(run: Started): number {
  return Number(/, in ([\d.]+) s/.exec(durationOf(run))?.[1]);
}

function durationOf(run: Started): string {
  return /All of it went as it must, in .*$/m.exec(run.output())?.[0] ?? "";
}
