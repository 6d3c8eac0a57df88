import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { DelegationServiceService } from "../../gen/imagetrust/v1/delegation.ts";
import { addChangeFlags } from "./change.ts";
import { changeAndWatch } from "./change-and-watch.ts";
import { type ExitCode, UsageError } from "./exit-code.ts";
import { collect, collectLabel } from "./option-values.ts";
import type { Perform, Session } from "./session.ts";

interface BatchFlags {
  readonly prefix: string;
  readonly label: Readonly<Record<string, string>>;
  readonly teamOf: string;
  readonly file?: string;
  readonly path: readonly string[];
  readonly excludeFromReleases: boolean;
}

/** Adds `delegate-batch` to the command. */
export function addBatchCommand(program: Command, perform: Perform): void {
  const batch = program
    .command("delegate-batch <team> [guns...]")
    .description("let a team sign many repositories, as one rollout: those named, or those selected")
    .option("--file <file>", "name the repositories in a file, one a line")
    .option("--prefix <prefix>", "select repositories whose names begin so, such as dtr.example.org/dev/", "")
    .option("--label <name=value>", "select repositories with this label (repeatable)", collectLabel, {})
    .option("--team-of <team>", "select repositories that this team may sign already", "")
    .option("--path <prefix>", "tag prefix the team may sign (repeatable; default: all)", collect, [])
    .option("--exclude-from-releases", "keep the team out of targets/releases", false);
  addChangeFlags(batch, ["orphaned", "revived"]).action((team: string, guns: readonly string[]) =>
    perform(batch, (session) => delegateBatch(session, batch, team, guns)),
  );
}

/** Makes the batch and, unless told not to wait, follows its rollout. */
async function delegateBatch(
  session: Session,
  command: Command,
  team: string,
  guns: readonly string[],
): Promise<ExitCode> {
  const { file, prefix, label, teamOf, path, excludeFromReleases } = command.opts<BatchFlags>();
  const named = file === undefined ? guns : [...guns, ...linesOf(file)];
  const isSelection = prefix !== "" || teamOf !== "" || Object.keys(label).length > 0;
  if (isSelection === named.length > 0) {
    throw new UsageError("Give repositories (or --file), or select them by --prefix, --label or --team-of.");
  }
  return await changeAndWatch(session, command, {
    method: DelegationServiceService.batchDelegate,
    request: (options) => ({
      team,
      guns: named,
      selection: isSelection ? { gunPrefix: prefix, labels: label, team: teamOf } : undefined,
      paths: path,
      excludeFromReleases,
      options,
    }),
    made: () => "",
    publishes: true,
  });
}

function linesOf(file: string): readonly string[] {
  try {
    const lines = readFileSync(file, "utf8").split("\n");
    return lines.map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("#"));
  } catch (error) {
    throw new UsageError(`--file: cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
}
