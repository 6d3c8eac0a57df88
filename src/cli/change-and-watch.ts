import type { Command } from "commander";
import type { Outcome } from "../../gen/imagetrust/v1/change.ts";
import { type Change, decideAndShow } from "./change.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { watchDeadlineOf } from "./rollout-commands.ts";
import { watchRollout } from "./rollout-watch.ts";
import type { Session } from "./session.ts";

/** Makes a change that has a rollout and, unless told not to wait, follows that. */
export async function changeAndWatch<Request, Response extends { readonly outcome: Outcome | undefined }>(
  session: Session,
  command: Command,
  asked: Change<Request, Response>,
): Promise<ExitCode> {
  const unwaited = { ...session, settings: { ...session.settings, wait: false } };
  const { response, code } = await decideAndShow(unwaited, command, asked);
  const rollout = response.outcome?.rollout;
  if (rollout === undefined || !session.settings.wait || session.settings.validateOnly) return code;
  if (code === exitCode.live) return code;
  return await watchRollout(session, rollout.id, watchDeadlineOf(session, command));
}
