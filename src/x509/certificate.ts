import { createHash, X509Certificate } from "node:crypto";
import type { Authorities } from "./authorities.ts";
import { judgePath } from "./certification-path.ts";
import { chainFaultsOf } from "./chain.ts";
import { isDer } from "./der.ts";
import { formFaultOf, keyFaultOf, signatureFaultOf } from "./notary-rules.ts";
import { certificatePem, type PemBlock, readPem } from "./pem.ts";

/** A member's certificate, fit to be delegated to: every check of Notary's, and ours, has passed. */
export interface ParsedCertificate {
  /** The leaf alone, as Go's pem.EncodeToMemory writes it. */
  readonly pem: string;
  /** Hex SHA-256 of the DER. */
  readonly sha256: string;
  /** Relative names in the certificate's order, such as `CN=alice, O=example`; special characters are escaped (RFC 2253). */
  readonly subject: string;
  readonly issuer: string;
  /** Lower-case hex. */
  readonly serial: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly keyAlgorithm: "ecdsa" | "rsa";
  /** The public key, SubjectPublicKeyInfo in DER. */
  readonly spki: Buffer;
}

export type CertificateResult =
  | { readonly ok: true; readonly value: ParsedCertificate }
  | {
      readonly ok: false;
      readonly faults: readonly string[];
      /** Where there are no faults: why it cannot be told whether an authority revoked the certificate. */
      readonly unknown?: string;
    };

const mostBytes = 64 * 1024;
const mostBlocks = 10;
const dayMs = 24 * 60 * 60 * 1000;

/**
 * Parses what a caller sent as a member's certificate: PEM, one certificate or a chain with the leaf first, of which only the
 * leaf is kept. With authorities it must descend from one of them. Gives every fault at once, each with its remedy. Private keys are not looked for: see holdsPrivateKey.
 * Source: Notary's own checks (tuf/utils/x509.go, ValidateCertificate) and what its verifiers can verify.
 */
export function parseDelegationCertificate(text: string, now: Date, authorities?: Authorities): CertificateResult {
  const oversize = sizeFaultOf(text);
  if (oversize !== undefined) return { ok: false, faults: [oversize] };
  const { blocks, unfinished, rest } = readPem(text);
  if (blocks.length === 0 && !unfinished) return { ok: false, faults: [textFaultOf(text)] };
  if (blocks.length > mostBlocks)
    return { ok: false, faults: [`must hold at most ${mostBlocks} certificates; send the leaf alone`] };
  const faults: string[] = [];
  if (unfinished) faults.push("must be whole, but a PEM block has no END line; send the complete file");
  if (rest !== "") faults.push("must end with the last PEM block; remove the text that follows it");
  const certificates = blocks.map((block, index) => {
    const read = readBlock(block, nameOf(index, blocks.length));
    if (typeof read !== "string") return read;
    faults.push(read);
    return undefined;
  });
  const leaf = certificates[0];
  if (leaf !== undefined) faults.push(...leafFaultsOf(leaf, now));
  faults.push(...chainFaultsOf(certificates));
  if (leaf === undefined || faults.length > 0) return { ok: false, faults };
  const descent = authorities && judgePath(certificates.filter(isThere), authorities, now);
  if (descent?.faults.length) return { ok: false, faults: descent.faults };
  if (descent?.unknown !== undefined) return { ok: false, faults: [], unknown: descent.unknown };
  return { ok: true, value: describe(leaf) };
}

function isThere<T>(value: T | undefined): value is T {
  return value !== undefined;
}

function sizeFaultOf(text: string): string | undefined {
  if (text.trim() === "")
    return "must not be empty; send the member's certificate as PEM (cert.pem of a client bundle)";
  if (Buffer.byteLength(text) <= mostBytes) return undefined;
  return "must be at most 64 KiB; send the member's certificate alone";
}

function textFaultOf(text: string): string {
  return text.startsWith("PK\u0003\u0004") || text.startsWith("UEsDB")
    ? "must be a PEM certificate, not a zip archive; take cert.pem out of the bundle and send that alone"
    : "must be PEM with a line -----BEGIN CERTIFICATE-----; convert a DER file with `openssl x509 -inform der`";
}

function nameOf(index: number, count: number): string {
  return count === 1 ? "the certificate" : `certificate ${index + 1}`;
}

function readBlock(block: PemBlock, name: string): X509Certificate | string {
  if (block.label !== "CERTIFICATE") {
    return `must hold CERTIFICATE blocks only, but there is one of ${block.label}; send the certificate alone`;
  }
  if (block.body === undefined)
    return `must be intact, but the base64 of ${name} is damaged or cut off; export it again`;
  if (!isDer(block.body)) return `must be intact, but ${name} is truncated or not DER; export it again`;
  try {
    return new X509Certificate(block.body);
  } catch {
    return `must be an X.509 certificate, but ${name} cannot be read; export it again`;
  }
}

function leafFaultsOf(leaf: X509Certificate, now: Date): readonly string[] {
  return [...validityFaultsOf(leaf, now), formFaultOf(leaf), signatureFaultOf(leaf), keyFaultOf(leaf)].filter(
    (fault) => fault !== undefined,
  );
}

/** Source: tuf/utils/x509.go: an end in the past is refused, a beginning may lie a day ahead. */
function validityFaultsOf(leaf: X509Certificate, now: Date): readonly string[] {
  const [from, to] = [leaf.validFromDate, leaf.validToDate];
  if (Number.isNaN(from.getTime()) || Number.isNaN(to.getTime())) {
    return ["must have a readable validity period; have the certificate issued again"];
  }
  const faults: string[] = [];
  if (from > to) faults.push("must not end before it begins; have the certificate issued again");
  if (to < now) faults.push(`must not be expired, but it ended ${utc(to)}; send the member's renewed certificate`);
  if (from.getTime() > now.getTime() + dayMs) {
    faults.push(`must be valid within a day, but it begins ${utc(from)}; wait until then or check the issuer's clock`);
  }
  return faults;
}

function describe(leaf: X509Certificate): ParsedCertificate {
  const key = leaf.publicKey;
  return {
    pem: certificatePem(leaf.raw),
    sha256: createHash("sha256").update(leaf.raw).digest("hex"),
    subject: oneLine(leaf.subject),
    issuer: oneLine(leaf.issuer),
    serial: leaf.serialNumber.toLowerCase(),
    notBefore: leaf.validFromDate,
    notAfter: leaf.validToDate,
    keyAlgorithm: key.asymmetricKeyType === "rsa" ? "rsa" : "ecdsa",
    spki: key.export({ type: "spki", format: "der" }),
  };
}

/** Node puts each relative name on a line of its own and escapes line feeds inside them. */
function oneLine(name: string | undefined): string {
  return (name ?? "").split("\n").join(", ");
}

function utc(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, "Z");
}
