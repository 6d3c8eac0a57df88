import { createPublicKey, X509Certificate } from "node:crypto";
import { Fault } from "../errors.ts";
import type { Gun } from "../names.ts";
import { derTag, element, sequence, unsignedInteger } from "./der.ts";
import { certificatePem } from "./pem.ts";

export interface RootCertificateRequest {
  readonly gun: Gun;
  /** SubjectPublicKeyInfo in DER of the root key, ECDSA on P-256. */
  readonly spki: Buffer;
  /** 16 random bytes. */
  readonly serial: Buffer;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Signs with the root key: raw r||s over the SHA-256 of the bytes given. */
  readonly sign: (tbs: Buffer) => Promise<Buffer>;
}

/**
 * Issues the self-signed certificate by which a collection's root key stands in root metadata; PEM as Go writes it.
 * It is Notary's template (tuf/utils/x509.go, NewCertificate): the common name is the GUN exactly, at any length, since neither
 * Go nor Notary knows X.520's limit of 64 characters; key usage digitalSignature and keyEncipherment, codeSigning, no CA.
 * The same request has the same bytes signed; the certificate still differs by its signature and must be kept with the key.
 * Throws SIGNING_UNAVAILABLE when the signature is not the key's.
 */
export async function issueRootCertificate(request: RootCertificateRequest): Promise<string> {
  const tbs = toBeSigned(request);
  const signature = await request.sign(tbs);
  const der = sequence(tbs, ecdsaWithSha256, element(derTag.bitString, Buffer.alloc(1), ecdsaValue(signature)));
  const key = createPublicKey({ key: request.spki, type: "spki", format: "der" });
  if (!new X509Certificate(der).verify(key)) {
    throw new Fault("SIGNING_UNAVAILABLE", "The key backend did not sign with the root key it named; repeat the call.");
  }
  return certificatePem(der);
}

/** RFC 5280, 4.1: version 3, with issuer and subject alike. */
function toBeSigned(request: RootCertificateRequest): Buffer {
  const name = nameOf(request.gun);
  return sequence(
    version3,
    unsignedInteger(request.serial),
    ecdsaWithSha256,
    name,
    sequence(timeOf(request.notBefore), timeOf(request.notAfter)),
    name,
    request.spki,
    extensions,
  );
}

function nameOf(commonName: string): Buffer {
  const value = element(derTag.utf8String, Buffer.from(commonName));
  return sequence(element(derTag.set, sequence(objectIdentifier("550403"), value)));
}

/** RFC 5280, 4.1.2.5: UTCTime through the year 2049, GeneralizedTime after; whole seconds. */
function timeOf(date: Date): Buffer {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, "");
  const year = date.getUTCFullYear();
  return year >= 1950 && year < 2050
    ? element(derTag.utcTime, Buffer.from(digits.slice(2)))
    : element(derTag.generalizedTime, Buffer.from(digits));
}

/** RFC 3279, 2.2.3: r and s as integers. */
function ecdsaValue(signature: Buffer): Buffer {
  const half = signature.length / 2;
  return sequence(unsignedInteger(signature.subarray(0, half)), unsignedInteger(signature.subarray(half)));
}

function objectIdentifier(hex: string): Buffer {
  return element(derTag.objectIdentifier, Buffer.from(hex, "hex"));
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  const flag = critical ? [element(derTag.boolean, Buffer.from([0xff]))] : [];
  return sequence(objectIdentifier(id), ...flag, element(derTag.octetString, value));
}

const version3 = element(0xa0, unsignedInteger(Buffer.from([2])));
const ecdsaWithSha256 = sequence(objectIdentifier("2a8648ce3d040302"));
/** Bits 0 and 2 of KeyUsage; the first octet says that five bits are unused. */
const signatureAndEncipherment = element(derTag.bitString, Buffer.from([5, 0b1010_0000]));
const codeSigning = sequence(objectIdentifier("2b06010505070303"));
const notAnAuthority = sequence();
const extensions = element(
  0xa3,
  sequence(
    extension("551d0f", true, signatureAndEncipherment),
    extension("551d25", false, codeSigning),
    extension("551d13", true, notAnAuthority),
  ),
);
