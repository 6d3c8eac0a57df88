import { promises as timers } from "node:timers";
import { status } from "@grpc/grpc-js";
import { type Command, InvalidArgumentError } from "commander";
import { SignatureServiceService, type WatchTrustResponse } from "../../gen/imagetrust/v1/signature.ts";
import { exitCode } from "./exit-code.ts";
import { jsonLineOf } from "./json.ts";
import { Refusal } from "./refusal.ts";
import type { Perform, Session } from "./session.ts";
import { eventText } from "./signature-text.ts";

interface WatchFlags {
  readonly gun: string;
  readonly from: string;
  readonly for?: number;
}

const betweenStreamsMs = 500;
/** The command is ended by its time or by a signal to the process. */
const never = new AbortController().signal;

/** Adds `watch` to the command. */
export function addWatch(program: Command, perform: Perform): void {
  const watch = program
    .command("watch")
    .description("print what happens to the trust of repositories, as it happens")
    .option("--gun <gun>", "only of this repository", "")
    .option("--from <cursor>", "what came after this cursor, 0 for all; default: from now on", parseCursor, "")
    .option("--for <seconds>", "end after so long; default: when interrupted", parseDuration);
  watch.action(() =>
    perform(watch, async (session) => {
      await follow(session, watch.opts<WatchFlags>());
      return exitCode.live;
    }),
  );
}

/** Asks again where the last stream ended: the service ends each after some minutes, and when it stops. */
async function follow(session: Session, flags: WatchFlags): Promise<void> {
  const until = flags.for === undefined ? Number.POSITIVE_INFINITY : Date.now() + flags.for * 1_000;
  let cursor = flags.from;
  let isHeard = false;
  for (;;) {
    try {
      const request = { gun: flags.gun, cursor };
      for await (const message of session.api.stream(SignatureServiceService.watchTrust, request, until, never)) {
        print(session, message);
        cursor = message.cursor;
        isHeard = true;
      }
    } catch (error) {
      if (!isHeard || !(error instanceof Refusal) || !passing.includes(error.code)) throw error;
    }
    if (Date.now() + betweenStreamsMs >= until) break;
    await timers.setTimeout(betweenStreamsMs);
  }
  session.terminal.err(`Go on with --from ${cursor === "" ? "0" : cursor}.\n`);
}

const passing: readonly status[] = [status.UNAVAILABLE, status.DEADLINE_EXCEEDED, status.CANCELLED];

function print({ terminal, settings }: Session, message: WatchTrustResponse): void {
  if (message.event === undefined) return;
  terminal.out(settings.json ? jsonLineOf(message) : eventText(message.event));
}

function parseCursor(text: string): string {
  if (/^[0-9]{1,18}$/.test(text)) return text;
  throw new InvalidArgumentError("Give the cursor of an earlier watch, or 0.");
}

function parseDuration(text: string): number {
  const seconds = Number(text);
  if (text.trim() !== "" && seconds > 0) return seconds;
  throw new InvalidArgumentError("Give seconds, more than 0.");
}
