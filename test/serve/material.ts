import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openDevelopment } from "../../src/development.ts";
import type { TlsFiles } from "../../src/rpc/tls.ts";
import { createAuthority, issueIdentity } from "../../src/x509/authority.ts";

/**
 * TLS files and policies of a service. Those that it is told of are links into another folder, whose changes cause no event where
 * it watches: before its next poll, half a minute later, only SIGHUP makes it look.
 */
export interface Material {
  readonly tls: TlsFiles;
  readonly policyDirectory: string;
  /** Identities of an admin and a viewer, as PEM. */
  readonly clients: Readonly<Record<"admin" | "viewer", ClientPem>>;
  /** Puts a new authority, a new server certificate and another admin, `newcomer`, in the place of all that was. */
  replace(): Promise<Material["clients"]["admin"]>;
}

/** What a client connects with. */
export interface ClientPem {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

export async function layMaterial(folder: string): Promise<Material> {
  const made = await openDevelopment(join(folder, "material"), new Date());
  const served = join(folder, "served");
  const policyDirectory = join(served, "policies");
  await mkdir(policyDirectory, { recursive: true });
  const link = async (to: string, name: string) => {
    await symlink(to, join(served, name));
    return join(served, name);
  };
  const tls = {
    certFile: await link(made.tls.certFile, "server.pem"),
    keyFile: await link(made.tls.keyFile, "server.key"),
    clientCaFile: await link(made.tls.clientCaFile, "ca.pem"),
  };
  const entities = join(made.policyDirectory, "entities.json");
  await link(entities, "policies/entities.json");
  const clientOf = async ({ certFile, keyFile }: { readonly certFile: string; readonly keyFile: string }) => ({
    ca: await readFile(made.tls.clientCaFile),
    cert: await readFile(certFile),
    key: await readFile(keyFile),
  });
  return {
    tls,
    policyDirectory,
    clients: { admin: await clientOf(made.clients.admin), viewer: await clientOf(made.clients.viewer) },
    replace: () => replace(made.tls, entities),
  };
}

async function replace(tls: TlsFiles, entities: string): Promise<ClientPem> {
  const now = new Date();
  const authority = await createAuthority("the next authority", 2, now);
  const name = { dns: ["localhost"], ips: ["127.0.0.1"], days: 1 };
  const server = await issueIdentity(authority, { name: "server", purposes: ["server"], ...name }, now);
  const client = await issueIdentity(authority, { name: "newcomer", purposes: ["client"], days: 1 }, now);
  const uid = (type: string, id: string) => ({ type: `ImageTrust::${type}`, id });
  await writeFile(
    entities,
    JSON.stringify([{ uid: uid("Identity", "newcomer"), parents: [uid("Role", "admin")], attrs: {} }]),
  );
  await writeFile(tls.certFile, server.certificatePem);
  await writeFile(tls.keyFile, server.privateKeyPem);
  await writeFile(tls.clientCaFile, authority.certificatePem);
  const [ca, cert, key] = [authority.certificatePem, client.certificatePem, client.privateKeyPem].map((pem) =>
    Buffer.from(pem),
  ) as [Buffer, Buffer, Buffer];
  return { ca, cert, key };
}
