import { randomBytes } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { join } from "node:path";
import { connect } from "node:tls";
import { freePort } from "../../src/free-port.ts";
import { type Daemon, startDaemon } from "./daemon.ts";
import { notaryPrograms, projectRoot } from "./project.ts";
import { runStatements, withDatabase } from "./statements.ts";
import { layTls, type NotaryTls } from "./tls.ts";

export interface LocalNotaryOptions {
  /** The superuser of the PostgreSQL that Notary's two databases are made in. */
  readonly adminUrl: string;
  /** Holds certificates, settings and logs, so that a later start on the same PostgreSQL is the same Notary. */
  readonly directory: string;
  /** Start server and signer again when they die by themselves; default true. */
  readonly supervised?: boolean;
}

/** A real notary-server on SQL storage with a real notary-signer behind it, on 127.0.0.1. */
export interface LocalNotary {
  /** Such as `https://127.0.0.1:12345`; the same at the next start unless somebody else took the port. */
  readonly url: string;
  readonly caFile: string;
  /** notary-server's own database, with all rights. */
  readonly databaseUrl: string;
  readonly signerDatabaseUrl: string;
  readonly server: Daemon;
  readonly signer: Daemon;
  /** Ends both; the databases stay. */
  stop(): Promise<void>;
}

/** Starts notary-signer, then notary-server, on two databases that are made when they are missing. */
export async function startLocalNotary(options: LocalNotaryOptions): Promise<LocalNotary> {
  const { directory, adminUrl } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const settings = await laySettings(directory);
  const [tls, databases] = await Promise.all([layTls(join(directory, "tls")), layDatabases(adminUrl, settings)]);
  const part = { directory, settings, tls, databases, supervised: options.supervised ?? true };
  const signer = await startSigner(part);
  const server = await startServer(part).catch(async (error: unknown) => {
    await signer.stop();
    throw error;
  });
  return {
    url: `https://127.0.0.1:${settings.serverPort}`,
    caFile: tls.caFile,
    databaseUrl: databases.server,
    signerDatabaseUrl: databases.signer,
    server,
    signer,
    stop: async () => {
      await server.stop();
      await signer.stop();
    },
  };
}

/** What must be the same when the same directory is started again; ports where they can be. */
interface Settings {
  readonly name: string;
  readonly password: string;
  readonly passphrase: string;
  readonly serverPort: number;
  readonly signerPort: number;
}

async function laySettings(directory: string): Promise<Settings> {
  const file = join(directory, "settings.json");
  const kept = await readKept(file);
  const settings = {
    name: kept?.name ?? `notary_${randomBytes(6).toString("hex")}`,
    password: kept?.password ?? randomBytes(24).toString("base64url"),
    passphrase: kept?.passphrase ?? randomBytes(24).toString("base64url"),
    serverPort: await freePort(kept?.serverPort),
    signerPort: await freePort(kept?.signerPort),
  };
  await writeFile(`${file}.new`, JSON.stringify(settings), { mode: 0o600 });
  await rename(`${file}.new`, file);
  return settings;
}

async function readKept(file: string): Promise<Settings | undefined> {
  try {
    return JSON.parse(await readFile(file, "utf8")) as Settings;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

interface Databases {
  readonly server: string;
  readonly signer: string;
}

async function layDatabases(adminUrl: string, { name, password }: Settings): Promise<Databases> {
  await ignoring(duplicateObject, runStatements(adminUrl, [`create role ${name} login password '${password}'`]));
  const lay = async (part: "server" | "signer") => {
    const database = `${name}_${part}`;
    await ignoring(duplicateDatabase, runStatements(adminUrl, [`create database ${database} owner ${name}`]));
    const url = new URL(withDatabase(adminUrl, database));
    url.username = name;
    url.password = password;
    await runStatements(url.href, [await readFile(join(projectRoot, `deploy/notary/${part}.sql`), "utf8")]);
    return url.href;
  };
  const [server, signer] = await Promise.all([lay("server"), lay("signer")]);
  return { server, signer };
}

async function ignoring(code: string, work: Promise<void>): Promise<void> {
  await work.catch((error: { code?: string }) => {
    if (error.code !== code) throw error;
  });
}

const duplicateObject = "42710";
const duplicateDatabase = "42P04";

interface Part {
  readonly directory: string;
  readonly settings: Settings;
  readonly tls: NotaryTls;
  readonly databases: Databases;
  readonly supervised: boolean;
}

async function startSigner({ directory, settings, tls, databases, supervised }: Part): Promise<Daemon> {
  const config = {
    server: {
      grpc_addr: `127.0.0.1:${settings.signerPort}`,
      tls_cert_file: tls.signer.certFile,
      tls_key_file: tls.signer.keyFile,
      client_ca_file: tls.caFile,
    },
    // At "info" it logs everything it signs.
    logging: { level: "error" },
    storage: { backend: "postgres", db_url: goUrl(databases.signer), default_alias: "primary" },
  };
  return startDaemon({
    program: join(notaryPrograms, "notary-signer"),
    args: ["-config", await writeConfig(directory, "signer", config)],
    env: { NOTARY_SIGNER_PRIMARY: settings.passphrase },
    logFile: join(directory, "signer.log"),
    isReady: () => acceptsTls(settings.signerPort, tls),
    supervised,
  });
}

async function startServer({ directory, settings, tls, databases, supervised }: Part): Promise<Daemon> {
  const config = {
    server: {
      http_addr: `127.0.0.1:${settings.serverPort}`,
      tls_cert_file: tls.server.certFile,
      tls_key_file: tls.server.keyFile,
    },
    trust_service: {
      type: "remote",
      hostname: "127.0.0.1",
      port: String(settings.signerPort),
      key_algorithm: "ecdsa",
      tls_ca_file: tls.caFile,
      tls_client_cert: tls.signerClient.certFile,
      tls_client_key: tls.signerClient.keyFile,
    },
    logging: { level: "error" },
    storage: { backend: "postgres", db_url: goUrl(databases.server) },
  };
  return startDaemon({
    program: join(notaryPrograms, "notary-server"),
    args: ["-config", await writeConfig(directory, "server", config)],
    logFile: join(directory, "server.log"),
    isReady: () => isHealthy(settings.serverPort, tls),
    supervised,
  });
}

function goUrl(url: string): string {
  return `${url}?sslmode=disable`;
}

async function writeConfig(directory: string, name: string, config: object): Promise<string> {
  const file = join(directory, `${name}.json`);
  await writeFile(file, JSON.stringify(config, undefined, 2), { mode: 0o600 });
  return file;
}

async function acceptsTls(port: number, tls: NotaryTls): Promise<boolean> {
  const [ca, cert, key] = await Promise.all(
    [tls.caFile, tls.signerClient.certFile, tls.signerClient.keyFile].map((file) => readFile(file)),
  );
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port, ca, cert, key, ALPNProtocols: ["h2"] } as object);
    socket.once("error", () => resolve(false));
    socket.once("secureConnect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}

async function isHealthy(port: number, tls: NotaryTls): Promise<boolean> {
  const ca = await readFile(tls.caFile);
  return new Promise((resolve) => {
    const asking = request({ host: "127.0.0.1", port, path: "/_notary_server/health", ca, agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    });
    asking.once("error", () => resolve(false));
    asking.end();
  });
}
