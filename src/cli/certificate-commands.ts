import { type Command, Option } from "commander";
import { CertificateState, RevocationReason, TeamServiceService } from "../../gen/imagetrust/v1/team.ts";
import { writeText } from "./bounded-file.ts";
import { readCertificate } from "./certificate-source.ts";
import { challengeText } from "./challenge-text.ts";
import { addChangeFlags, change } from "./change.ts";
import { exitCode, UsageError } from "./exit-code.ts";
import { addPageFlags, list } from "./lists.ts";
import { collectEnum, parseEnum } from "./option-values.ts";
import { addProofFlags, askChallenge, type ProofFlags, proofOf } from "./possession.ts";
import { type Perform, show } from "./session.ts";
import { certificatesText } from "./team-text.ts";

/** Adds `certificate` to the command. */
export function addCertificateCommands(program: Command, perform: Perform): void {
  const certificate = program.command("certificate").description("members' public certificates");
  addAdd(certificate, perform);
  addChallenge(certificate, perform);
  addReplace(certificate, perform);
  addRevoke(certificate, perform);
  addList(certificate, perform);
}

/** What `--bundle` does in every command that takes it. */
const bundleOption = [
  "--bundle <zip>",
  "a UCP client bundle; its key.pem is read with --prove only, and never sent",
  "",
] as const;

function addAdd(certificate: Command, perform: Perform): void {
  const add = certificate
    .command("add <member> [file]")
    .alias("submit")
    .description("submit a member's certificate: a PEM file, `-` for standard input, or a client bundle's cert.pem");
  addSubmission(add, perform, false);
  const prove = certificate
    .command("prove <member> [file]")
    .description("prove that a member holds the key of a certificate, which is submitted where it was not before");
  addSubmission(prove, perform, true);
}

function addSubmission(submission: Command, perform: Perform, always: boolean): void {
  addProofFlags(submission.option(...bundleOption));
  addChangeFlags(submission, ["etag", "revived"]).action((member: string, file: string | undefined) =>
    perform(submission, async (session) => {
      const flags = submission.opts<ProofFlags>();
      const certificatePem = await readCertificate(session.terminal, { file, bundle: flags.bundle });
      const prove = flags.prove === true || (always && flags.challenge === "");
      const possessionProof = await proofOf(session, { ...flags, prove }, { member, certificatePem });
      return change(session, submission, {
        method: TeamServiceService.submitCertificate,
        request: (options) => ({ member, certificatePem, possessionProof, options }),
        made: ({ certificate }) => (certificate === undefined ? "" : certificatesText([certificate], "")),
        publishes: false,
      });
    }),
  );
}

function addChallenge(certificate: Command, perform: Perform): void {
  const challenge = certificate
    .command("challenge <member> [file]")
    .description("get a text whose signature proves possession of a certificate's key, to be signed where that key is")
    .option("--bundle <zip>", "a UCP client bundle; its key.pem is neither read nor sent", "")
    .requiredOption("--out <file>", "where to put the text");
  challenge.action((member: string, file: string | undefined) =>
    perform(challenge, async (session) => {
      const { bundle, out } = challenge.opts<{ bundle: string; out: string }>();
      const certificatePem = await readCertificate(session.terminal, { file, bundle });
      const made = await askChallenge(session, { member, certificatePem });
      await writeText(out, made.text);
      show(session, { challenge: made }, () =>
        challengeText(made, { member, source: file ?? `--bundle ${bundle}`, out }),
      );
      return exitCode.live;
    }),
  );
}

function addReplace(certificate: Command, perform: Perform): void {
  const replace = certificate
    .command("replace <certificate> [file]")
    .description(
      "put another certificate's key in the place of this one's, which is revoked for ever: a PEM file, `-`, or a bundle",
    )
    .option(...bundleOption)
    .option("--member <member>", "whose certificate it is, for --prove", "");
  addProofFlags(replace);
  addChangeFlags(replace, ["etag", "orphaned", "revived"]).action((id: string, file: string | undefined) =>
    perform(replace, async (session) => {
      const flags = replace.opts<ProofFlags & { member: string }>();
      const certificatePem = await readCertificate(session.terminal, { file, bundle: flags.bundle });
      if (flags.prove && flags.member === "")
        throw new UsageError("Give --member with --prove: a challenge is a member's.");
      const possessionProof = await proofOf(session, flags, { member: flags.member, certificatePem });
      return change(session, replace, {
        method: TeamServiceService.replaceCertificate,
        request: (options) => ({ certificate: id, certificatePem, possessionProof, options }),
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
    .option("--unproven", "only those of keys of which possession was never proved", false)
    .option("--state <state>", "only those in this state (repeatable)", collectEnum(CertificateState), []);
  addPageFlags(several).action(() =>
    perform(several, (session) => {
      const { member, team, state, unproven } = several.opts<{
        unproven: boolean;
        member: string;
        team: string;
        state: readonly CertificateState[];
      }>();
      return list(
        session,
        several,
        TeamServiceService.listCertificates,
        (page) => ({ ...page, member, team, states: state, unproven }),
        "certificates",
        ({ certificates, nextPageToken }) => certificatesText(certificates, nextPageToken),
      );
    }),
  );
}
