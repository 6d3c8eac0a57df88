import { X509Certificate } from "node:crypto";
import type { Command } from "commander";
import { type PossessionChallenge, type PossessionProof, TeamServiceService } from "../../gen/imagetrust/v1/team.ts";
import { canonicalKeyIdOf, certificateKey } from "../tuf/key.ts";
import { certificatePem } from "../x509/pem.ts";
import { isPossessionText, signPossession } from "../x509/possession.ts";
import { readBounded } from "./bounded-file.ts";
import { UsageError } from "./exit-code.ts";
import { readPrivateKey } from "./private-key-source.ts";
import type { Session } from "./session.ts";

/** How a command is told to prove that the member holds the key of the certificate it sends. */
export interface ProofFlags {
  readonly bundle: string;
  readonly prove?: boolean;
  readonly proofKey: string;
  readonly passphraseFile: string;
  readonly challenge: string;
  readonly signature: string;
}

/** Adds the options by which possession of a private key is proved. */
export function addProofFlags(command: Command): Command {
  return command
    .option("--prove", "prove that you hold the private key, by a signature made on this machine; the key stays here")
    .option("--proof-key <file>", "the certificate's private key, PEM, where it is not the bundle's key.pem", "")
    .option("--passphrase-file <file>", "holds the passphrase of that key; else you are asked for it", "")
    .option("--challenge <id>", "a challenge of `certificate challenge` that was signed elsewhere", "")
    .option("--signature <file>", "the signature over its text", "");
}

/** The certificate that is sent, and whose it is. */
export interface Claim {
  readonly member: string;
  readonly certificatePem: string;
}

/**
 * The proof that the options ask for; undefined where they ask for none. With --prove it asks the service for a challenge and signs
 * it here, if it is one for this member and key and nothing else.
 */
export async function proofOf(session: Session, flags: ProofFlags, claim: Claim): Promise<PossessionProof | undefined> {
  const { challenge, signature } = flags;
  if ((challenge === "") !== (signature === "")) throw new UsageError("Give --challenge and --signature together.");
  const prove = flags.prove === true || flags.proofKey !== "";
  if (challenge !== "") {
    if (prove) throw new UsageError("Give either --prove, or --challenge with --signature.");
    return { challenge, signature: await readBounded(signature, maxSignatureBytes) };
  }
  return prove ? await proveHere(session, flags, claim) : undefined;
}

const maxSignatureBytes = 16 * 1024;

async function proveHere(session: Session, flags: ProofFlags, claim: Claim): Promise<PossessionProof> {
  const certificate = readLeaf(claim.certificatePem);
  const key = await readPrivateKey(session.terminal, { ...flags, file: flags.proofKey });
  if (!certificate.checkPrivateKey(key)) {
    throw new UsageError("The private key is not that of the certificate; give the right one with --proof-key.");
  }
  const { id, text } = await askChallenge(session, claim);
  if (!isPossessionText(text, claim.member, canonicalKeyIdOf(certificateKey(certificatePem(certificate.raw))))) {
    throw new Error(
      "The service asked for a signature over something that is no challenge for this key; nothing was signed.",
    );
  }
  return { challenge: id, signature: signPossession(key, text) };
}

/** Asks the service for a challenge. */
export async function askChallenge(session: Session, claim: Claim): Promise<PossessionChallenge> {
  const method = TeamServiceService.createPossessionChallenge;
  const { challenge } = await session.api.call(method, claim, session.deadline);
  if (challenge === undefined) throw new Error("The service answered without a challenge.");
  return challenge;
}

function readLeaf(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw new UsageError("The certificate cannot be read; give it as PEM.");
  }
}
