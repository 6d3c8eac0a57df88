import "reflect-metadata";
import { createPrivateKey, KeyObject, randomBytes, webcrypto } from "node:crypto";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { certificatePem } from "./pem.ts";

/** A certificate with its private key, both PEM; the key is PKCS#8 and must be kept readable by its owner only. */
export interface Identity {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

export interface IdentityRequest {
  /** The subject's common name. */
  readonly name: string;
  /** `server` for TLS servers, `client` for TLS clients; one certificate may serve as both. */
  readonly purposes: readonly ("server" | "client")[];
  readonly dns?: readonly string[];
  readonly ips?: readonly string[];
  readonly uris?: readonly string[];
  readonly days: number;
}

/**
 * Makes a development authority for mutual TLS: a self-signed P-256 certificate that may issue leaves and nothing else.
 * Draws its key and serial from the system; valid from a minute before `now`, so that clocks may differ a little.
 */
export async function createAuthority(name: string, days: number, now: Date): Promise<Identity> {
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.create({
    ...commonFieldsOf(name, days, now),
    issuer: commonName(name),
    publicKey: keys.publicKey,
    signingKey: keys.privateKey,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return identityOf(certificate, keys.privateKey);
}

/** Issues a leaf for a TLS server or client, with a key of its own; never valid for longer than its authority. */
export async function issueIdentity(authority: Identity, request: IdentityRequest, now: Date): Promise<Identity> {
  const issuer = new X509Certificate(authority.certificatePem);
  const keys = await newKeys();
  const fields = commonFieldsOf(request.name, request.days, now);
  const certificate = await X509CertificateGenerator.create({
    ...fields,
    notAfter: fields.notAfter < issuer.notAfter ? fields.notAfter : issuer.notAfter,
    issuer: issuer.subjectName,
    publicKey: keys.publicKey,
    signingKey: await importKey(authority.privateKeyPem),
    extensions: await leafExtensions(request, issuer, keys.publicKey),
  });
  return identityOf(certificate, keys.privateKey);
}

async function leafExtensions(
  request: IdentityRequest,
  issuer: X509Certificate,
  publicKey: webcrypto.CryptoKey,
): Promise<Extension[]> {
  const names: JsonGeneralName[] = [
    ...(request.dns ?? []).map((value) => ({ type: "dns", value }) as const),
    ...(request.ips ?? []).map((value) => ({ type: "ip", value }) as const),
    ...(request.uris ?? []).map((value) => ({ type: "url", value }) as const),
  ];
  const usages = { server: ExtendedKeyUsage.serverAuth, client: ExtendedKeyUsage.clientAuth };
  return [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension(request.purposes.map((purpose) => usages[purpose])),
    ...(names.length === 0 ? [] : [new SubjectAlternativeNameExtension(names)]),
    await SubjectKeyIdentifierExtension.create(publicKey),
    await AuthorityKeyIdentifierExtension.create(issuer.publicKey),
  ];
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const dayMs = 86_400_000;

function commonFieldsOf(name: string, days: number, now: Date) {
  return {
    serialNumber: randomBytes(16).toString("hex"),
    subject: commonName(name),
    notBefore: new Date(now.getTime() - 60_000),
    notAfter: new Date(now.getTime() + days * dayMs),
    signingAlgorithm: algorithm,
  };
}

function commonName(name: string): Name {
  return new Name([{ CN: [{ utf8String: name }] }]);
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(pem).export({ type: "pkcs8", format: "der" });
  return webcrypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]);
}

function identityOf(certificate: X509Certificate, privateKey: webcrypto.CryptoKey): Identity {
  return {
    certificatePem: certificatePem(Buffer.from(certificate.rawData)),
    privateKeyPem: String(KeyObject.from(privateKey).export({ type: "pkcs8", format: "pem" })),
  };
}
