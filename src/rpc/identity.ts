import type { PeerCertificate } from "node:tls";

/** Who calls, as the client certificate of the connection proves it. */
export interface Caller {
  /** The URI SAN, such as a SPIFFE id; in a certificate without one the subject's CN. */
  readonly id: string;
  /** Hex SHA-256 of the certificate. */
  readonly certificateSha256: string;
  /** Unix milliseconds. */
  readonly notAfter: number;
}

/**
 * Names the caller of a connection whose certificate has been verified. Undefined when the certificate names nobody clearly: no URI
 * SAN and no CN, several of one kind, longer than 255 characters, control characters, or a CN that could be taken for a URI.
 */
export function callerOf(certificate: PeerCertificate): Caller | undefined {
  const uris = uriNames(certificate.subjectaltname ?? "");
  const id = uris.length > 0 ? onlyOf(uris) : commonNameOf(certificate);
  if (id === undefined || !isPlain(id)) return undefined;
  return {
    id,
    certificateSha256: certificate.fingerprint256.replaceAll(":", "").toLowerCase(),
    notAfter: Date.parse(certificate.valid_to),
  };
}

/**
 * The URIs of a subject alternative name as node:tls prints it: `kind:value` separated by `, `, a value with special characters as
 * a JSON string. Text that cannot be read so gives two names, and thereby nobody.
 */
function uriNames(printed: string): readonly string[] {
  const entry = /([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^",]*)(?:, |$)/y;
  const names: string[] = [];
  while (entry.lastIndex < printed.length) {
    const [, kind, value = ""] = entry.exec(printed) ?? [];
    if (kind === undefined) return ["", ""];
    if (kind === "URI") names.push(value.startsWith('"') ? String(JSON.parse(value)) : value);
  }
  return names;
}

function commonNameOf(certificate: PeerCertificate): string | undefined {
  const names: unknown = certificate.subject.CN;
  const name = onlyOf(Array.isArray(names) ? names : [names]);
  return typeof name === "string" && !name.includes("://") ? name : undefined;
}

function onlyOf<T>(values: readonly T[]): T | undefined {
  return values.length === 1 ? values[0] : undefined;
}

function isPlain(id: string): boolean {
  return /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]{1,255}$/u.test(id);
}
