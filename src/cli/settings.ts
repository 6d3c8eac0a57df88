import { type Command, InvalidArgumentError, Option } from "commander";
import { UsageError } from "./exit-code.ts";

/** What every command knows: where the service is, who calls, and how. */
export interface Settings {
  readonly address: string;
  /** PEM files; `ca` undefined: the system's authorities. */
  readonly ca: string | undefined;
  readonly cert: string;
  readonly key: string;
  readonly json: boolean;
  /** Whether to wait until a change is live. */
  readonly wait: boolean;
  /** Seconds. */
  readonly timeout: number;
  readonly reason: string;
  /** Empty: a fresh one for each change. */
  readonly requestId: string;
  readonly validateOnly: boolean;
}

/** Adds the options that every command takes. */
export function addSettings(program: Command): Command {
  return program
    .addOption(new Option("--address <host:port>", "the service").env("IMAGETRUST_ADDRESS").default("localhost:8443"))
    .addOption(new Option("--ca <file>", "authority of the service's certificate, PEM").env("IMAGETRUST_CA"))
    .addOption(new Option("--cert <file>", "your client certificate, PEM").env("IMAGETRUST_CERT"))
    .addOption(
      new Option("--key <file>", "its private key, PEM; it proves who you are and is never sent").env("IMAGETRUST_KEY"),
    )
    .option("--json", "print the service's answer as JSON", false)
    .option("--no-wait", "do not wait until a change is live on Notary")
    .option("--timeout <seconds>", "how long to wait and to try again", parseSeconds, 30)
    .option("--reason <text>", "why, for the audit log", "")
    .option("--request-id <id>", "names the change, so that repeating the command cannot make it twice", "")
    .option("--validate-only", "show what a change would do, and change nothing", false);
}

/** Reads them from the command that was given. Throws UsageError naming all that is missing. */
export function settingsOf(command: Command): Settings {
  const settings = command.optsWithGlobals<Settings>();
  const missing = [
    ...((settings.cert ?? "") === "" ? ["--cert (or IMAGETRUST_CERT)"] : []),
    ...((settings.key ?? "") === "" ? ["--key (or IMAGETRUST_KEY)"] : []),
  ];
  if (missing.length > 0) {
    throw new UsageError(`The service knows its callers by client certificate; give ${missing.join(" and ")}.`);
  }
  return settings;
}

function parseSeconds(text: string): number {
  const seconds = Number(text);
  if (text.trim() === "" || !(seconds > 0 && seconds <= 86_400)) {
    throw new InvalidArgumentError("Give seconds, more than 0 and at most 86400.");
  }
  return seconds;
}
