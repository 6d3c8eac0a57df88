import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { startLocalNotary } from "../../scripts/stack/notary.ts";
import { makeFolder, removeFolder } from "./folder.ts";
import { keepFile, keepSecret } from "./kept.ts";
import type { TestPostgres } from "./postgres.ts";
import { copyTls } from "./tls.ts";

export { notaryPrograms } from "../../scripts/stack/project.ts";

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

/** Starts notary-signer and notary-server on two databases of the cluster. */
export async function startNotary(
  postgres: Pick<TestPostgres, "adminUrl">,
  options: NotaryOptions = {},
): Promise<TestNotary> {
  const directory = options.directory ?? (await makeFolder("notary"));
  await copyTls(join(directory, "tls"));
  const notary = await startLocalNotary({ ...options, adminUrl: postgres.adminUrl, directory });
  const { url, caFile, databaseUrl, signerDatabaseUrl, server, signer } = notary;
  return {
    url,
    caFile,
    databaseUrl,
    signerDatabaseUrl,
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
      await notary.stop();
      await keepNotary(directory);
      if (options.directory === undefined) await removeFolder(directory);
    },
  };
}

/** For the search at the end of a run: what both have logged, and their secrets. */
async function keepNotary(directory: string): Promise<void> {
  for (const part of ["server", "signer"]) keepFile(`notary-${part}-log`, join(directory, `${part}.log`));
  const text = await readFile(join(directory, "settings.json"), "utf8");
  const { passphrase, password } = JSON.parse(text) as { passphrase: string; password: string };
  keepSecret("notary-signer's passphrase", passphrase);
  keepSecret("Notary's database password", password);
}
