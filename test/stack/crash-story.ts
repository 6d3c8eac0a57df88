import pg from "pg";
import { startEmbeddedPostgres } from "../../src/embedded-postgres.ts";
import { killPostgres } from "./postgres.ts";

/**
 * Run as a program: eight writers insert until PostgreSQL is killed with -9; prints what was acknowledged, what of it is
 * missing after a restart, and who ran the server, as JSON.
 */
async function tell(directory: string): Promise<void> {
  const first = await startEmbeddedPostgres({ directory });
  await runStatement(first.adminUrl, "create table rows(id int primary key)");
  const acknowledged: number[] = [];
  const enough = Promise.withResolvers<void>();
  const writers = Array.from({ length: 8 }, (_, writer) =>
    write(first.adminUrl, writer * 1_000_000, (id) => {
      if (acknowledged.push(id) === 1_000) enough.resolve();
    }),
  );
  await enough.promise;
  await killPostgres(first);
  await Promise.all(writers);
  const second = await startEmbeddedPostgres({ directory });
  const kept = new Set((await runStatement(second.adminUrl, "select id from rows")).map((row) => row["id"]));
  const missing = acknowledged.filter((id) => !kept.has(id));
  console.log(JSON.stringify({ acknowledged: acknowledged.length, missing, uid: process.getuid?.() }));
  await second.stop();
}

/** Inserts one row after another until the connection breaks. */
async function write(url: string, from: number, acknowledge: (id: number) => void): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => undefined);
  await client.connect();
  try {
    for (let id = from; ; id++) {
      await client.query("insert into rows values ($1)", [id]);
      acknowledge(id);
    }
  } catch {
    // The kill we came for.
  }
}

async function runStatement(url: string, sql: string): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<Record<string, unknown>>(sql);
  await client.end();
  return rows;
}

await tell(process.argv[2] ?? "");
