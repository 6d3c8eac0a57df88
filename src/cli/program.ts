import { Command, CommanderError, Help } from "commander";
import { openApi, version } from "./api.ts";
import { addApplyCommand } from "./apply-command.ts";
import { addAuditCommands } from "./audit-commands.ts";
import { addAuthorityCommand } from "./authority-command.ts";
import { addBatchCommand } from "./batch-command.ts";
import { addCertificateCommands } from "./certificate-commands.ts";
import { addDelegationCommands } from "./delegation-commands.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { addExpiringCommand } from "./expiring-command.ts";
import { addExportCommand } from "./export-command.ts";
import { addMemberSetup } from "./member-setup-command.ts";
import { reportError } from "./refusal.ts";
import { addRolloutCommands } from "./rollout-commands.ts";
import { addRuleCommands } from "./rule-commands.ts";
import type { Perform } from "./session.ts";
import { addSettings, settingsOf } from "./settings.ts";
import { addSignatureCommands } from "./signature-commands.ts";
import { addTeamCommands } from "./team-commands.ts";
import type { Terminal } from "./terminal.ts";
import { addTrustCommands } from "./trust-commands.ts";
import { addWatch } from "./watch-command.ts";
import { addWitness } from "./witness-command.ts";

const afterword = `
\`imagetrust serve\` and \`migrate\` run the service itself; each has a --help of its own.

Exit codes:
  0  done: live, or answered
  1  refused: nothing was changed (apply: what it lists as refused was not)
  2  wrong command line: nothing was sent
  3  accepted, and not live: pending, blocked or superseded by a later change
  4  the service cannot be reached, or could not decide: repeat the command`;

/** Runs the `imagetrust` command with its arguments, the program's name left out. Never throws. */
export async function runCommand(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  let code: ExitCode = exitCode.live;
  const program = buildProgram(terminal, async (command, act) => {
    const json = command.optsWithGlobals<{ json: boolean }>().json;
    try {
      const settings = settingsOf(command);
      const api = openApi(settings);
      try {
        code = await act({ api, settings, terminal, deadline: Date.now() + settings.timeout * 1_000 });
      } finally {
        api.close();
      }
    } catch (error) {
      code = reportError(terminal, error, json);
    }
  });
  try {
    await program.parseAsync(args, { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.live : exitCode.usage;
    return reportError(terminal, error, false);
  }
}

/** The command with all that it offers; `perform` does the work of the one that is given. */
export function buildProgram(terminal: Terminal, perform: Perform): Command {
  const program = new Command("imagetrust")
    .description("Delegates image signing: a client of the imagetrust service.")
    .version(version)
    .showHelpAfterError("(--help shows what is possible)")
    .addHelpText("after", afterword)
    .configureHelp({ optionDescription: (option) => withoutEmptyDefault(new Help().optionDescription(option)) })
    .configureOutput({ writeOut: (text) => terminal.out(text), writeErr: (text) => terminal.err(text) })
    .exitOverride();
  addSettings(program);
  addTrustCommands(program, perform);
  const { member } = addTeamCommands(program, perform);
  addMemberSetup(member, perform);
  addCertificateCommands(program, perform);
  addDelegationCommands(program, perform);
  addBatchCommand(program, perform);
  addRuleCommands(program, perform);
  addRolloutCommands(program, perform);
  addAuthorityCommand(program, perform);
  addExpiringCommand(program, perform);
  addSignatureCommands(program, perform);
  addWitness(program, perform);
  addWatch(program, perform);
  addApplyCommand(program, perform);
  addExportCommand(program, perform);
  addAuditCommands(program, perform);
  return program;
}

function withoutEmptyDefault(description: string): string {
  return description.replace(/ \(default: (?:""|false|\[\]|\{\})\)$/, "");
}
