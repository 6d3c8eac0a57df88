import { randomUUID } from "node:crypto";
import { promises as timers } from "node:timers";
import { status } from "@grpc/grpc-js";
import type { Command } from "commander";
import { type ChangeOptions, type Outcome, PublicationState } from "../../gen/imagetrust/v1/change.ts";
import type { Method } from "./api.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { outcomeText } from "./outcome-text.ts";
import { Refusal } from "./refusal.ts";
import { type Session, show } from "./session.ts";
import { printable } from "./terminal.ts";

/** The options that only changes take, as commander names them. */
interface ChangeFlags {
  readonly planEtag: string;
  readonly etag?: string;
  readonly acceptOrphaned?: boolean;
  readonly acceptRevived?: boolean;
  readonly acceptWithoutSigner?: boolean;
}

/** What only some changes can meet: the option that says so, and its explanation. */
const someFlags = {
  etag: ["--etag <etag>", "refuse unless this is still the etag of what is changed"],
  orphaned: ["--accept-orphaned", "allow that visible tags lose their only valid signature"],
  revived: ["--accept-revived", "allow that old signatures become valid again"],
  withoutSigner: ["--accept-without-signer", "allow that a delegated team has no key left"],
} as const;

/** Adds the options of a change to a command: those that every change takes, and which of the others matter to it. */
export function addChangeFlags(command: Command, some: readonly (keyof typeof someFlags)[]): Command {
  command.option("--plan-etag <etag>", "refuse unless the plan is still the one that --validate-only showed", "");
  for (const name of some) {
    const [flags, description] = someFlags[name];
    command.option(flags, description);
  }
  return command;
}

/** One change, as a command makes it. */
export interface Change<Request, Response> {
  readonly method: Method<Request, Response>;
  readonly request: (options: ChangeOptions) => Request;
  /** Words what was made, before the outcome. */
  readonly made: (response: Response) => string;
  /** Whether making it always means publishing something. */
  readonly publishes: boolean;
}

/**
 * Makes one change and prints its answer.
 * One request id serves all attempts: UNAVAILABLE is tried again, and a change that is accepted and pending is asked for
 * again, until --timeout is over; neither can make the change twice.
 */
export async function change<Request, Response extends { readonly outcome: Outcome | undefined }>(
  session: Session,
  command: Command,
  asked: Change<Request, Response>,
): Promise<ExitCode> {
  return (await decideAndShow(session, command, asked)).code;
}

/** As `change`, and answers what was told. */
export async function decideAndShow<Request, Response extends { readonly outcome: Outcome | undefined }>(
  session: Session,
  command: Command,
  { method, request, made, publishes }: Change<Request, Response>,
): Promise<{ readonly response: Response; readonly code: ExitCode }> {
  const options = changeOptionsOf(session, command);
  const decided = await decide(session, method, request(options), options.requestId);
  const settled = await settle(session, method, request(options), decided);
  const { outcome } = settled;
  show(session, settled, (response) => {
    const opening = options.validateOnly ? "" : made(response);
    return opening + (outcome === undefined ? "" : outcomeText(session.terminal, outcome, publishes));
  });
  const code = outcome === undefined || options.validateOnly ? exitCode.live : exitCodeOf(outcome.state);
  return { response: settled, code };
}

/** What the command line says on how a change is to be made. */
export function changeOptionsOf({ settings }: Session, command: Command): ChangeOptions {
  const flags = command.opts<ChangeFlags>();
  return {
    requestId: settings.requestId === "" ? randomUUID() : settings.requestId,
    validateOnly: settings.validateOnly,
    reason: settings.reason,
    noWait: !settings.wait,
    etag: flags.etag ?? "",
    planEtag: flags.planEtag,
    acceptOrphaned: flags.acceptOrphaned ?? false,
    acceptRevived: flags.acceptRevived ?? false,
    acceptWithoutSigner: flags.acceptWithoutSigner ?? false,
  };
}

/** Makes one call, and makes it again while the service is UNAVAILABLE, until `session.deadline`. */
export async function decide<Request, Response>(
  session: Session,
  method: Method<Request, Response>,
  request: Request,
  requestId: string,
): Promise<Response> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await session.api.call(method, request, session.deadline);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const waitMs = pauseMs(attempt);
      if (error.code !== status.UNAVAILABLE || Date.now() + waitMs >= session.deadline) {
        throw withRemedy(error, requestId);
      }
      if (attempt === 0)
        session.terminal.err(`${printable(error.message)}\nTrying again with request id ${requestId}.\n`);
      await timers.setTimeout(waitMs);
    }
  }
}

/** Asks for the same change again while it is pending, and keeps the plan that decided it. */
async function settle<Request, Response extends { readonly outcome: Outcome | undefined }>(
  session: Session,
  method: Method<Request, Response>,
  request: Request,
  decided: Response,
): Promise<Response> {
  let newest = decided;
  for (let attempt = 0; isWorthWaiting(session, newest.outcome); attempt++) {
    const waitMs = pauseMs(attempt);
    if (Date.now() + waitMs + leastMs >= session.deadline) break;
    await timers.setTimeout(waitMs);
    try {
      newest = await session.api.call(method, request, session.deadline);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.code !== status.UNAVAILABLE) break;
    }
  }
  if (newest === decided || newest.outcome === undefined || decided.outcome === undefined) return newest;
  const { plan, planEtag, requestReplayed } = decided.outcome;
  return { ...newest, outcome: { ...newest.outcome, plan, planEtag, requestReplayed } };
}

function isWorthWaiting({ settings }: Session, outcome: Outcome | undefined): boolean {
  return settings.wait && !settings.validateOnly && outcome?.state === PublicationState.PENDING;
}

/** The service refuses changes with less time left than this. */
const leastMs = 300;

function pauseMs(attempt: number): number {
  return Math.min(100 * 2 ** attempt, 2_000) * (0.75 + Math.random() / 2);
}

/** A change without an answer may have been made: the error says how to find out. */
function withRemedy(refusal: Refusal, requestId: string): Refusal {
  const unanswered = refusal.code === status.UNAVAILABLE || refusal.code === status.DEADLINE_EXCEEDED;
  if (unanswered) refusal.message = `${refusal.message} (Repeat the command with --request-id ${requestId}.)`;
  return refusal;
}

const live: readonly PublicationState[] = [
  PublicationState.PUBLISHED,
  PublicationState.UNCHANGED,
  PublicationState.UNSPECIFIED,
];

function exitCodeOf(state: PublicationState): ExitCode {
  return live.includes(state) ? exitCode.live : exitCode.pending;
}
