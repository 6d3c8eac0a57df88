import type { X509Certificate } from "node:crypto";
import { childrenOf, derTag } from "./der.ts";
import { partGoRefuses, partsOf } from "./go-parser.ts";

/** Why the programs around Notary, all written in Go, could not read a certificate that OpenSSL reads. */
export function formFaultOf(certificate: X509Certificate): string | undefined {
  const part = partGoRefuses(certificate.raw);
  if (part === undefined) return undefined;
  return `must be readable by Notary, but its ${part} is malformed; have the certificate issued again`;
}

const weakDigest = /md[245]|sha-?1(?!\d)/i;

/**
 * Why a certificate's own signature makes Notary, or us, refuse it: SHA-1 (tuf/utils/x509.go), MD5 and older.
 * RSASSA-PSS names its digest in its parameters, where an absent one is SHA-1 (RFC 4055, 3.1).
 */
export function signatureFaultOf(certificate: X509Certificate): string | undefined {
  const name = certificate.signatureAlgorithm ?? certificate.signatureAlgorithmOid;
  const weak =
    certificate.signatureAlgorithmOid === rsassaPss ? !namesStrongDigest(certificate.raw) : weakDigest.test(name);
  if (!weak) return undefined;
  return "must not be signed with SHA-1 or an older digest; have it issued again with SHA-256";
}

const rsassaPss = "1.2.840.113549.1.1.10";
/** OBJECT IDENTIFIER of SHA-256, SHA-384 and SHA-512. */
const strongDigests = ["01", "02", "03"].map((last) => Buffer.from(`06096086480165030402${last}`, "hex"));

function namesStrongDigest(raw: Buffer): boolean {
  const algorithm = partsOf(raw)?.[1];
  const parameters = algorithm && childrenOf(raw, algorithm)?.[1];
  const hash = parameters && childrenOf(raw, parameters)?.find((part) => part.tag === 0xa0);
  return hash !== undefined && strongDigests.some((oid) => raw.subarray(hash.content, hash.end).includes(oid));
}

const curves: Readonly<Record<string, number>> = { prime256v1: 91, secp384r1: 120, secp521r1: 158 };

/**
 * Why Notary could not verify signatures by a certificate's key: of another kind than ECDSA on the NIST curves or RSA, too short,
 * or encoded otherwise than Go writes it, so that its key ids would not be ours.
 */
export function keyFaultOf(certificate: X509Certificate): string | undefined {
  let key: X509Certificate["publicKey"];
  try {
    key = certificate.publicKey;
  } catch {
    return `must have a public key that can be read; ${remedy}`;
  }
  const { modulusLength = 0, publicExponent = 0n, namedCurve = "" } = key.asymmetricKeyDetails ?? {};
  const spki = key.export({ type: "spki", format: "der" });
  if (key.asymmetricKeyType === "rsa") {
    if (modulusLength < 2048)
      return `must have an RSA key of at least 2048 bits, but it has ${modulusLength}; ${remedy}`;
    if (modulusLength > 16384)
      return `must have an RSA key of at most 16384 bits, but it has ${modulusLength}; ${remedy}`;
    if (publicExponent < 3n || publicExponent > 0x7fffffffn) return `must have an ordinary RSA exponent; ${remedy}`;
  } else if (key.asymmetricKeyType !== "ec") {
    return `must have a key that Notary can verify, not ${key.asymmetricKeyType}; ${remedy}`;
  } else if (curves[namedCurve] === undefined) {
    return `must have a key on P-256, P-384 or P-521, not on ${namedCurve}; ${remedy}`;
  } else if (spki.length !== curves[namedCurve]) {
    return `must name its curve and hold the point uncompressed; ${remedy}`;
  }
  if (!publicKeyOf(certificate.raw)?.equals(spki)) return `must encode its public key as Notary does; ${remedy}`;
  return undefined;
}

const remedy = "have a certificate issued for an ECDSA key on P-256 or an RSA key of 2048 bits or more";

/** The SubjectPublicKeyInfo as it stands in the certificate (RFC 5280, 4.1). */
function publicKeyOf(raw: Buffer): Buffer | undefined {
  const tbs = partsOf(raw)?.[0];
  const fields = tbs && childrenOf(raw, tbs);
  const spki = fields?.[fields[0]?.tag === 0xa0 ? 6 : 5];
  return spki?.tag === derTag.sequence ? raw.subarray(spki.start, spki.end) : undefined;
}
