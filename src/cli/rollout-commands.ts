import type { Command } from "commander";
import { PublicationState, RolloutKind } from "../../gen/imagetrust/v1/change.ts";
import { DelegationServiceService, type GetRolloutResponse } from "../../gen/imagetrust/v1/delegation.ts";
import { askUntil } from "./ask-until.ts";
import { addChangeFlags, change } from "./change.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { addPageFlags, list } from "./lists.ts";
import { collectEnum, parseEnum } from "./option-values.ts";
import { publicationsText } from "./outcome-text.ts";
import { rolloutsText, rolloutText } from "./rollout-text.ts";
import { exitCodeOf, watchRollout } from "./rollout-watch.ts";
import { type Perform, type Session, show } from "./session.ts";
import { moreText } from "./words.ts";

/** Adds `rollout` to the command. */
export function addRolloutCommands(program: Command, perform: Perform): void {
  const rollout = program.command("rollout").description("changes that touch many repositories");
  addList(rollout, perform);
  addGet(rollout, perform);
  const wait = rollout
    .command("wait <id>")
    .description("wait until a rollout is live; exit code 3 if what is left is blocked, or not live by --timeout");
  wait.action((id: string) => perform(wait, (session) => awaitRollout(session, id)));
  const watch = rollout
    .command("watch <id>")
    .description("follow a rollout with a progress bar until nothing is pending; leave it with Ctrl-C, it goes on");
  watch.action((id: string) => perform(watch, (session) => watchRollout(session, id, watchDeadlineOf(session, watch))));
  const cancel = rollout
    .command("cancel <id>")
    .description("stop a batch: what it has not begun is given up, what it has decided stays");
  addChangeFlags(cancel, []).action((id: string) =>
    perform(cancel, (session) =>
      change(session, cancel, {
        method: DelegationServiceService.cancelRollout,
        request: (options) => ({ id, options }),
        made: ({ rollout: stopped }) => (stopped === undefined ? "" : rolloutText(stopped)),
        publishes: false,
      }),
    ),
  );
}

/** Without a --timeout of its own a rollout is watched to its end. */
export function watchDeadlineOf(session: Session, command: Command): number {
  const isGiven = command.getOptionValueSourceWithGlobals("timeout") === "cli";
  return isGiven ? session.deadline : Number.POSITIVE_INFINITY;
}

function addList(rollout: Command, perform: Perform): void {
  const several = rollout
    .command("list")
    .description("list rollouts, the newest first")
    .option("--kind <kind>", "only those of this kind", (text) => parseEnum(RolloutKind, text), RolloutKind.UNSPECIFIED)
    .option("--actor <caller>", "only those that this caller set off", "")
    .option("--unfinished", "only those that have not finished", false);
  addPageFlags(several).action(() =>
    perform(several, (session) =>
      list(
        session,
        several,
        DelegationServiceService.listRollouts,
        (page) => ({ ...page, ...several.opts<{ kind: RolloutKind; actor: string; unfinished: boolean }>() }),
        "rollouts",
        ({ rollouts, nextPageToken }) =>
          rollouts.length === 0 ? "No rollouts.\n" : rolloutsText(rollouts) + moreText(nextPageToken),
      ),
    ),
  );
}

function addGet(rollout: Command, perform: Perform): void {
  const get = rollout
    .command("get <id>")
    .alias("show")
    .description("show how far a rollout has come, repository by repository")
    .option("--state <state>", "only repositories in this state (repeatable)", collectEnum(PublicationState), []);
  addPageFlags(get).action((id: string) =>
    perform(get, (session) =>
      list(
        session,
        get,
        DelegationServiceService.getRollout,
        (page) => ({ ...page, id, states: get.opts<{ state: readonly PublicationState[] }>().state }),
        "publications",
        (response: GetRolloutResponse) => progressText(response) + moreText(response.nextPageToken),
      ),
    ),
  );
}

/** Waits until a rollout has nothing pending; then, or when time is up, prints it with the first collections that are not live. */
async function awaitRollout(session: Session, id: string): Promise<ExitCode> {
  const states = [PublicationState.PENDING, PublicationState.BLOCKED, PublicationState.REFUSED];
  const request = { id, pageSize: 50, pageToken: "", states };
  const answer = await askUntil(
    session,
    () => session.api.call(DelegationServiceService.getRollout, request, session.deadline),
    ({ rollout }) => rollout?.pending === 0,
  );
  show(session, answer, progressText);
  return answer.rollout === undefined ? exitCode.pending : exitCodeOf(answer.rollout);
}

function progressText({ rollout, publications }: GetRolloutResponse): string {
  const parts = [rollout === undefined ? "" : rolloutText(rollout), publicationsText(publications)];
  return parts.filter((part) => part !== "").join("\n");
}
