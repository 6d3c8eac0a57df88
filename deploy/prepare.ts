/**
 * Makes every secret and certificate of docker-compose.yml once: a folder for each consumer, and in it only what that one needs.
 * Run it as `prepare.ts FOLDER`; root hands each file to its consumer's account. What an earlier run completed is left alone.
 */
import { randomBytes } from "node:crypto";
import { access, chown, mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createAuthority, type Identity, issueIdentity } from "../src/x509/authority.ts";

const root = process.argv[2];
if (root === undefined) {
  process.stderr.write("usage: prepare.ts FOLDER\n");
  process.exit(2);
}

/** Accounts of the containers: the postgres image's, and those of the two Dockerfiles here. */
const postgres = 999;
const service = 10_001;
const notary = 10_002;

const days = 3_650;
const now = new Date();
/** The name or address under which other machines reach this one. */
const publicHost = process.env["PUBLIC_HOST"] || "localhost";
const complete = join(root, "client", "complete");

if (await isThere(complete)) {
  process.stdout.write("prepared already\n");
} else {
  await prepare();
  process.stdout.write("prepared\n");
}

async function prepare(): Promise<void> {
  const api = await createAuthority("imagetrust", days, now);
  const notaryCa = await createAuthority("Notary", days, now);
  const roles = ["superuser", "owner", "app", "notary-server", "notary-signer"] as const;
  const passwords = new Map(roles.map((role) => [role, randomBytes(24).toString("base64url")]));
  const urlOf = (role: (typeof roles)[number], user: string, database: string, query = "") =>
    `postgres://${user}:${passwords.get(role)}@postgres:5432/${database}${query}`;

  await write("postgres", postgres, Object.fromEntries([...passwords].map(([role, it]) => [`${role}-password`, it])));
  await write("migrate", service, { "database-url": urlOf("owner", "imagetrust_owner", "imagetrust") });
  await write("imagetrust", service, {
    "database-url": urlOf("app", "imagetrust_app", "imagetrust"),
    "key-encryption-key": randomBytes(32).toString("base64"),
    "client-ca.pem": api.certificatePem,
    ...identityFiles("server", await issueServer(api, "imagetrust")),
    "notary-ca.pem": notaryCa.certificatePem,
    "notary-servers.json": pretty(notaryServers()),
    "policies/entities.json": pretty(entities()),
  });
  await write("notary-signer", notary, {
    "config.json": pretty(signerConfig(urlOf("notary-signer", "notary_signer", "notary_signer", "?sslmode=disable"))),
    passphrase: randomBytes(24).toString("base64url"),
    "ca.pem": notaryCa.certificatePem,
    ...identityFiles("tls", await issueServer(notaryCa, "notary-signer")),
  });
  await write("notary-server", notary, {
    "config.json": pretty(serverConfig(urlOf("notary-server", "notary_server", "notary_server", "?sslmode=disable"))),
    "ca.pem": notaryCa.certificatePem,
    ...identityFiles("tls", await issueServer(notaryCa, "notary-server")),
    ...identityFiles("signer-client", await issueClient(notaryCa, "notary-server")),
  });
  await write("client", service, {
    "ca.pem": api.certificatePem,
    "notary-ca.pem": notaryCa.certificatePem,
    ...identityFiles("admin", await issueClient(api, "admin")),
    ...identityFiles("viewer", await issueClient(api, "viewer")),
    ...identityFiles("auditor", await issueClient(api, "auditor")),
  });
  await writeFile(complete, "");
}

/** Writes the files of one consumer, readable by its account alone; the folder stays ours, so that a broken run can be repeated. */
async function write(consumer: string, account: number, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const path = join(root as string, consumer, name);
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    await rm(path, { force: true });
    await writeFile(path, content, { mode: 0o400, flush: true });
    if (process.getuid?.() === 0) await chown(path, account, account);
  }
}

function identityFiles(name: string, identity: Identity): Readonly<Record<string, string>> {
  return { [`${name}.pem`]: identity.certificatePem, [`${name}-key.pem`]: identity.privateKeyPem };
}

function issueServer(authority: Identity, name: string): Promise<Identity> {
  const isAddress = /^[0-9.]+$|:/.test(publicHost);
  const dns = [...new Set([name, "localhost", ...(isAddress ? [] : [publicHost])])];
  const ips = [...new Set(["127.0.0.1", ...(isAddress ? [publicHost] : [])])];
  return issueIdentity(authority, { name, purposes: ["server"], dns, ips, days }, now);
}

function issueClient(authority: Identity, name: string): Promise<Identity> {
  return issueIdentity(authority, { name, purposes: ["client"], days }, now);
}

/** Who may call and as what; the model is in docs/authorization.md. */
function entities(): object {
  return ["admin", "viewer", "auditor"].map((role) => ({
    uid: { type: "ImageTrust::Identity", id: role },
    attrs: {},
    parents: [{ type: "ImageTrust::Role", id: role }],
  }));
}

function notaryServers(): object {
  return [
    {
      name: "main",
      baseUrl: "https://notary-server:4443",
      publicUrl: `https://${publicHost.includes(":") ? `[${publicHost}]` : publicHost}:4443`,
      registryHosts: ["*"],
      caFile: "/run/prepared/notary-ca.pem",
    },
  ];
}

/** At "info" notary-signer logs everything that it signs. */
function signerConfig(databaseUrl: string): object {
  return {
    server: {
      grpc_addr: ":7899",
      tls_cert_file: "/run/prepared/tls.pem",
      tls_key_file: "/run/prepared/tls-key.pem",
      client_ca_file: "/run/prepared/ca.pem",
    },
    logging: { level: "error" },
    storage: { backend: "postgres", db_url: databaseUrl, default_alias: "primary" },
  };
}

function serverConfig(databaseUrl: string): object {
  return {
    server: {
      http_addr: ":4443",
      tls_cert_file: "/run/prepared/tls.pem",
      tls_key_file: "/run/prepared/tls-key.pem",
    },
    trust_service: {
      type: "remote",
      hostname: "notary-signer",
      port: "7899",
      key_algorithm: "ecdsa",
      tls_ca_file: "/run/prepared/ca.pem",
      tls_client_cert: "/run/prepared/signer-client.pem",
      tls_client_key: "/run/prepared/signer-client-key.pem",
    },
    logging: { level: "error" },
    storage: { backend: "postgres", db_url: databaseUrl },
  };
}

function pretty(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
