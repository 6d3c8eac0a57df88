import "reflect-metadata";
import type { X509Certificate } from "node:crypto";
import {
  BasicConstraintsExtension,
  X509Certificate as DecodedCertificate,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
} from "@peculiar/x509";

/** What a certificate's extensions say about its place in a path (RFC 5280, 4.2.1). */
export interface PathFacts {
  readonly isAuthority: boolean;
  /** How many certificates of authorities may stand below it; undefined: any number. */
  readonly pathLength: number | undefined;
  /** Whether its key may be used so; without the extension it may be used for anything. */
  allows(usage: keyof typeof KeyUsageFlags): boolean;
  /** Those of `purposes` that it may serve; without the extension all. */
  readonly purposes: readonly string[];
  /** Identifiers of critical extensions that are not understood here, and of name constraints, critical or not. */
  readonly strange: readonly string[];
}

/**
 * What members' certificates are for: client bundles have clientAuth, Notary's own certificates codeSigning. A path must allow one of
 * them from end to end.
 */
export const purposes: readonly string[] = [ExtendedKeyUsage.clientAuth, ExtendedKeyUsage.codeSigning];

/** Authority and subject key identifiers, basic constraints, key usages, alternative names, policies without constraints. */
const understood = new Set([
  "2.5.29.35",
  "2.5.29.14",
  "2.5.29.19",
  "2.5.29.15",
  "2.5.29.37",
  "2.5.29.17",
  "2.5.29.18",
  "2.5.29.32",
]);
const nameConstraints = "2.5.29.30";
const anyPurpose = "2.5.29.37.0";

/** Reads the facts; undefined for a certificate whose extensions cannot be read. */
export function pathFactsOf(certificate: X509Certificate): PathFacts | undefined {
  try {
    const decoded = new DecodedCertificate(certificate.raw);
    const constraints = decoded.getExtension(BasicConstraintsExtension);
    const usages = decoded.getExtension(KeyUsagesExtension)?.usages;
    const extended = decoded.getExtension(ExtendedKeyUsageExtension)?.usages.map(String);
    return {
      isAuthority: constraints?.ca === true,
      pathLength: constraints?.pathLength,
      allows: (usage) => usages === undefined || (usages & KeyUsageFlags[usage]) !== 0,
      purposes:
        extended === undefined || extended.includes(anyPurpose)
          ? purposes
          : purposes.filter((purpose) => extended.includes(purpose)),
      strange: decoded.extensions
        .filter(({ type, critical }) => type === nameConstraints || (critical && !understood.has(type)))
        .map(({ type }) => type),
    };
  } catch {
    return undefined;
  }
}
