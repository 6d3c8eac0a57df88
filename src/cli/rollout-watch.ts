import { promises as timers } from "node:timers";
import { status } from "@grpc/grpc-js";
import type { Rollout } from "../../gen/imagetrust/v1/change.ts";
import { DelegationServiceService, type WatchRolloutResponse } from "../../gen/imagetrust/v1/delegation.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { jsonOf } from "./json.ts";
import { publicationsText } from "./outcome-text.ts";
import { Refusal } from "./refusal.ts";
import { createProgressLine } from "./rollout-progress.ts";
import type { Session } from "./session.ts";
import { printable, type Terminal } from "./terminal.ts";

/** One stream is watched for so long at most; then the next begins where it ended. */
const streamMs = 240_000;
const pauseMs = 1_000;
/** Without a terminal a line is printed this often at most, and at the end. */
const lineEveryMs = 5_000;

/**
 * Shows a rollout until nothing of it is pending, or until `deadline`. Ctrl-C leaves it, and it goes on without us. A service that
 * shuts down or cannot be reached is asked again.
 */
export async function watchRollout(session: Session, id: string, deadline: number): Promise<ExitCode> {
  const { terminal } = session;
  const left = new AbortController();
  const forget = terminal.onInterrupt(() => left.abort());
  const screen = screenOf(session);
  let newest: WatchRolloutResponse | undefined;
  try {
    while (!left.signal.aborted && Date.now() < deadline && !isDone(newest?.rollout)) {
      for await (const message of messages(session, id, deadline, left.signal)) {
        newest = message;
        screen.show(message);
      }
      if (!isDone(newest?.rollout)) await pause(deadline, left.signal);
    }
  } finally {
    forget();
    screen.end(newest);
  }
  const { rollout } = newest ?? {};
  if (isDone(rollout)) return exitCodeOf(rollout);
  const why = left.signal.aborted ? "Left" : "Time is up";
  terminal.err(`${why}; the rollout goes on. Watch it again: imagetrust rollout watch ${printable(id)}\n`);
  return exitCode.pending;
}

/** The messages of one stream; it ends early where the service cannot be reached, and the next one tells the same. */
async function* messages(
  session: Session,
  id: string,
  deadline: number,
  signal: AbortSignal,
): AsyncGenerator<WatchRolloutResponse> {
  const until = Math.min(deadline, Date.now() + streamMs);
  try {
    yield* session.api.stream(DelegationServiceService.watchRollout, { id }, until, signal);
  } catch (error) {
    if (signal.aborted) return;
    const passes = error instanceof Refusal && [status.UNAVAILABLE, status.DEADLINE_EXCEEDED].includes(error.code);
    if (!passes || Date.now() >= deadline - pauseMs) throw error;
  }
}

function isDone(rollout: Rollout | undefined): rollout is Rollout {
  return rollout !== undefined && rollout.pending === 0;
}

/** Live everywhere, or undone by a later change. */
export function exitCodeOf({ pending, blocked, cancelled, refused }: Rollout): ExitCode {
  return pending + blocked + cancelled + refused === 0 ? exitCode.live : exitCode.pending;
}

async function pause(deadline: number, signal: AbortSignal): Promise<void> {
  const ms = Math.max(0, Math.min(pauseMs, deadline - Date.now()));
  await timers.setTimeout(ms, undefined, { signal }).catch(() => undefined);
}

interface Screen {
  show(message: WatchRolloutResponse): void;
  /** Ends with the last line, and the collections that need somebody. */
  end(newest: WatchRolloutResponse | undefined): void;
}

/** One line that is drawn anew on a terminal, lines elsewhere, or JSON documents one after the other. */
function screenOf({ terminal, settings }: Session): Screen {
  if (settings.json) return { show: (message) => terminal.out(jsonOf(message)), end: () => undefined };
  const progress = createProgressLine();
  return terminal.isTerminal ? drawn(terminal, progress) : printed(terminal, progress);
}

type Line = ReturnType<typeof createProgressLine>;

const lineStart = "\r\u001b[K";

function drawn(terminal: Terminal, progress: Line): Screen {
  return {
    show: ({ rollout }) => {
      if (rollout !== undefined) terminal.out(lineStart + progress.next(rollout, Date.now()));
    },
    end: (newest) => {
      if (newest !== undefined) terminal.out(`\n${publicationsText(newest.failures)}`);
    },
  };
}

function printed(terminal: Terminal, progress: Line): Screen {
  let printedAt = Number.NEGATIVE_INFINITY;
  let last = "";
  let unprinted = "";
  return {
    show: ({ rollout }) => {
      if (rollout === undefined) return;
      last = `${progress.next(rollout, Date.now())}\n`;
      unprinted = last;
      if (Date.now() - printedAt < lineEveryMs) return;
      printedAt = Date.now();
      unprinted = "";
      terminal.out(last);
    },
    end: (newest) => terminal.out(unprinted + publicationsText(newest?.failures ?? [])),
  };
}
