import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, chmod, mkdir, mkdtemp, readdir, readFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { startEmbeddedPostgres } from "../../src/embedded-postgres.ts";
import { migrate } from "../../src/schema.ts";
import { projectRoot, removeFolder } from "./folder.ts";

/** The database of every laid cluster that new databases are copied from. */
export const migratedTemplate = "imagetrust_template";

/**
 * Lays a migrated cluster into an empty folder, as a copy of one made once for this schema and kept in .cache.
 * A folder that holds a cluster is left as it is.
 */
export async function layCluster(directory: string): Promise<void> {
  if (await exists(join(directory, "cluster"))) return;
  const seed = await findSeed();
  await promisify(execFile)("cp", ["-a", "--reflink=auto", `${seed}/.`, directory]);
}

async function findSeed(): Promise<string> {
  const seeds = join(projectRoot, ".cache/test-postgres");
  const seed = join(seeds, await seedName());
  if (await exists(seed)) return seed;
  await mkdir(seeds, { recursive: true });
  const draft = await mkdtemp(`${seed}.`);
  try {
    if (process.getuid?.() === 0) await chmod(draft, 0o711);
    await makeSeed(draft);
    await rename(draft, seed);
    await removeOldSeeds(seeds, seed);
  } catch (error) {
    // Another test file may have been faster.
    if (!(await exists(seed))) throw error;
  } finally {
    await removeFolder(draft);
  }
  return seed;
}

/** Seeds of earlier schemas; those of the last hour may still be in use beside us. */
async function removeOldSeeds(seeds: string, current: string): Promise<void> {
  for (const name of await readdir(seeds)) {
    const path = join(seeds, name);
    const made = (await stat(path).catch(() => undefined))?.ctimeMs ?? Date.now();
    if (path !== current && made < Date.now() - 3_600_000) await removeFolder(path).catch(() => undefined);
  }
}

/** Changes with everything a seed is made of. */
async function seedName(): Promise<string> {
  const hash = createHash("sha256");
  const sources = ["src/embedded-cluster.ts", "src/embedded-postgres.ts", "src/schema.ts", "package-lock.json"];
  const migrations = (await readdir(join(projectRoot, "migrations"))).sort().map((file) => `migrations/${file}`);
  for (const file of [...sources, ...migrations]) hash.update(await readFile(join(projectRoot, file)));
  return `${hash.digest("hex").slice(0, 16)}-${process.getuid?.()}`;
}

async function makeSeed(directory: string): Promise<void> {
  const server = await startEmbeddedPostgres({ directory, durable: false });
  try {
    await migrate(server.ownerUrl);
    const client = new pg.Client({ connectionString: server.adminUrl });
    await client.connect();
    await client.query(`create database ${migratedTemplate} template imagetrust owner imagetrust_owner`);
    await client.end();
  } finally {
    await server.stop();
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
