import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { entitiesFile } from "./rpc/policy-set.ts";
import type { TlsFiles } from "./rpc/tls.ts";
import { createAuthority, type Identity, type IdentityRequest, issueIdentity } from "./x509/authority.ts";

/** What a client needs to call, as paths of PEM files. */
export interface ClientFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** What stands in for TLS files and policies where none are configured. */
export interface Development {
  readonly tls: TlsFiles;
  /** Its entities make `admin` an admin and `viewer` a viewer; the default policies apply. */
  readonly policyDirectory: string;
  readonly clients: { readonly admin: ClientFiles; readonly viewer: ClientFiles };
}

const callers = ["admin", "viewer"] as const;
const authorityDays = 3_650;
const leafDays = 365;
/** A certificate with less time left is made anew at the start. */
const renewDays = 30;

/**
 * Makes a development authority, a server certificate for this machine and client certificates for an admin and a viewer in the
 * data directory, or takes up those of an earlier start. Keys are readable by their owner only; entities.json is written once.
 */
export async function openDevelopment(dataDirectory: string, now: Date): Promise<Development> {
  const tls = join(dataDirectory, "tls");
  const policyDirectory = join(dataDirectory, "policies");
  await mkdir(tls, { recursive: true, mode: 0o700 });
  await mkdir(policyDirectory, { recursive: true, mode: 0o700 });
  const ca = filesOf(tls, "ca");
  const authority =
    (await read(ca, now)) ?? (await keep(ca, await createAuthority("imagetrust development", authorityDays, now)));
  const leaf = async (request: IdentityRequest): Promise<ClientFiles> => {
    const files = filesOf(tls, request.name);
    const known = await read(files, now, authority);
    if (known === undefined) await keep(files, await issueIdentity(authority, request, now));
    return files;
  };
  const here = { dns: ["localhost"], ips: ["127.0.0.1", "::1"] };
  const server = await leaf({ name: "server", purposes: ["server"], ...here, days: leafDays });
  const [admin, viewer] = [await leaf(requestOf("admin")), await leaf(requestOf("viewer"))];
  await writeOnce(join(policyDirectory, entitiesFile), `${JSON.stringify(callers.map(entityOf), undefined, 2)}\n`);
  return { tls: { ...server, clientCaFile: ca.certFile }, policyDirectory, clients: { admin, viewer } };
}

type CallerName = (typeof callers)[number];

function uriOf(name: CallerName): string {
  return `spiffe://imagetrust.local/${name}`;
}

function requestOf(name: CallerName): IdentityRequest {
  return { name, purposes: ["client"], uris: [uriOf(name)], days: leafDays };
}

function entityOf(name: CallerName): object {
  return {
    uid: { type: "ImageTrust::Identity", id: uriOf(name) },
    attrs: {},
    parents: [{ type: "ImageTrust::Role", id: name }],
  };
}

function filesOf(directory: string, name: string): ClientFiles {
  return { certFile: join(directory, `${name}.pem`), keyFile: join(directory, `${name}.key`) };
}

/** Undefined when the files are missing, do not fit each other or the authority, or end soon. */
async function read(files: ClientFiles, now: Date, authority?: Identity): Promise<Identity | undefined> {
  try {
    const certificatePem = await readFile(files.certFile, "utf8");
    const privateKeyPem = await readFile(files.keyFile, "utf8");
    const certificate = new X509Certificate(certificatePem);
    const issuer = new X509Certificate(authority?.certificatePem ?? certificatePem);
    const renewFrom = certificate.validToDate.getTime() - renewDays * 86_400_000;
    const fits = certificate.checkPrivateKey(createPrivateKey(privateKeyPem)) && certificate.verify(issuer.publicKey);
    return fits && now.getTime() < renewFrom ? { certificatePem, privateKeyPem } : undefined;
  } catch {
    return undefined;
  }
}

async function keep(files: ClientFiles, identity: Identity): Promise<Identity> {
  await replace(files.keyFile, identity.privateKeyPem, 0o600);
  await replace(files.certFile, identity.certificatePem, 0o644);
  return identity;
}

async function replace(path: string, content: string, mode: number): Promise<void> {
  await writeFile(`${path}.new`, content, { mode });
  await rename(`${path}.new`, path);
}

async function writeOnce(path: string, content: string): Promise<void> {
  try {
    await writeFile(path, content, { flag: "wx", mode: 0o644 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
}
