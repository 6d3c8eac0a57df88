import type { Command } from "commander";
import { PublicationState } from "../../gen/imagetrust/v1/change.ts";
import { DelegationServiceService, type GetRolloutResponse } from "../../gen/imagetrust/v1/delegation.ts";
import { askUntil } from "./ask-until.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { addPageFlags, list } from "./lists.ts";
import { collectEnum } from "./option-values.ts";
import { publicationsText } from "./outcome-text.ts";
import { rolloutText } from "./rollout-text.ts";
import { type Perform, type Session, show } from "./session.ts";
import { moreText } from "./words.ts";

/** Adds `rollout` to the command. */
export function addRolloutCommands(program: Command, perform: Perform): void {
  const rollout = program.command("rollout").description("changes that touch many repositories");
  addGet(rollout, perform);
  const wait = rollout
    .command("wait <id>")
    .description("wait until a rollout is live; exit code 3 if what is left is blocked, or not live by --timeout");
  wait.action((id: string) => perform(wait, (session) => awaitRollout(session, id)));
}

function addGet(rollout: Command, perform: Perform): void {
  const get = rollout
    .command("get <id>")
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
  const states = [PublicationState.PENDING, PublicationState.BLOCKED];
  const request = { id, pageSize: 50, pageToken: "", states };
  const answer = await askUntil(
    session,
    () => session.api.call(DelegationServiceService.getRollout, request, session.deadline),
    ({ rollout }) => rollout?.pending === 0,
  );
  show(session, answer, progressText);
  const { rollout } = answer;
  const isLive = rollout !== undefined && rollout.pending + rollout.blocked + rollout.cancelled === 0;
  return isLive ? exitCode.live : exitCode.pending;
}

function progressText({ rollout, publications }: GetRolloutResponse): string {
  const parts = [rollout === undefined ? "" : rolloutText(rollout), publicationsText(publications)];
  return parts.filter((part) => part !== "").join("\n");
}
