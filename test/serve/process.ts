import { spawn } from "node:child_process";
import { join } from "node:path";
import { projectRoot } from "../stack/folder.ts";
import { keepText } from "../stack/kept.ts";

/** `bin/imagetrust` as a child of this process, with which it ends. */
export interface Imagetrust {
  /** What it has printed on standard output: its log, one JSON object a line. */
  output(): string;
  errors(): string;
  signal(name: NodeJS.Signals): void;
  /** The exit code; null when a signal ended it. */
  readonly exited: Promise<number | null>;
}

/** Starts it with these arguments and nothing in its environment but a path and what is given. */
export function start(args: readonly string[], env: Readonly<Record<string, string>>): Imagetrust {
  const program = join(projectRoot, "bin/imagetrust");
  const child = spawn("setpriv", ["--pdeathsig", "KILL", program, ...args], {
    env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const printed = { output: "", errors: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (printed.output += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (printed.errors += text));
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => {
      keepText("program-log", printed.output + printed.errors);
      resolve(code);
    });
  });
  return {
    output: () => printed.output,
    errors: () => printed.errors,
    signal: (name) => void child.kill(name),
    exited,
  };
}

/** Runs it to its end, which is at hand: what goes on for a minute is killed, and has no exit code. */
export async function run(args: readonly string[], env: Readonly<Record<string, string>>) {
  const program = start(args, env);
  const patience = setTimeout(() => program.signal("SIGKILL"), 60_000);
  const code = await program.exited;
  clearTimeout(patience);
  return { code, output: program.output(), errors: program.errors() };
}
