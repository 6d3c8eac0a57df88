import type { Command } from "commander";
import { type ExitCode, exitCode } from "./exit-code.ts";
import type { SignerSetup } from "./member-setup.ts";
import { clientCommands, setupText, signCommands } from "./member-setup-text.ts";
import { type Perform, type Session, show } from "./session.ts";
import { addSetupFlags, readSignerSetup, type SetupFlags } from "./signer-setup.ts";

interface MemberSetupFlags extends SetupFlags {
  readonly member: string;
}

/** Adds `member setup` to `member`. */
export function addMemberSetup(member: Command, perform: Perform): void {
  const setup = member
    .command("setup <gun>")
    .description("print what a member needs to sign a repository with the notary CLI")
    .option("--member <member>", "for this member (default: for any member of each team)", "");
  addSetupFlags(setup).action((gun: string) =>
    perform(setup, (session) => printSetup(session, gun, setup.opts<MemberSetupFlags>())),
  );
}

async function printSetup(session: Session, gun: string, flags: MemberSetupFlags): Promise<ExitCode> {
  const setup = await readSignerSetup(session, gun, flags.member, flags);
  if (setup === undefined) return exitCode.pending;
  show(session, { ...setup, commands: commandsOf(setup) }, () => setupText(setup));
  return exitCode.live;
}

function commandsOf(setup: SignerSetup): object {
  return { ...clientCommands(setup), sign: setup.signers.map((signer) => signCommands(setup, signer)) };
}
