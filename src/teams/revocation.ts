import type { Call } from "../audit/call.ts";
import type { Json } from "../audit/record.ts";
import type { ChangeOptions } from "../changes/options.ts";
import { Fault } from "../errors.ts";
import type { Parsed, TeamId } from "../names.ts";
import { type RevocationReason, recordedCertificate } from "./certificate.ts";
import type { StoredCertificate } from "./certificate-store.ts";
import { type NotaryReading, readBeforeRemoval } from "./notary-reading.ts";
import type { TeamRoom } from "./room.ts";

/** Parses the words in which a caller explains a revocation: a compromise must be explained. */
export function parseExplanation(reason: RevocationReason, words: string): Parsed<string> {
  if (reason !== "COMPROMISED" || words.trim() !== "") return { ok: true, value: words };
  return { ok: false, fault: "must not be empty when revocation_reason is COMPROMISED" };
}

export function requireExplanation(reason: RevocationReason, options: ChangeOptions): void {
  const parsed = parseExplanation(reason, options.reason);
  if (parsed.ok) return;
  throw new Fault("INVALID_FIELD", "A compromise must be explained: say in options.reason what happened.", {
    fields: [{ field: "options.reason", fault: parsed.fault }],
  });
}

/** Whether a reason says more about a key than the one it was revoked for earlier, if it was: a compromise outweighs the others. */
export function saysMore(reason: RevocationReason, earlier: RevocationReason | undefined): boolean {
  return earlier === undefined || (reason === "COMPROMISED" && earlier !== "COMPROMISED");
}

/** A compromised key goes with what is known by then. */
const compromisedMs = 2_000;

/** Reads what the guards judge before a revocation; for a compromised key Notary has little time to answer. */
export function readBeforeRevocation(
  room: TeamRoom,
  call: Call,
  reason: RevocationReason,
  teams: readonly TeamId[],
): Promise<NotaryReading> {
  return readBeforeRemoval(room, call, teams, reason === "COMPROMISED" ? compromisedMs : undefined);
}

/** The options by which the guards judge: a compromised key goes whatever that costs, and they only say what it is. */
export function guardedBy(reason: RevocationReason, options: ChangeOptions): ChangeOptions {
  if (reason !== "COMPROMISED") return options;
  return { ...options, acceptOrphaned: true, acceptRevived: true, acceptWithoutSigner: true };
}

/** Certificates as records show them. */
export function recordedCertificates(certificates: readonly StoredCertificate[]): {
  readonly certificates: readonly Json[];
} {
  return { certificates: certificates.map(recordedCertificate) };
}

/** What is said of each certificate of a revoked key. */
export function wordsOnRevoked(
  certificates: readonly StoredCertificate[],
  reason: RevocationReason,
): readonly string[] {
  return certificates.flatMap((certificate) => [
    `key ${certificate.tufKeyId}, canonical ${certificate.canonicalKeyId}, of member ${certificate.member} revoked as ${reason}`,
    `certificate ${certificate.sha256} (SHA-256), subject ${certificate.subject}, serial ${certificate.serial}`,
  ]);
}
