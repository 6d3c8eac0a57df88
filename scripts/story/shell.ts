import { spawn } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";
import { type Narrator, type Place, shellWord } from "./narrator.ts";
import { insist } from "./story-fault.ts";

/** Where somebody types: every line is shown as typed, with all it prints. Lines are single commands with their arguments. */
export interface Shell {
  /** Types a command and answers what it printed; throws StoryFault unless it exits with the code, by default 0. */
  run(line: string, code?: number): Promise<string>;
  /** The same for a command that reads what becomes true within moments: it is repeated, unseen, until `isTold`, for 15 s. */
  runUntil(line: string, isTold: (output: string) => boolean): Promise<string>;
  /** Types an assignment; what later lines hold as `$NAME`. */
  assign(name: string, value: string): void;
  /** Types an exported assignment, which later commands see. */
  export(name: string, value: string): void;
  /** Types that a file is sourced, which exports these variables. */
  source(file: string, variables: Readonly<Record<string, string>>): void;
}

export interface ShellOptions extends Place {
  readonly narrator: Narrator;
  /** All that commands see of the environment. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Opens a shell for somebody in a folder. */
export function openShell(options: ShellOptions): Shell {
  const { narrator, folder } = options;
  const variables: Record<string, string> = { ...options.environment };
  const conclude = (line: string, said: Said, code: number): string => {
    narrator.said(said.output);
    insist(said.code === code, `\`${line}\` exited with ${said.code}; ${code} was expected.`);
    return said.output;
  };
  return {
    run: async (line, code = 0) => {
      narrator.typed(options, line);
      return conclude(line, await execute(line, folder, variables), code);
    },
    runUntil: async (line, isTold) => {
      narrator.typed(options, line);
      const patience = Date.now() + 15_000;
      let said = await execute(line, folder, variables);
      while (said.code === 0 && !isTold(said.output) && Date.now() < patience) {
        await pause(100);
        said = await execute(line, folder, variables);
      }
      return conclude(line, said, 0);
    },
    assign: (name, value) => {
      narrator.typed(options, `${name}=${shellWord(value)}`);
      variables[name] = value;
    },
    export: (name, value) => {
      narrator.typed(options, `export ${name}=${shellWord(value)}`);
      variables[name] = value;
    },
    source: (file, sourced) => {
      narrator.typed(options, `source ${shellWord(file)}`);
      Object.assign(variables, sourced);
    },
  };
}

interface Said {
  readonly code: number;
  /** Both streams in the order in which they were written. */
  readonly output: string;
}

const longestMs = 120_000;

function execute(line: string, cwd: string, env: Readonly<Record<string, string>>): Promise<Said> {
  return new Promise((resolve, reject) => {
    // The shell becomes the command, so that it ends with us; a Ctrl-C at the terminal is for us to handle.
    const child = spawn("setpriv", ["--pdeathsig", "KILL", "bash", "-c", `exec 2>&1; exec ${line}`], {
      cwd,
      env,
      stdio: ["ignore", "pipe", "inherit"],
      detached: true,
      timeout: longestMs,
      killSignal: "SIGKILL",
    });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.once("error", reject);
    child.once("close", (code) => resolve({ code: code ?? -1, output }));
  });
}
