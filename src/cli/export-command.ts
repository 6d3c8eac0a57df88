import type { Command } from "commander";
import { stringify } from "yaml";
import { type ExitCode, exitCode, UsageError } from "./exit-code.ts";
import { type Holdings, listGuns, listGunsOf, listTeams, readHoldings } from "./holdings.ts";
import { manifestOf } from "./manifest-of.ts";
import type { Perform, Session } from "./session.ts";

interface ExportFlags {
  readonly prefix: string;
  readonly team: string;
  readonly gun: string;
}

/** Adds `export` to the command. */
export function addExportCommand(program: Command, perform: Perform): void {
  const command = program
    .command("export")
    .description("print what the service holds as a file that `apply` takes; without an option, all of it")
    .option("--prefix <prefix>", "the repositories whose names begin so, and the teams that may sign them", "")
    .option("--team <team>", "a team, and the repositories that it may sign", "")
    .option("--gun <gun>", "a repository, and the teams that may sign it", "");
  command.action(() => perform(command, (session) => exportFile(session, command.opts<ExportFlags>())));
}

async function exportFile(session: Session, flags: ExportFlags): Promise<ExitCode> {
  if (Object.values(flags).filter((flag) => flag !== "").length > 1) {
    throw new UsageError("Give one of --prefix, --team and --gun, or none.");
  }
  const file = manifestOf(await readScope(session, flags));
  const { terminal, settings } = session;
  terminal.out(
    settings.json ? `${JSON.stringify(file, null, 2)}\n` : stringify(file, { lineWidth: 0, schema: "core" }),
  );
  return exitCode.live;
}

/** The repositories asked for, the teams that may sign them, and these teams' members. */
async function readScope(session: Session, { prefix, team, gun }: ExportFlags): Promise<Holdings> {
  const guns = gun !== "" ? [gun] : team !== "" ? await listGunsOf(session, team) : await listGuns(session, prefix);
  const { trusts } = await readHoldings(session, { teams: [], members: [], guns });
  const signing = [...trusts.values()].flatMap(({ desiredDelegations }) => desiredDelegations.map((one) => one.team));
  const isWhole = prefix === "" && team === "" && gun === "";
  const asked = team !== "" ? [team] : isWhole ? await listTeams(session) : signing;
  const { teams } = await readHoldings(session, { teams: new Set(asked), members: [], guns: [] });
  const joined = [...teams.values()].flatMap(({ members }) => members.map(({ id }) => id));
  const { members } = await readHoldings(session, { teams: [], members: new Set(joined), guns: [] });
  return { teams, members, trusts };
}
