import createKnex, { type Knex } from "knex";
import * as foundation from "../migrations/0001_foundation.ts";
import * as signatures from "../migrations/0002_signatures.ts";
import * as rollouts from "../migrations/0003_rollouts.ts";
import * as expiry from "../migrations/0004_expiry.ts";
import * as possession from "../migrations/0005_possession.ts";
import * as authority from "../migrations/0006_authority.ts";
import * as landedSignatures from "../migrations/0007_landed_signatures.ts";
import * as rules from "../migrations/0008_rules.ts";
import type { Database } from "./database.ts";
import { Fault } from "./errors.ts";

interface Migration {
  readonly name: string;
  up(knex: Knex): Promise<void>;
  down(knex: Knex): Promise<void>;
}

/** Append only: names and order are recorded in every database there is. */
const migrations: readonly Migration[] = [
  { name: "0001_foundation", ...foundation },
  { name: "0002_signatures", ...signatures },
  { name: "0003_rollouts", ...rollouts },
  { name: "0004_expiry", ...expiry },
  { name: "0005_possession", ...possession },
  { name: "0006_authority", ...authority },
  { name: "0007_landed_signatures", ...landedSignatures },
  { name: "0008_rules", ...rules },
];

const bookkeeping = "schema_migrations";

/**
 * Brings the owner's database to this version's schema; several at once take turns, and a second run changes nothing.
 * Answers the names of the migrations it applied. Each is one transaction, so a broken run leaves no half schema.
 */
export async function migrate(ownerUrl: string): Promise<readonly string[]> {
  const knex = createKnex({
    client: "pg",
    connection: { connectionString: ownerUrl, application_name: "imagetrust-migrate", connectionTimeoutMillis: 10_000 },
    // One connection, so that everything below runs under the lock it takes first.
    pool: { min: 1, max: 1 },
    migrations: { migrationSource: source, tableName: bookkeeping },
  });
  try {
    await requireServerVersion(knex);
    await knex.raw("select pg_advisory_lock(hashtext('imagetrust.migrate'))");
    // A migration that was killed leaves knex's own lock behind; ours went with its connection.
    await knex.migrate.forceFreeMigrationsLock();
    const [, applied] = (await knex.migrate.latest()) as [number, string[]];
    await knex.raw(`revoke insert, update on ${bookkeeping}, ${bookkeeping}_lock from imagetrust_app`);
    return applied;
  } finally {
    await knex.destroy();
  }
}

const source: Knex.MigrationSource<Migration> = {
  getMigrations: () => Promise.resolve([...migrations]),
  getMigrationName: (migration) => migration.name,
  getMigration: (migration) => Promise.resolve({ up: migration.up, down: migration.down }),
};

async function requireServerVersion(knex: Knex): Promise<void> {
  const { rows } = (await knex.raw("select current_setting('server_version_num')::int as version")) as {
    rows: readonly { version: number }[];
  };
  const version = rows[0]?.version ?? 0;
  if (version >= 150_000) return;
  throw new Fault("DATABASE_UNAVAILABLE", `PostgreSQL 15 or newer is needed; this server is ${version}.`);
}

/** Refuses to work on a schema of another version, with a Fault that says what to run. */
export async function requireSchema(database: Database): Promise<void> {
  const applied = await appliedMigrations(database);
  const expected = migrations.map((migration) => migration.name);
  const missing = expected.filter((name) => !applied.includes(name));
  if (missing.length > 0) {
    throw new Fault(
      "DATABASE_UNAVAILABLE",
      `The database lacks ${missing.join(", ")}; run \`imagetrust migrate\` as the owner of its tables.`,
    );
  }
  const unknown = applied.filter((name) => !expected.includes(name));
  if (unknown.length > 0) {
    throw new Fault(
      "DATABASE_UNAVAILABLE",
      `The database was migrated by a newer imagetrust (${unknown.join(", ")}); run that version, ` +
        "or restore a backup and run this version's `imagetrust migrate`.",
    );
  }
}

async function appliedMigrations(database: Database): Promise<readonly string[]> {
  try {
    const rows = await database.rows<{ name: string }>(`select name from ${bookkeeping} order by id`);
    return rows.map((row) => row.name);
  } catch (error) {
    if ((error as { code?: unknown }).code === undefinedTable) return [];
    throw error;
  }
}

const undefinedTable = "42P01";
