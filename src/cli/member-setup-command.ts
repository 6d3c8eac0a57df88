import { promises as fs } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { TeamServiceService } from "../../gen/imagetrust/v1/team.ts";
import { type Trust, TrustServiceService } from "../../gen/imagetrust/v1/trust.ts";
import { Fault } from "../errors.ts";
import { type ExitCode, exitCode, UsageError } from "./exit-code.ts";
import {
  delegationsFor,
  keyIdsOf,
  type MemberSetup,
  type NotaryConfig,
  notaryConfigOf,
  signersOf,
} from "./member-setup.ts";
import { clientCommands, setupText, signCommands } from "./member-setup-text.ts";
import { type Perform, type Session, show } from "./session.ts";

interface SetupFlags {
  readonly member: string;
  readonly notaryUrl: string;
  readonly notaryCa: string;
  readonly write: string;
}

/** Adds `member setup` to `member`. */
export function addMemberSetup(member: Command, perform: Perform): void {
  const setup = member
    .command("setup <gun>")
    .description("print what a member needs to sign a repository with the notary CLI")
    .option("--member <member>", "for this member (default: for any member of each team)", "")
    .option("--notary-url <url>", "Notary's address (default: the one the service tells)", "")
    .option("--notary-ca <file>", "authority of Notary's certificate, PEM (default: the system's)", "")
    .option("--write <dir>", "write the client's configuration there; the printed commands then work as typed", "");
  setup.action((gun: string) => perform(setup, (session) => printSetup(session, gun, setup.opts<SetupFlags>())));
}

async function printSetup(session: Session, gun: string, flags: SetupFlags): Promise<ExitCode> {
  const trust = await readTrust(session, gun);
  if (trust.rootPin === "") {
    session.terminal.err(`${gun} is not live on Notary yet. Wait for it: imagetrust trust wait ${gun}\n`);
    return exitCode.pending;
  }
  const member = flags.member === "" ? undefined : await readMember(session, flags.member);
  const delegations = delegationsFor(trust, member);
  if (delegations.length === 0) {
    const who = member === undefined ? "No team" : `No team of ${member.id}`;
    throw new Fault("NOT_FOUND", `${who} may sign ${gun}. Delegate it first: imagetrust delegate ${gun} TEAM`);
  }
  const keyIds = member === undefined ? [] : keyIdsOf(delegations, member);
  if (member !== undefined && keyIds.length === 0) {
    const remedy = `Submit one first: imagetrust certificate add ${member.id} cert.pem`;
    throw new Fault("NO_VALID_CERTIFICATE", `${member.id} has no certificate in force. ${remedy}`);
  }
  const placed = await place(trust, flags);
  const setup: MemberSetup = { gun, ...placed, keyIds, signers: signersOf(delegations, member) };
  show(session, { ...setup, commands: commandsOf(setup) }, () => setupText(setup));
  return exitCode.live;
}

async function readTrust(session: Session, gun: string): Promise<Trust> {
  const request = { gun, minPublishedGeneration: 0n, minTeamRevisions: [] };
  const { trust } = await session.api.call(TrustServiceService.getTrust, request, session.deadline);
  if (trust === undefined) throw new Error("The service answered without a collection.");
  return trust;
}

async function readMember(session: Session, id: string) {
  const { member } = await session.api.call(TeamServiceService.getMember, { member: id }, session.deadline);
  if (member === undefined) throw new Error("The service answered without a member.");
  return member;
}

/** Decides where the configuration stands, and writes it there when --write asks for it. */
async function place(trust: Trust, flags: SetupFlags): Promise<Pick<MemberSetup, "config" | "configFile" | "written">> {
  const url = flags.notaryUrl === "" ? trust.notaryUrl : flags.notaryUrl;
  if (!URL.canParse(url) || !/^https?:/.test(url)) {
    throw new UsageError(
      url === ""
        ? "The service does not tell where Notary is; give --notary-url."
        : `${url} is no http or https address.`,
    );
  }
  const ca = flags.notaryCa === "" ? "" : resolve(flags.notaryCa);
  if (flags.write === "") {
    const config = notaryConfigOf(trust, { trustDir: "~/.notary", url, ca }, {});
    return { config, configFile: "~/.notary/config.json", written: false };
  }
  const directory = resolve(flags.write);
  const configFile = join(directory, "config.json");
  try {
    await fs.mkdir(directory, { recursive: true, mode: 0o700 });
    const ownCa = ca === "" ? "" : join(directory, "notary-ca.pem");
    if (ca !== "" && ca !== ownCa) await fs.copyFile(ca, ownCa);
    const pins = await readPins(configFile, url);
    const config = notaryConfigOf(trust, { trustDir: join(directory, "trust"), url, ca: ownCa }, pins);
    await fs.writeFile(configFile, `${JSON.stringify(config, null, 2)}\n`);
    return { config, configFile, written: true };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new UsageError(`--write: ${(error as Error).message}`, { cause: error });
  }
}

/** The pins of a configuration that an earlier setup wrote, so that one directory serves several repositories. */
async function readPins(configFile: string, url: string): Promise<NotaryConfig["trust_pinning"]["certs"]> {
  const text = await fs.readFile(configFile, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return {};
  const earlier = parseEarlier(text);
  if (earlier?.remote_server?.url !== url) {
    throw new UsageError(`${configFile} configures another Notary; choose another directory.`);
  }
  return earlier.trust_pinning?.certs ?? {};
}

function parseEarlier(text: string): Partial<NotaryConfig> | undefined {
  try {
    return JSON.parse(text) as Partial<NotaryConfig>;
  } catch {
    return undefined;
  }
}

function commandsOf(setup: MemberSetup): object {
  return { ...clientCommands(setup), sign: setup.signers.map((signer) => signCommands(setup, signer)) };
}
