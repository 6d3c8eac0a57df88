import { randomBytes } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { join } from "node:path";
import { connect } from "node:tls";
import { freePort } from "../../src/free-port.ts";
import { type Daemon, startDaemon } from "./daemon.ts";
import { makeFolder, projectRoot, removeFolder } from "./folder.ts";
import { runStatements, type TestPostgres, withDatabase } from "./postgres.ts";
import { layTls, type NotaryTls } from "./tls.ts";

export interface NotaryOptions {
  /** A folder to keep certificates and settings in, so that a later start finds the same Notary. */
  readonly directory?: string;
  /** Start server and signer again when they die by themselves; default true. */
  readonly supervised?: boolean;
}

/** A real notary-server on SQL storage with a real notary-signer behind it. URL and ports stay the same over kill and restart. */
export interface TestNotary {
  /** Such as `https://127.0.0.1:12345`. */
  readonly url: string;
  readonly caFile: string;
  /** notary-server's own database, with all rights: for tampering. */
  readonly databaseUrl: string;
  readonly signerDatabaseUrl: string;
  readonly serverPid: number;
  readonly signerPid: number;
  /** How often the server died by itself. */
  readonly serverCrashes: number;
  /** kill -9; it stays down until restartServer(). */
  killServer(): Promise<void>;
  /** Stops the server if it runs, starts it and waits until it answers: an empty cache. */
  restartServer(): Promise<void>;
  /** Waits until the server answers, as after it died by itself. */
  serverReady(): Promise<void>;
  killSigner(): Promise<void>;
  restartSigner(): Promise<void>;
  /** What both have logged. */
  log(): Promise<string>;
  /** Ends both; a folder of its own is removed. The databases stay until their cluster goes. */
  stop(): Promise<void>;
}

/** The folder of the Notary programs that scripts/setup unpacked; nothing of the system's is used. */
export const notaryPrograms = join(projectRoot, ".cache/notary/usr/bin");

/** Starts notary-signer and notary-server on two databases of the cluster. */
export async function startNotary(
  postgres: Pick<TestPostgres, "adminUrl">,
  options: NotaryOptions = {},
): Promise<TestNotary> {
  const folder = options.directory ?? (await makeFolder("notary"));
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const settings = await laySettings(folder);
  const tls = await layTls(join(folder, "tls"));
  const databases = await layDatabases(postgres.adminUrl, settings);
  const supervised = options.supervised ?? true;
  const signer = await startSigner({ folder, settings, tls, databases, supervised });
  const server = await startServer({ folder, settings, tls, databases, supervised });
  return {
    url: `https://127.0.0.1:${settings.serverPort}`,
    caFile: tls.caFile,
    databaseUrl: databases.server,
    signerDatabaseUrl: databases.signer,
    get serverPid() {
      return server.pid;
    },
    get signerPid() {
      return signer.pid;
    },
    get serverCrashes() {
      return server.crashes;
    },
    killServer: () => server.kill(),
    restartServer: () => server.restart(),
    serverReady: () => server.ready(),
    killSigner: () => signer.kill(),
    restartSigner: () => signer.restart(),
    log: async () => `${await signer.log()}\n${await server.log()}`,
    stop: async () => {
      await server.stop();
      await signer.stop();
      if (options.directory === undefined) await removeFolder(folder);
    },
  };
}

/** What must be the same when the same folder is started again. */
interface Settings {
  readonly name: string;
  readonly password: string;
  readonly passphrase: string;
  readonly serverPort: number;
  readonly signerPort: number;
}

async function laySettings(folder: string): Promise<Settings> {
  const file = join(folder, "settings.json");
  const fresh = {
    name: `notary_${randomBytes(6).toString("hex")}`,
    password: randomBytes(24).toString("base64url"),
    passphrase: randomBytes(24).toString("base64url"),
    serverPort: await freePort(),
    signerPort: await freePort(),
  };
  await writeFile(file, JSON.stringify(fresh), { flag: "wx", mode: 0o600 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
  return JSON.parse(await readFile(file, "utf8")) as Settings;
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
  readonly folder: string;
  readonly settings: Settings;
  readonly tls: NotaryTls;
  readonly databases: Databases;
  readonly supervised: boolean;
}

async function startSigner({ folder, settings, tls, databases, supervised }: Part): Promise<Daemon> {
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
    args: ["-config", await writeConfig(folder, "signer", config)],
    env: { NOTARY_SIGNER_PRIMARY: settings.passphrase },
    logFile: join(folder, "signer.log"),
    isReady: () => acceptsTls(settings.signerPort, tls),
    supervised,
  });
}

async function startServer({ folder, settings, tls, databases, supervised }: Part): Promise<Daemon> {
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
    args: ["-config", await writeConfig(folder, "server", config)],
    logFile: join(folder, "server.log"),
    isReady: () => isHealthy(settings.serverPort, tls),
    supervised,
  });
}

function goUrl(url: string): string {
  return `${url}?sslmode=disable`;
}

async function writeConfig(folder: string, name: string, config: object): Promise<string> {
  const file = join(folder, `${name}.json`);
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
