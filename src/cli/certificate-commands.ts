import { type Command, Option } from "commander";
import { CertificateState, RevocationReason, TeamServiceService } from "../../gen/imagetrust/v1/team.ts";
import { readCertificate } from "./certificate-source.ts";
import { addChangeFlags, change } from "./change.ts";
import { addPageFlags, list } from "./lists.ts";
import { collectEnum, parseEnum } from "./option-values.ts";
import type { Perform } from "./session.ts";
import { certificatesText } from "./team-text.ts";

/** Adds `certificate` to the command. */
export function addCertificateCommands(program: Command, perform: Perform): void {
  const certificate = program.command("certificate").description("members' public certificates");
  addAdd(certificate, perform);
  addReplace(certificate, perform);
  addRevoke(certificate, perform);
  addList(certificate, perform);
}

function addAdd(certificate: Command, perform: Perform): void {
  const add = certificate
    .command("add <member> [file]")
    .description("submit a member's certificate: a PEM file, `-` for standard input, or a client bundle's cert.pem")
    .option("--bundle <zip>", "a UCP client bundle; its key.pem is neither read nor sent", "");
  addChangeFlags(add, ["etag", "revived"]).action((member: string, file: string | undefined) =>
    perform(add, async (session) => {
      const source = { file, bundle: add.opts<{ bundle: string }>().bundle };
      const certificatePem = await readCertificate(session.terminal, source);
      return change(session, add, {
        method: TeamServiceService.submitCertificate,
        request: (options) => ({ member, certificatePem, options }),
        made: ({ certificate }) => (certificate === undefined ? "" : certificatesText([certificate], "")),
        publishes: false,
      });
    }),
  );
}

function addReplace(certificate: Command, perform: Perform): void {
  const replace = certificate
    .command("replace <certificate> [file]")
    .description(
      "put another certificate's key in the place of this one's, which is revoked for ever: a PEM file, `-`, or a bundle",
    )
    .option("--bundle <zip>", "a UCP client bundle; its key.pem is neither read nor sent", "");
  addChangeFlags(replace, ["etag", "orphaned", "revived"]).action((id: string, file: string | undefined) =>
    perform(replace, async (session) => {
      const source = { file, bundle: replace.opts<{ bundle: string }>().bundle };
      const certificatePem = await readCertificate(session.terminal, source);
      return change(session, replace, {
        method: TeamServiceService.replaceCertificate,
        request: (options) => ({ certificate: id, certificatePem, options }),
        made: ({ certificate, replaced }) => certificatesText([...(certificate ? [certificate] : []), ...replaced], ""),
        publishes: false,
      });
    }),
  );
}

function addRevoke(certificate: Command, perform: Perform): void {
  const revoke = certificate
    .command("revoke <certificate>")
    .description("revoke a certificate's key, with every certificate of it, for ever")
    .addOption(becauseOption());
  addChangeFlags(revoke, ["etag", "orphaned", "withoutSigner"]).action((id: string) =>
    perform(revoke, (session) =>
      change(session, revoke, {
        method: TeamServiceService.revokeCertificate,
        request: (options) => ({
          certificate: id,
          revocationReason: revoke.opts<{ because: RevocationReason }>().because,
          options,
        }),
        made: ({ certificates }) => certificatesText(certificates, ""),
        publishes: false,
      }),
    ),
  );
}

/** Why something is revoked; whatever else is to be said goes into --reason. */
export function becauseOption(): Option {
  return new Option("--because <why>", "superseded, left or compromised; the last must be explained with --reason")
    .argParser((text) => parseEnum(RevocationReason, text))
    .makeOptionMandatory();
}

function addList(certificate: Command, perform: Perform): void {
  const several = certificate
    .command("list")
    .description("list certificates")
    .option("--member <member>", "only this member's", "")
    .option("--team <team>", "only those of this team's members", "")
    .option("--state <state>", "only those in this state (repeatable)", collectEnum(CertificateState), []);
  addPageFlags(several).action(() =>
    perform(several, (session) => {
      const { member, team, state } = several.opts<{
        member: string;
        team: string;
        state: readonly CertificateState[];
      }>();
      return list(
        session,
        several,
        TeamServiceService.listCertificates,
        (page) => ({ ...page, member, team, states: state }),
        "certificates",
        ({ certificates, nextPageToken }) => certificatesText(certificates, nextPageToken),
      );
    }),
  );
}
