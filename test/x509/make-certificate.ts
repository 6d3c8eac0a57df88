import { generateKeyPairSync, type KeyObject, type SigningOptions, sign } from "node:crypto";
import { element, sequence } from "../../src/x509/der.ts";
import { certificatePem } from "../../src/x509/pem.ts";

/** A key pair of any kind that certificates can be made for. */
export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export function ecPair(namedCurve = "P-256"): KeyPair {
  return generateKeyPairSync("ec", { namedCurve });
}

/** A certificate with its DER, its PEM and its keys; made byte for byte, so that it may be as wrong as a test needs it. */
export interface MadeCertificate extends KeyPair {
  readonly name: string;
  readonly der: Buffer;
  readonly pem: string;
}

export interface CertificateWish {
  readonly name?: string;
  readonly keys?: KeyPair;
  /** Default: itself. */
  readonly issuer?: MadeCertificate;
  readonly from?: Date;
  readonly to?: Date;
  /** The signature's algorithm: its AlgorithmIdentifier and how node:crypto makes it. Default: ECDSA with SHA-256. */
  readonly signature?: SignatureKind;
  readonly authority?: boolean;
  /** How many authorities may stand below it; default: any number. */
  readonly pathLength?: number;
  /** In place of the public key's own encoding. */
  readonly spki?: Buffer;
  readonly version1?: boolean;
  readonly serial?: Buffer;
  /** Beside the basic constraints. */
  readonly extensions?: readonly Buffer[];
}

export interface SignatureKind {
  readonly algorithm: Buffer;
  readonly digest: string | null;
  readonly options?: SigningOptions;
}

export const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");

const kind = (algorithm: string, digest: string | null): SignatureKind => ({
  algorithm: sequence(hex(algorithm)),
  digest,
});
export const signatureKinds = {
  ecdsaSha256: kind("06082a8648ce3d040302", "sha256"),
  ecdsaSha1: kind("06072a8648ce3d0401", "sha1"),
  rsaSha256: kind("06092a864886f70d01010b 0500", "sha256"),
  rsaSha1: kind("06092a864886f70d010105 0500", "sha1"),
  rsaMd5: kind("06092a864886f70d010104 0500", "md5"),
  ed25519: kind("06032b6570", null),
  dsaSha256: kind("0609608648016503040302", "sha256"),
} as const;

/** Makes a certificate, self-signed unless an issuer is given; valid for the year around `now` unless said otherwise. */
export function makeCertificate(now: Date, wish: CertificateWish = {}): MadeCertificate {
  const keys = wish.keys ?? ecPair();
  const name = wish.name ?? "alice";
  const kindOfSignature = wish.signature ?? signatureKinds.ecdsaSha256;
  const signer = wish.issuer?.privateKey ?? keys.privateKey;
  const tbs = sequence(
    ...(wish.version1 ? [] : [hex("a003020102")]),
    element(0x02, wish.serial ?? hex("2a")),
    kindOfSignature.algorithm,
    nameOf(wish.issuer?.name ?? name),
    sequence(time(wish.from ?? daysFrom(now, -1)), time(wish.to ?? daysFrom(now, 365))),
    nameOf(name),
    wish.spki ?? keys.publicKey.export({ type: "spki", format: "der" }),
    ...(wish.version1 ? [] : [extensionsOf(wish)]),
  );
  const signature = sign(kindOfSignature.digest, tbs, { key: signer, ...kindOfSignature.options });
  const der = sequence(tbs, kindOfSignature.algorithm, element(0x03, hex("00"), signature));
  return { ...keys, name, der, pem: certificatePem(der) };
}

export function daysFrom(now: Date, days: number): Date {
  return new Date(now.getTime() + days * 86_400_000);
}

export function nameOf(commonName: string): Buffer {
  return sequence(element(0x31, sequence(hex("0603550403"), element(0x0c, Buffer.from(commonName)))));
}

export function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, "");
  return date.getUTCFullYear() < 2050
    ? element(0x17, Buffer.from(digits.slice(2)))
    : element(0x18, Buffer.from(digits));
}

/** One extension: the identifier's content in hex, and the value in hex or DER. */
export function extension(id: string, value: Uint8Array | string, critical = false): Buffer {
  const content = typeof value === "string" ? hex(value) : value;
  return sequence(element(0x06, hex(id)), critical ? hex("0101ff") : hex(""), element(0x04, content));
}

function basicConstraintsOf({ authority, pathLength }: CertificateWish): readonly Buffer[] {
  const length = pathLength === undefined ? [] : [element(0x02, Buffer.from([pathLength]))];
  return authority ? [hex("0101ff"), ...length] : length;
}

function extensionsOf(wish: CertificateWish): Buffer {
  const basicConstraints = extension("551d13", sequence(...basicConstraintsOf(wish)), true);
  return element(0xa3, sequence(basicConstraints, ...(wish.extensions ?? [])));
}
