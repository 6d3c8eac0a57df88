import type { Command } from "commander";
import type { Api } from "./api.ts";
import type { ExitCode } from "./exit-code.ts";
import { jsonOf } from "./json.ts";
import type { Settings } from "./settings.ts";
import type { Terminal } from "./terminal.ts";

/** One run of one command. */
export interface Session {
  readonly api: Api;
  readonly settings: Settings;
  readonly terminal: Terminal;
  /** Unix milliseconds: when --timeout is over. */
  readonly deadline: number;
}

/** Runs one command's work in a session of its own. */
export type Perform = (command: Command, act: (session: Session) => Promise<ExitCode>) => Promise<void>;

/** Prints an answer: as JSON where that is wanted, else as `human` words it. */
export function show<Response>(session: Session, response: Response, human: (response: Response) => string): void {
  session.terminal.out(session.settings.json ? jsonOf(response) : human(response));
}
