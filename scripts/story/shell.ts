import { spawn } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";
import type { Narrator } from "./narrator.ts";
import { StoryFault } from "./story-fault.ts";

/** Where somebody types: every line is shown as typed, with all it prints. Lines are single commands with their arguments. */
export interface Shell {
  /** Types a command and answers what it printed; throws StoryFault unless it exits with the code, by default 0. */
  run(line: string, code?: number): Promise<string>;
  /** The same for a command that reads what becomes true within moments: it is repeated, unseen, until `isTold`, for 15 s. */
  runUntil(line: string, isTold: (output: string) => boolean): Promise<string>;
  /** Types an assignment, seen by all later commands. */
  assign(name: string, value: string, exported?: "exported"): void;
}

export interface ShellOptions {
  readonly folder: string;
  /** All that commands see of the environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly narrator: Narrator;
}

/** Opens a shell in a folder; the narrator shows how one gets there. */
export function openShell({ folder, environment, narrator }: ShellOptions): Shell {
  const variables: Record<string, string> = { ...environment };
  narrator.typed(`cd ${shellWord(folder)}`);
  const execute = (line: string) => runLine(line, folder, variables);
  const tell = (line: string, said: Said, code: number): string => {
    narrator.said(said.output);
    if (said.code === code) return said.output;
    throw new StoryFault(`\`${line}\` exited with ${said.code} instead of ${code}.`);
  };
  return {
    run: async (line, code = 0) => {
      narrator.typed(line);
      return tell(line, await execute(line), code);
    },
    runUntil: async (line, isTold) => {
      narrator.typed(line);
      const patience = Date.now() + 15_000;
      let said = await execute(line);
      while (said.code === 0 && !isTold(said.output) && Date.now() < patience) {
        await pause(100);
        said = await execute(line);
      }
      return tell(line, said, 0);
    },
    assign: (name, value, exported) => {
      narrator.typed(`${exported === undefined ? "" : "export "}${name}=${shellWord(value)}`);
      variables[name] = value;
    },
  };
}

/** The text as one word of a shell's command line. */
export function shellWord(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

interface Said {
  readonly code: number;
  /** Both streams in the order in which they were written. */
  readonly output: string;
}

const longestMs = 120_000;

function runLine(line: string, cwd: string, env: Readonly<Record<string, string>>): Promise<Said> {
  return new Promise((resolve, reject) => {
    // The shell becomes the command, so that it ends with us; a Ctrl-C is for us to handle.
    const words = ["--pdeathsig", "KILL", "bash", "-c", `exec 2>&1; exec ${line}`];
    const child = spawn("setpriv", words, {
      cwd,
      env,
      stdio: ["ignore", "pipe", "inherit"],
      detached: true,
      timeout: longestMs,
      killSignal: "SIGKILL",
    });
    let output = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.once("error", reject);
    child.once("close", (code) => resolve({ code: code ?? -1, output }));
  });
}
