import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { startDaemon } from "../../scripts/stack/daemon.ts";
import { openDevelopment } from "../../src/development.ts";
import { freePort } from "../../src/free-port.ts";
import { makeFolder, projectRoot, removeFolder } from "../stack/folder.ts";
import type { TestNotary } from "../stack/notary.ts";
import type { TestPostgres } from "../stack/postgres.ts";
import { type Address, type Caller, openCaller } from "./caller.ts";

/** The real service process with its default settings, on a database of its own. */
export interface Service {
  readonly pid: number;
  /** Where it is, with the certificate of an admin. */
  readonly address: Address;
  /** The key and certificate it serves with, and the authority of its clients. */
  readonly tls: { readonly certFile: string; readonly keyFile: string; readonly clientCaFile: string };
  /** Its database, as the owner. */
  readonly databaseUrl: string;
  /** Callers as an admin, each on a connection of its own; they are closed with the service. */
  callers(count: number): Promise<readonly [Caller, ...Caller[]]>;
  stop(): Promise<void>;
}

/** Starts `imagetrust serve` and waits until it is ready. `nodeOptions` are flags for its Node, such as those of a profile. */
export async function startService(
  notary: TestNotary,
  postgres: TestPostgres,
  nodeOptions: string | undefined,
): Promise<Service> {
  const folder = await makeFolder("bench-service");
  const dataDirectory = join(folder, "data");
  await mkdir(dataDirectory, { mode: 0o700 });
  const { tls, clients } = await openDevelopment(dataDirectory, new Date());
  const database = await postgres.createDatabase();
  const [port, metricsPort] = [await freePort(), await freePort()];
  const daemon = await startDaemon({
    program: join(projectRoot, "bin/imagetrust"),
    args: ["serve"],
    env: {
      DATABASE_URL: database.appUrl,
      IMAGETRUST_DATA_DIR: dataDirectory,
      IMAGETRUST_KEY_ENCRYPTION_KEY: randomBytes(32).toString("base64"),
      IMAGETRUST_LISTEN: `127.0.0.1:${port}`,
      IMAGETRUST_METRICS_LISTEN: `127.0.0.1:${metricsPort}`,
      IMAGETRUST_HEALTH_WAIT_MS: "0",
      IMAGETRUST_NOTARY_SERVERS: JSON.stringify([
        { name: "main", baseUrl: notary.url, registryHosts: ["*"], caFile: notary.caFile },
      ]),
      ...(nodeOptions === undefined ? {} : { NODE_OPTIONS: nodeOptions }),
    },
    logFile: join(folder, "service.log"),
    isReady: async () => (await fetch(`http://127.0.0.1:${metricsPort}/readyz`)).ok,
    supervised: false,
  });
  const address = { address: `localhost:${port}`, caFile: tls.clientCaFile, ...clients.admin };
  const open: Caller[] = [];
  return {
    pid: daemon.pid,
    address,
    tls,
    databaseUrl: database.ownerUrl,
    callers: async (count) => {
      const first = await openCaller(address);
      const rest = await Promise.all(Array.from({ length: count - 1 }, () => openCaller(address)));
      open.push(first, ...rest);
      return [first, ...rest];
    },
    stop: async () => {
      for (const caller of open) caller.close();
      await daemon.stop();
      await database.drop();
      await removeFolder(folder);
    },
  };
}
