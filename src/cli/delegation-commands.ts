import type { Command } from "commander";
import { PublicationState } from "../../gen/imagetrust/v1/change.ts";
import { DelegationServiceService, type GetRolloutResponse } from "../../gen/imagetrust/v1/delegation.ts";
import { addChangeFlags, change } from "./change.ts";
import { delegationsText, delegationText } from "./delegation-text.ts";
import { addPageFlags, list } from "./lists.ts";
import { collect, collectEnum } from "./option-values.ts";
import { publicationsText } from "./outcome-text.ts";
import { rolloutText } from "./rollout-text.ts";
import { type Perform, show } from "./session.ts";
import { moreText } from "./words.ts";

/** Adds `delegate`, `undelegate`, `delegation` and `rollout` to the command. */
export function addDelegationCommands(program: Command, perform: Perform): void {
  addChanges(program, perform);
  addReads(program.command("delegation").description("which teams may sign which repositories"), perform);
  addRollout(program.command("rollout").description("changes that touch many repositories"), perform);
}

function addChanges(program: Command, perform: Perform): void {
  const delegate = program
    .command("delegate <gun> <team>")
    .description("let a team sign a repository")
    .option("--path <prefix>", "tag prefix the team may sign (repeatable; default: all)", collect, [])
    .option("--exclude-from-releases", "keep the team out of targets/releases", false);
  addChangeFlags(delegate).action((gun: string, team: string) =>
    perform(delegate, (session) => {
      const flags = delegate.opts<{ path: readonly string[]; excludeFromReleases: boolean }>();
      return change(
        session,
        delegate,
        DelegationServiceService.delegate,
        (options) => ({ gun, team, paths: flags.path, excludeFromReleases: flags.excludeFromReleases, options }),
        () => "",
      );
    }),
  );

  const undelegate = program.command("undelegate <gun> <team>").description("end a team's right to sign a repository");
  addChangeFlags(undelegate).action((gun: string, team: string) =>
    perform(undelegate, (session) =>
      change(
        session,
        undelegate,
        DelegationServiceService.undelegate,
        (options) => ({ gun, team, options }),
        () => "",
      ),
    ),
  );
}

function addReads(delegation: Command, perform: Perform): void {
  const get = delegation.command("get <gun> <team>").description("show a delegation");
  get.action((gun: string, team: string) =>
    perform(get, async (session) => {
      const response = await session.api.call(DelegationServiceService.getDelegation, { gun, team }, session.deadline);
      show(session, response, ({ delegation }) => (delegation === undefined ? "" : delegationText(delegation)));
      return 0;
    }),
  );

  const several = delegation
    .command("list")
    .description("list the delegations of a repository or of a team")
    .option("--gun <gun>", "only those of this repository", "")
    .option("--team <team>", "only those of this team", "");
  addPageFlags(several).action(() =>
    perform(several, (session) =>
      list(
        session,
        several,
        DelegationServiceService.listDelegations,
        (page) => ({ ...page, ...several.opts<{ gun: string; team: string }>() }),
        "delegations",
        ({ delegations, nextPageToken }) =>
          delegations.length === 0 ? "No delegations.\n" : delegationsText(delegations) + moreText(nextPageToken),
      ),
    ),
  );
}

function addRollout(rollout: Command, perform: Perform): void {
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
        ({ rollout, publications, nextPageToken }: GetRolloutResponse) =>
          (rollout === undefined ? "" : `${rolloutText(rollout)}\n`) +
          publicationsText(publications) +
          moreText(nextPageToken),
      ),
    ),
  );
}
