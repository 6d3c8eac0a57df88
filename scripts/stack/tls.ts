import { access, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createAuthority, type IdentityRequest, issueIdentity } from "../../src/x509/authority.ts";

/** Paths of a certificate and its key, in PEM. */
export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** The certificates of a local Notary: its authority, one per server, and one that notary-server shows to notary-signer. */
export interface NotaryTls {
  readonly caFile: string;
  readonly server: CertificateFiles;
  readonly signer: CertificateFiles;
  readonly signerClient: CertificateFiles;
}

/** Makes the certificates in a folder, or finds those of an earlier run. */
export async function layTls(folder: string): Promise<NotaryTls> {
  const filesOf = (name: string) => ({
    certFile: join(folder, `${name}.pem`),
    keyFile: join(folder, `${name}-key.pem`),
  });
  const tls = {
    caFile: join(folder, "ca.pem"),
    server: filesOf("server"),
    signer: filesOf("signer"),
    signerClient: filesOf("signer-client"),
  };
  const complete = join(folder, "complete");
  if (await isThere(complete)) return tls;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const now = new Date();
  const authority = await createAuthority("Local Notary", days, now);
  await writeFile(tls.caFile, authority.certificatePem);
  const issue = async (files: CertificateFiles, request: Pick<IdentityRequest, "name" | "purposes">) => {
    const identity = await issueIdentity(authority, { ...request, ips: ["127.0.0.1"], dns: ["localhost"], days }, now);
    await writeFile(files.certFile, identity.certificatePem);
    await writeFile(files.keyFile, identity.privateKeyPem, { mode: 0o600 });
  };
  await issue(tls.server, { name: "notary-server", purposes: ["server"] });
  await issue(tls.signer, { name: "notary-signer", purposes: ["server"] });
  await issue(tls.signerClient, { name: "notary-server", purposes: ["client"] });
  await writeFile(complete, "");
  return tls;
}

const days = 3_650;

function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
