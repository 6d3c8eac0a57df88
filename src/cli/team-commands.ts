import { type Command, Option } from "commander";
import { MemberKind, type RevocationReason, TeamServiceService } from "../../gen/imagetrust/v1/team.ts";
import { becauseOption } from "./certificate-commands.ts";
import { addChangeFlags, change } from "./change.ts";
import { addPageFlags, list } from "./lists.ts";
import { collectLabel } from "./option-values.ts";
import { type Perform, show } from "./session.ts";
import { membersText, memberText, teamsText, teamText } from "./team-text.ts";

/** Adds `team` and all of `member` but its setup to the command. */
export function addTeamCommands(program: Command, perform: Perform): { readonly member: Command } {
  const team = program.command("team").description("people and robots who sign together");
  addTeamChanges(team, perform);
  addTeamReads(team, perform);
  const member = program.command("member").description("people and robots, and the teams they belong to");
  addMemberChanges(member, perform);
  addMemberReads(member, perform);
  return { member };
}

function addTeamChanges(team: Command, perform: Perform): void {
  const create = team
    .command("create <team>")
    .description("make a team; its id is for ever")
    .option("--display-name <name>", "a name for people", "")
    .option("--label <name=value>", "a label (repeatable)", collectLabel, {})
    .option("--require-proof", "take only keys whose possession was proved; else as the service is configured", false);
  addChangeFlags(create, ["etag"]).action((id: string) =>
    perform(create, (session) => {
      const flags = create.opts<{
        displayName: string;
        label: Readonly<Record<string, string>>;
        requireProof: boolean;
      }>();
      return change(session, create, {
        method: TeamServiceService.createTeam,
        request: (options) => ({
          team: id,
          displayName: flags.displayName,
          labels: flags.label,
          requiresPossessionProof: flags.requireProof,
          options,
        }),
        made: () => "",
        publishes: false,
      });
    }),
  );

  addUpdate(team, perform);

  const remove = team.command("delete <team>").description("delete a team that nothing is delegated to");
  addChangeFlags(remove, ["etag"]).action((id: string) =>
    perform(remove, (session) =>
      change(session, remove, {
        method: TeamServiceService.deleteTeam,
        request: (options) => ({ team: id, options }),
        made: () => "",
        publishes: false,
      }),
    ),
  );
}

function addUpdate(team: Command, perform: Perform): void {
  const update = team
    .command("update <team>")
    .description("change a team's name, labels or rule on proofs of possession; the rest stays")
    .option("--display-name <name>", "the new name; an empty one takes it away")
    .option("--label <name=value>", "all labels it is to have (repeatable)", collectLabel)
    .option("--no-labels", "take all labels away")
    .option("--require-proof", "from now on take only keys whose possession was proved")
    .addOption(new Option("--take-unproven", "from now on take any key").conflicts("requireProof"));
  addChangeFlags(update, ["etag"]).action((id: string) =>
    perform(update, (session) => {
      const flags = update.opts<UpdateFlags>();
      const labels = flags.labels === false ? {} : flags.label;
      const isRuled = flags.requireProof === true || flags.takeUnproven === true;
      return change(session, update, {
        method: TeamServiceService.updateTeam,
        request: (options) => ({
          team: id,
          displayName: flags.displayName ?? "",
          labels: labels ?? {},
          requiresPossessionProof: flags.requireProof ?? false,
          updateMask: [
            ...(flags.displayName === undefined ? [] : ["display_name"]),
            ...(labels === undefined ? [] : ["labels"]),
            ...(isRuled ? ["requires_possession_proof"] : []),
          ],
          options,
        }),
        made: () => "",
        publishes: false,
      });
    }),
  );
}

interface UpdateFlags {
  readonly displayName?: string;
  readonly label?: Readonly<Record<string, string>>;
  readonly labels: boolean;
  readonly requireProof?: boolean;
  readonly takeUnproven?: boolean;
}

function addTeamReads(team: Command, perform: Perform): void {
  const get = team.command("get <team>").description("show a team");
  get.action((id: string) =>
    perform(get, async (session) => {
      const response = await session.api.call(TeamServiceService.getTeam, { team: id }, session.deadline);
      show(session, response, (answer) => (answer.team === undefined ? "" : teamText(answer.team)));
      return 0;
    }),
  );

  const several = team
    .command("list")
    .description("list teams")
    .option("--member <member>", "only this member's teams", "");
  addPageFlags(several).action(() =>
    perform(several, (session) =>
      list(
        session,
        several,
        TeamServiceService.listTeams,
        (page) => ({ ...page, member: several.opts<{ member: string }>().member }),
        "teams",
        ({ teams, nextPageToken }) => teamsText(teams, nextPageToken),
      ),
    ),
  );
}

function addMemberChanges(member: Command, perform: Perform): void {
  const add = member
    .command("add <team> <member>")
    .description("put a member into a team, making the member where none of that id exists")
    .option("--display-name <name>", "a name for people, for a new member", "")
    .option("--person", "the member is a human being, as a new one is by default")
    .addOption(new Option("--robot", "the member is a machine").conflicts("person"));
  addChangeFlags(add, ["etag", "revived"]).action((team: string, id: string) =>
    perform(add, (session) => {
      const flags = add.opts<{ displayName: string } & KindFlags>();
      const { displayName } = flags;
      return change(session, add, {
        method: TeamServiceService.addMember,
        request: (options) => ({ team, member: id, displayName, kind: kindOf(flags), options }),
        made: () => "",
        publishes: false,
      });
    }),
  );

  const remove = member.command("remove <team> <member>").description("take a member out of a team");
  addChangeFlags(remove, ["etag", "orphaned", "withoutSigner"]).action((team: string, id: string) =>
    perform(remove, (session) =>
      change(session, remove, {
        method: TeamServiceService.removeMember,
        request: (options) => ({ team, member: id, options }),
        made: () => "",
        publishes: false,
      }),
    ),
  );

  const revoke = member
    .command("revoke <member>")
    .description("take a member out of every team and revoke all of its keys, for ever")
    .addOption(becauseOption());
  addChangeFlags(revoke, ["etag", "orphaned", "withoutSigner"]).action((id: string) =>
    perform(revoke, (session) =>
      change(session, revoke, {
        method: TeamServiceService.revokeMember,
        request: (options) => ({
          member: id,
          revocationReason: revoke.opts<{ because: RevocationReason }>().because,
          options,
        }),
        made: () => "",
        publishes: false,
      }),
    ),
  );
}

interface KindFlags {
  readonly person?: boolean;
  readonly robot?: boolean;
}

/** Unspecified unless it is said, so that a member who exists joins another team as it is. */
function kindOf({ person, robot }: KindFlags): MemberKind {
  if (robot === true) return MemberKind.ROBOT;
  return person === true ? MemberKind.PERSON : MemberKind.UNSPECIFIED;
}

function addMemberReads(member: Command, perform: Perform): void {
  const get = member.command("get <member>").description("show a member");
  get.action((id: string) =>
    perform(get, async (session) => {
      const response = await session.api.call(TeamServiceService.getMember, { member: id }, session.deadline);
      show(session, response, (answer) => (answer.member === undefined ? "" : memberText(answer.member)));
      return 0;
    }),
  );

  const several = member
    .command("list")
    .description("list members")
    .option("--team <team>", "only this team's members", "");
  addPageFlags(several).action(() =>
    perform(several, (session) =>
      list(
        session,
        several,
        TeamServiceService.listMembers,
        (page) => ({ ...page, team: several.opts<{ team: string }>().team }),
        "members",
        ({ members, nextPageToken }) => membersText(members, nextPageToken),
      ),
    ),
  );
}
