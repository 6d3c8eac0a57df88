import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { makeVolatileFolder, projectRoot } from "../stack/folder.ts";
import { contextFiles } from "./build-context.ts";
import { launcherOf, type Run, type RunOptions, runToEnd } from "./container.ts";
import { type Copy, copiesOf, environmentOf, execForm, finalStageOf, lastOf, readStages } from "./dockerfile.ts";

/**
 * The files of the image in a folder, as the Dockerfile's last stage copies them, without building it. What runs from there sees the
 * image's own files, a PATH with Node and the base image's tools that the launcher needs, and what is mounted; Node's permission model
 * refuses it everything else, and every write but to the folder that stands for /tmp.
 */
export interface Image {
  readonly folder: string;
  readonly command: readonly string[];
  readonly healthcheck: readonly string[];
  start(command: readonly string[], options: RunOptions): ChildProcess;
  readonly run: Run;
}

export async function assembleImage(): Promise<Image> {
  const folder = await makeVolatileFolder("image");
  const stage = finalStageOf(readStages("Dockerfile"));
  const root = join(folder, "opt/imagetrust");
  mkdirSync(root, { recursive: true });
  for (const copy of copiesOf(stage)) layCopy(copy, root);
  layTools(join(folder, "bin"));
  mkdirSync(join(folder, "tmp"));
  chmodSync(join(folder, "tmp"), 0o1777);
  const callOf = (command: readonly string[], options: RunOptions) => {
    const [word = "", ...args] = command;
    const program = word.includes("/") ? join(root, word) : join(folder, "bin", word);
    return {
      words: [...launcherOf(options.user ?? lastOf(stage, "USER"), options.capabilities ?? []), program, ...args],
      process: { cwd: root, env: environmentIn(folder, root, environmentOf(stage), options) },
    };
  };
  return {
    folder,
    command: execForm(lastOf(stage, "CMD")),
    healthcheck: execForm(lastOf(stage, "HEALTHCHECK")),
    start: (command, options) => {
      const call = callOf(command, options);
      const [file = "", ...args] = call.words;
      return spawn(file, args, { ...call.process, stdio: ["ignore", "pipe", "pipe"] });
    },
    run: (command, options) => {
      const call = callOf(command, options);
      return runToEnd(call.words, call.process);
    },
  };
}

function environmentIn(
  folder: string,
  root: string,
  ofImage: Readonly<Record<string, string>>,
  { environment, mounts, writable = [] }: RunOptions,
): Record<string, string> {
  const scratch = join(folder, "tmp");
  const reads = [root, scratch, ...mounts, ...writable].map((path) => `--allow-fs-read=${path}`);
  const writes = [scratch, ...writable].map((path) => `--allow-fs-write=${path}`);
  const moved = Object.entries(ofImage).map(([name, value]) => [name, value.replace(/^\/tmp\//, `${scratch}/`)]);
  return {
    ...Object.fromEntries(moved),
    ...environment,
    PATH: join(folder, "bin"),
    NODE_OPTIONS: ["--permission", "--disable-warning=SecurityWarning", ...reads, ...writes].join(" "),
  };
}

function layCopy({ from, sources, target }: Copy, root: string): void {
  if (from === "packages") layPackages(root);
  else if (from === "generated") cpSync(join(projectRoot, "gen"), join(root, target), { recursive: true });
  else layFromContext(sources, target, root);
}

function layFromContext(sources: readonly string[], target: string, root: string): void {
  for (const source of sources) {
    const isFolder = statSync(join(projectRoot, source)).isDirectory();
    for (const file of contextFiles(source)) {
      const place = isFolder ? join(target, file.slice(source.length)) : join(target, basename(file));
      mkdirSync(dirname(join(root, place)), { recursive: true });
      copyFileSync(join(projectRoot, file), join(root, place));
    }
  }
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly optional?: boolean }>>;
}

function readLock(): Lock["packages"] {
  return (JSON.parse(readFileSync(join(projectRoot, "package-lock.json"), "utf8")) as Lock).packages;
}

function lockedPackages(): readonly string[] {
  return Object.keys(readLock()).filter((path) => path !== "");
}

/** The packages that `npm ci --omit=dev --omit=optional` leaves, by the lock file. */
export function productionPackages(): readonly string[] {
  const lock = readLock();
  return lockedPackages().filter((path) => lock[path]?.dev !== true && lock[path]?.optional !== true);
}

function layPackages(root: string): void {
  const packages = productionPackages();
  const roots = packages.filter((path) => path.lastIndexOf("node_modules/") === 0);
  execFileSync("cp", ["--recursive", "--parents", ...roots, root], { cwd: projectRoot });
  for (const path of lockedPackages().filter((it) => !packages.includes(it)))
    rmSync(join(root, path), { recursive: true, force: true });
}

function layTools(bin: string): void {
  mkdirSync(bin);
  // A copy: the clone may lie where only its owner may look.
  copyFileSync(process.execPath, join(bin, "node"));
  for (const tool of ["env", "bash", "dirname", "readlink"]) symlinkSync(`/usr/bin/${tool}`, join(bin, tool));
}
