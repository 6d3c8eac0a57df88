import { readFileSync } from "node:fs";
import { chmod, cp, mkdir, symlink, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { join } from "node:path";
import { type Daemon, startDaemon } from "../../scripts/stack/daemon.ts";
import { notaryPrograms } from "../../scripts/stack/project.ts";
import { runStatements } from "../../scripts/stack/statements.ts";
import { startEmbeddedPostgres } from "../../src/embedded-postgres.ts";
import { freePort } from "../../src/free-port.ts";
import { makeFolder, makeVolatileFolder, projectRoot, removeFolder } from "../stack/folder.ts";
import { runToEnd } from "./container.ts";
import type { Mounted, Prepared } from "./prepared.ts";

/** The services around imagetrust in docker-compose.yml as real processes of this machine, on the files that prepare made. */
export interface Surroundings {
  /** What compose's names and ports are here; for `Prepared.mount`. */
  readonly names: Readonly<Record<string, string>>;
  readonly ports: { readonly api: number; readonly metrics: number };
  stop(): Promise<void>;
}

export async function startSurroundings(prepared: Prepared): Promise<Surroundings> {
  await using started = new AsyncDisposableStack();
  const folder = await makeFolder("surroundings");
  started.defer(() => removeFolder(folder));
  const postgres = await startPristinePostgres(started);
  await runDatabasesScript(prepared, folder, postgres.adminUrl);
  const ports = {
    server: await freePort(),
    signer: await freePort(),
    api: await freePort(),
    metrics: await freePort(),
  };
  const names = {
    "postgres:5432": `127.0.0.1:${postgres.port}`,
    "notary-server:4443": `localhost:${ports.server}`,
    "imagetrust:8443": `localhost:${ports.api}`,
    '"notary-signer"': '"localhost"',
    '"7899"': `"${ports.signer}"`,
    '":7899"': `"127.0.0.1:${ports.signer}"`,
    '":4443"': `"127.0.0.1:${ports.server}"`,
  };
  const signer = await startSigner(prepared.mount("notary-signer", names), folder, ports.signer);
  started.defer(() => signer.stop());
  const server = await startServer(prepared.mount("notary-server", names), folder, ports.server);
  started.defer(() => server.stop());
  const running = started.move();
  return { names, ports, stop: () => running.disposeAsync() };
}

/** As the postgres image leaves it before its scripts run: without our roles and databases. */
async function startPristinePostgres(started: AsyncDisposableStack) {
  const directory = await makeVolatileFolder("pristine");
  started.defer(() => removeFolder(directory));
  const postgres = await startEmbeddedPostgres({ directory, durable: false });
  started.defer(() => postgres.stop());
  const roles = ["imagetrust_owner", "imagetrust_app"].map((role) => `drop role ${role}`);
  await runStatements(postgres.adminUrl, ["drop database imagetrust", ...roles]);
  return postgres;
}

/** Runs deploy/postgres/databases.sh itself; what it calls psql is our own. */
async function runDatabasesScript(prepared: Prepared, folder: string, adminUrl: string): Promise<void> {
  const bin = join(folder, "bin");
  await mkdir(bin);
  await symlink(process.execPath, join(bin, "node"));
  await writeFile(join(bin, "psql"), `#!/bin/sh\nexec node ${join(projectRoot, "test/deploy/psql.ts")} "$@"\n`);
  await chmod(join(bin, "psql"), 0o755);
  const { folder: secrets } = prepared.mount("postgres");
  const ended = await runToEnd([join(projectRoot, "deploy/postgres/databases.sh")], {
    env: {
      PATH: `${bin}:/usr/bin:/bin`,
      POSTGRES_USER: "postgres",
      PSQL_URL: adminUrl,
      SECRETS_DIRECTORY: secrets,
      SCHEMAS_DIRECTORY: join(projectRoot, "deploy/notary"),
    },
  });
  if (ended.code !== 0) throw new Error(`databases.sh ended with ${ended.code}: ${ended.stderr}`);
}

async function startSigner({ folder: mounted }: Mounted, folder: string, port: number): Promise<Daemon> {
  const script = join(folder, "run-signer");
  await cp(join(projectRoot, "deploy/notary/run-signer"), script);
  return startDaemon({
    program: "sh",
    args: [script, mounted],
    env: { PATH: `${notaryPrograms}:/usr/bin:/bin` },
    logFile: join(folder, "signer.log"),
    // Compose's own health check.
    isReady: async () => (await runToEnd(["/bin/bash", "-c", `</dev/tcp/127.0.0.1/${port}`], {})).code === 0,
  });
}

function startServer({ folder: mounted }: Mounted, folder: string, port: number): Promise<Daemon> {
  return startDaemon({
    program: join(notaryPrograms, "notary-server"),
    args: ["-config", join(mounted, "config.json")],
    logFile: join(folder, "server.log"),
    isReady: () => isHealthy(port, readFileSync(join(mounted, "ca.pem"))),
  });
}

/** What compose's health check asks with curl. */
function isHealthy(port: number, ca: Buffer): Promise<boolean> {
  const path = "/_notary_server/health";
  return new Promise((resolve) => {
    request({ host: "localhost", port, path, ca, agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode === 200);
    })
      .once("error", () => resolve(false))
      .end();
  });
}
