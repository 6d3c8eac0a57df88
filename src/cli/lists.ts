import { type Command, InvalidArgumentError } from "commander";
import type { Method } from "./api.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { type Session, show } from "./session.ts";

interface PageFlags {
  readonly pageSize: number;
  readonly pageToken: string;
  readonly all: boolean;
}

/** Which page a list request asks for. */
export interface Page {
  readonly pageSize: number;
  readonly pageToken: string;
}

/** Adds the options of a list to a command. */
export function addPageFlags(command: Command): Command {
  return command
    .option("--page-size <number>", "at most so many, 1 to 1000", parsePageSize, 50)
    .option("--page-token <token>", "continue after the page that printed this token", "")
    .option("--all", "follow the pages to the end", false);
}

/** Prints one page, or with --all every page as one answer: the items of `field` joined. */
export async function list<Request, Response extends { readonly nextPageToken: string }>(
  session: Session,
  command: Command,
  method: Method<Request, Response>,
  request: (page: Page) => Request,
  field: keyof Response,
  human: (response: Response) => string,
): Promise<ExitCode> {
  const { pageSize, pageToken, all } = command.opts<PageFlags>();
  let answer = await session.api.call(method, request({ pageSize, pageToken }), session.deadline);
  const items: unknown[] = [...(answer[field] as readonly unknown[])];
  while (all && answer.nextPageToken !== "") {
    const next = request({ pageSize, pageToken: answer.nextPageToken });
    answer = await session.api.call(method, next, session.deadline);
    items.push(...(answer[field] as readonly unknown[]));
  }
  show(session, { ...answer, [field]: items }, human);
  return exitCode.live;
}

function parsePageSize(text: string): number {
  const size = Number(text);
  if (!Number.isInteger(size) || size < 1 || size > 1_000) {
    throw new InvalidArgumentError("Give a whole number from 1 to 1000.");
  }
  return size;
}
