import type { Command } from "commander";
import { DelegationServiceService } from "../../gen/imagetrust/v1/delegation.ts";
import { addChangeFlags, change } from "./change.ts";
import { delegationsText, delegationText } from "./delegation-text.ts";
import { addPageFlags, list } from "./lists.ts";
import { collect } from "./option-values.ts";
import { type Perform, show } from "./session.ts";
import { moreText } from "./words.ts";

/** Adds `delegate`, `undelegate` and `delegation` to the command. */
export function addDelegationCommands(program: Command, perform: Perform): void {
  addChanges(program, perform);
  addReads(program.command("delegation").description("which teams may sign which repositories"), perform);
}

function addChanges(program: Command, perform: Perform): void {
  const delegate = program
    .command("delegate <gun> <team>")
    .description("let a team sign a repository")
    .option("--path <prefix>", "tag prefix the team may sign (repeatable; default: all)", collect, [])
    .option("--exclude-from-releases", "keep the team out of targets/releases", false);
  addChangeFlags(delegate, ["etag", "orphaned", "revived"]).action((gun: string, team: string) =>
    perform(delegate, (session) => {
      const flags = delegate.opts<{ path: readonly string[]; excludeFromReleases: boolean }>();
      return change(session, delegate, {
        method: DelegationServiceService.delegate,
        request: (options) => ({
          gun,
          team,
          paths: flags.path,
          excludeFromReleases: flags.excludeFromReleases,
          options,
        }),
        made: () => "",
        publishes: true,
      });
    }),
  );

  const undelegate = program.command("undelegate <gun> <team>").description("end a team's right to sign a repository");
  addChangeFlags(undelegate, ["etag", "orphaned"]).action((gun: string, team: string) =>
    perform(undelegate, (session) =>
      change(session, undelegate, {
        method: DelegationServiceService.undelegate,
        request: (options) => ({ gun, team, options }),
        made: () => "",
        publishes: true,
      }),
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
