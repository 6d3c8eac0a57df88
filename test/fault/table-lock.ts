import pg from "pg";
import { until } from "./until.ts";

/** A table in which nobody else can write, or not even read, until it is given free. */
export interface TableLock {
  /** Resolves when somebody waits for the table. */
  readonly met: () => Promise<void>;
  /** Gives the table free; a second time does nothing. */
  readonly release: () => Promise<void>;
}

/** Locks a table from a connection of its own: `share` lets others read, `access exclusive` does not. */
export async function lockTable(url: string, table: string, mode: "share" | "access exclusive"): Promise<TableLock> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => undefined);
  await client.connect();
  await client.query(`begin; lock table ${table} in ${mode} mode`);
  const waiting = "select 1 from pg_locks where relation = cast($1 as regclass) and not granted";
  let released: Promise<void> | undefined;
  return {
    met: () =>
      until(async () => (await client.query(waiting, [table])).rowCount !== 0, `somebody to wait for ${table}`),
    release: () => {
      released ??= client.end();
      return released;
    },
  };
}
