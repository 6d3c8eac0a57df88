import "reflect-metadata";
import { generateKeyPairSync, webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { keepSecret } from "../stack/kept.ts";

/** What a member's client bundle holds: a private key, which never leaves the member, and its certificate. */
export interface Identity {
  readonly privateKeyPem: string;
  readonly certificatePem: string;
}

/** Makes a self-signed certificate on a fresh P-256 key, as a client bundle would hold. */
export async function makeIdentity(name: string, life: { notBefore?: Date; notAfter?: Date } = {}): Promise<Identity> {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = {
    privateKey: await webcrypto.subtle.importKey(
      "pkcs8",
      privateKey.export({ type: "pkcs8", format: "der" }),
      algorithm,
      true,
      ["sign"],
    ),
    publicKey: await webcrypto.subtle.importKey(
      "spki",
      publicKey.export({ type: "spki", format: "der" }),
      algorithm,
      true,
      ["verify"],
    ),
  };
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: `CN=${name}`,
      keys: keys as Parameters<typeof x509.X509CertificateGenerator.createSelfSigned>[0]["keys"],
      signingAlgorithm: algorithm,
      notBefore: life.notBefore ?? new Date(Date.now() - 60_000),
      notAfter: life.notAfter ?? new Date(Date.now() + 365 * 86_400_000),
      extensions: [new x509.ExtendedKeyUsageExtension(["1.3.6.1.5.5.7.3.2"])],
    },
    webcrypto as unknown as Parameters<typeof x509.X509CertificateGenerator.createSelfSigned>[1],
  );
  const privateKeyPem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  keepSecret("a member's key", privateKeyPem);
  return {
    privateKeyPem,
    certificatePem: certificate.toString("pem"),
  };
}
