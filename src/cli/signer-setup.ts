import { promises as fs } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { type Member, TeamServiceService } from "../../gen/imagetrust/v1/team.ts";
import { type Trust, TrustServiceService } from "../../gen/imagetrust/v1/trust.ts";
import { Fault } from "../errors.ts";
import { UsageError } from "./exit-code.ts";
import {
  delegationsFor,
  keyIdsOf,
  type NotaryConfig,
  notaryConfigOf,
  type SignerSetup,
  signersOf,
} from "./member-setup.ts";
import type { Session } from "./session.ts";

export interface SetupFlags {
  readonly notaryUrl: string;
  readonly notaryCa: string;
  readonly write: string;
}

/** Adds the flags of every command that prints commands for the notary CLI. */
export function addSetupFlags(command: Command): Command {
  return command
    .option("--notary-url <url>", "Notary's address (default: the one the service tells)", "")
    .option("--notary-ca <file>", "authority of Notary's certificate, PEM (default: the system's)", "")
    .option("--write <dir>", "write the client's configuration there; the printed commands then work as typed", "");
}

/**
 * Reads what somebody needs to sign a repository with the notary CLI: the member named, or any member of each team. Undefined, and
 * said on stderr, while the repository is not live. Throws where nobody, or no key of the member, may sign it.
 */
export async function readSignerSetup(
  session: Session,
  gun: string,
  memberId: string,
  flags: SetupFlags,
): Promise<SignerSetup | undefined> {
  const trust = await readTrust(session, gun);
  if (trust.rootPin === "") {
    session.terminal.err(`${gun} is not live on Notary yet. Wait for it: imagetrust trust wait ${gun}\n`);
    return undefined;
  }
  const member = memberId === "" ? undefined : await readMember(session, memberId);
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
  return { gun, ...placed, keyIds, signers: signersOf(delegations, member) };
}

async function readTrust(session: Session, gun: string): Promise<Trust> {
  const request = { gun, minPublishedGeneration: 0n, minTeamRevisions: [] };
  const { trust } = await session.api.call(TrustServiceService.getTrust, request, session.deadline);
  if (trust === undefined) throw new Error("The service answered without a collection.");
  return trust;
}

async function readMember(session: Session, id: string): Promise<Member> {
  const { member } = await session.api.call(TeamServiceService.getMember, { member: id }, session.deadline);
  if (member === undefined) throw new Error("The service answered without a member.");
  return member;
}

/** Decides where the configuration stands, and writes it there when --write asks for it. */
async function place(trust: Trust, flags: SetupFlags): Promise<Pick<SignerSetup, "config" | "configFile" | "written">> {
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
