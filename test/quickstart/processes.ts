import { spawn } from "node:child_process";
import { readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { projectRoot } from "../../scripts/stack/project.ts";
import { keepText } from "../stack/kept.ts";

/** A program of the quickstart, as a user starts it. */
export interface Started {
  readonly pid: number;
  /** Ends it with -9 if it still runs. */
  kill(): void;
  /** What it has printed so far, on both streams. */
  output(): string;
  /** Waits until it has printed the text; throws with its output if it ends before. */
  untilPrinted(text: string): Promise<void>;
  /** Its exit code, null when a signal ended it. */
  readonly ended: Promise<number | null>;
}

/** Starts a program of the project with a path of our own and an empty home. */
export function start(program: readonly string[], home: string): Started {
  const [file = "", ...args] = program;
  const child = spawn(file, args, {
    cwd: projectRoot,
    env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", HOME: home },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const heard = (text: string): void => {
    output += text;
  };
  child.stdout.setEncoding("utf8").on("data", heard);
  child.stderr.setEncoding("utf8").on("data", heard);
  let isOver = false;
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      isOver = true;
      keepText("quickstart-output", output);
      resolve(code);
    });
  });
  return {
    pid: child.pid ?? 0,
    kill: () => void child.kill("SIGKILL"),
    output: () => output,
    ended,
    untilPrinted: async (text) => {
      while (!output.includes(text)) {
        if (isOver) throw new Error(`it ended without printing "${text}":\n${output}`);
        await pause(20);
      }
    },
  };
}

/** Waits until no process has the folder on its command line or works in it; throws, naming those left, after 30 s. */
export async function nobodyLeftIn(folder: string): Promise<void> {
  const patience = Date.now() + 30_000;
  for (;;) {
    const left = await processesIn(folder);
    if (left.length === 0) return;
    if (Date.now() > patience) throw new Error(`still there:\n${left.join("\n")}`);
    await pause(50);
  }
}

async function processesIn(folder: string): Promise<readonly string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const found = await Promise.all(
    pids.map(async (pid) => {
      const command = (await readFile(join("/proc", pid, "cmdline"), "utf8").catch(() => "")).replaceAll("\0", " ");
      const at = await readlink(join("/proc", pid, "cwd")).catch(() => "");
      return command.includes(folder) || at.startsWith(folder) ? [`${pid} ${command} in ${at}`] : [];
    }),
  );
  return found.flat();
}
