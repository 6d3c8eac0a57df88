import { randomBytes } from "node:crypto";
import { access, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createAuthority, type Identity, issueIdentity } from "../../src/x509/authority.ts";
import { identityFiles, modes, pretty, writeFiles } from "./consumer.ts";
import { notaryServers, serverConfig, signerConfig } from "./notary.ts";
import { entitiesPath, entityOf } from "./rights.ts";

const days = 3_650;
const roles = ["superuser", "owner", "app", "notary-server", "notary-signer"] as const;
const firstClients = ["admin", "viewer", "auditor"] as const;

/** Whether an earlier run made everything. */
export function isPrepared(root: string): Promise<boolean> {
  return access(completeFile(root)).then(
    () => true,
    () => false,
  );
}

/**
 * Makes every secret and certificate of docker-compose.yml. Of the two authorities only the one of imagetrust's callers keeps its key,
 * where nobody but `prepare` looks; Notary's issues nothing further.
 */
export async function prepareFirstStart(root: string, publicHost: string, now: Date): Promise<void> {
  const api = await createAuthority("imagetrust", days, now);
  const notaryCa = await createAuthority("Notary", days, now);
  const serverOf = (authority: Identity, name: string) => issueServer(authority, name, publicHost, now);
  const clientOf = (authority: Identity, name: string) =>
    issueIdentity(authority, { name, purposes: ["client"], days }, now);
  const passwords = new Map(roles.map((role) => [role, randomBytes(24).toString("base64url")]));
  const urlOf = (role: (typeof roles)[number], user: string, database: string, query = "") =>
    `postgres://${user}:${passwords.get(role)}@postgres:5432/${database}${query}`;

  await writeFiles(root, "ca", identityFiles("imagetrust", api));
  await writeFiles(root, "postgres", Object.fromEntries([...passwords].map(([role, it]) => [`${role}-password`, it])));
  await writeFiles(root, "migrate", { "database-url": urlOf("owner", "imagetrust_owner", "imagetrust") });
  await writeFiles(root, "imagetrust", {
    "database-url": urlOf("app", "imagetrust_app", "imagetrust"),
    "key-encryption-key": randomBytes(32).toString("base64"),
    "client-ca.pem": api.certificatePem,
    ...identityFiles("server", await serverOf(api, "imagetrust")),
    "notary-ca.pem": notaryCa.certificatePem,
    "notary-servers.json": pretty(notaryServers(publicHost)),
  });
  const entities = firstClients.map((role) => entityOf(role, { role, owns: [] }));
  await writeFiles(root, "imagetrust", { [entitiesPath]: pretty(entities) }, modes.open);
  await writeFiles(root, "notary-signer", {
    "config.json": pretty(signerConfig(urlOf("notary-signer", "notary_signer", "notary_signer", "?sslmode=disable"))),
    passphrase: randomBytes(24).toString("base64url"),
    "ca.pem": notaryCa.certificatePem,
    ...identityFiles("tls", await serverOf(notaryCa, "notary-signer")),
  });
  await writeFiles(root, "notary-server", {
    "config.json": pretty(serverConfig(urlOf("notary-server", "notary_server", "notary_server", "?sslmode=disable"))),
    "ca.pem": notaryCa.certificatePem,
    ...identityFiles("tls", await serverOf(notaryCa, "notary-server")),
    ...identityFiles("signer-client", await clientOf(notaryCa, "notary-server")),
  });
  await writeFiles(root, "client", { "ca.pem": api.certificatePem, "notary-ca.pem": notaryCa.certificatePem });
  for (const name of firstClients) await writeFiles(root, "client", identityFiles(name, await clientOf(api, name)));
  await writeFile(completeFile(root), "");
}

function completeFile(root: string): string {
  return join(root, "client", "complete");
}

function issueServer(authority: Identity, name: string, publicHost: string, now: Date): Promise<Identity> {
  const isAddress = /^[0-9.]+$|:/.test(publicHost);
  const dns = [...new Set([name, "localhost", ...(isAddress ? [] : [publicHost])])];
  const ips = [...new Set(["127.0.0.1", ...(isAddress ? [publicHost] : [])])];
  return issueIdentity(authority, { name, purposes: ["server"], dns, ips, days }, now);
}
