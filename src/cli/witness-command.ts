import type { Command } from "commander";
import { SignatureServiceService, type SignedTag } from "../../gen/imagetrust/v1/signature.ts";
import { type ExitCode, exitCode, UsageError } from "./exit-code.ts";
import type { SignerSetup } from "./member-setup.ts";
import { collect } from "./option-values.ts";
import { type Perform, type Session, show } from "./session.ts";
import { addSetupFlags, readSignerSetup, type SetupFlags } from "./signer-setup.ts";
import { type WitnessedRole, witnessedRoles } from "./witness.ts";
import { witnessCommands, witnessText } from "./witness-text.ts";

interface WitnessFlags extends SetupFlags {
  readonly member: string;
  readonly role: readonly string[];
  readonly without: readonly string[];
}

/** Adds `witness` to the command. */
export function addWitness(program: Command, perform: Perform): void {
  const witness = program
    .command("witness <gun>")
    .description(
      "print how a member signs again what lost its valid signature, with the notary CLI and the member's own key",
    )
    .requiredOption("--member <member>", "who signs")
    .option("--role <role>", "sign this role (repeatable; default: those of the member that are orphaned)", collect, [])
    .option("--without <tag>", "leave this tag out instead of signing it (repeatable)", collect, []);
  addSetupFlags(witness).action((gun: string) =>
    perform(witness, (session) => printWitness(session, gun, witness.opts<WitnessFlags>())),
  );
}

async function printWitness(session: Session, gun: string, flags: WitnessFlags): Promise<ExitCode> {
  const setup = await readSignerSetup(session, gun, flags.member, flags);
  if (setup === undefined) return exitCode.pending;
  requireRoles(setup, flags);
  const roles = witnessedRoles(await readTags(session, gun), rolesOf(setup), flags.role);
  if (roles.length === 0) {
    show(session, { ...setup, roles: [], commands: {} }, () => `Nothing of ${gun} waits for ${flags.member}.\n`);
    return exitCode.live;
  }
  requireTags(roles, flags);
  const commands = witnessCommands(setup, roles, flags.without);
  show(session, { ...setup, roles, commands }, () => witnessText(setup, roles, flags.without));
  return exitCode.live;
}

function rolesOf({ signers }: SignerSetup): readonly string[] {
  return signers.flatMap(({ roles }) => roles);
}

function requireRoles(setup: SignerSetup, { role, member }: WitnessFlags): void {
  const foreign = role.filter((one) => !rolesOf(setup).includes(one));
  if (foreign.length > 0) {
    throw new UsageError(`--role: ${member} may not sign ${foreign.join(", ")}, but ${rolesOf(setup).join(", ")}.`);
  }
}

function requireTags(roles: readonly WitnessedRole[], { without }: WitnessFlags): void {
  const unknown = without.filter((tag) => !roles.some(({ tags }) => tags.some((one) => one.tag === tag)));
  if (unknown.length > 0) throw new UsageError(`--without: no role to be signed holds ${unknown.join(", ")}.`);
}

async function readTags(session: Session, gun: string): Promise<readonly SignedTag[]> {
  const found: SignedTag[] = [];
  for (let pageToken = ""; ; ) {
    const request = { gun, pageSize: 1_000, pageToken, tagPrefix: "", states: [] };
    const answer = await session.api.call(SignatureServiceService.listSignedTags, request, session.deadline);
    found.push(...answer.tags);
    pageToken = answer.nextPageToken;
    if (pageToken === "") return found;
  }
}
