import { randomBytes } from "node:crypto";
import { runStatements } from "../stack/postgres.ts";
import type { House } from "../trust/house.ts";

/** The service's whole database as of one moment. */
export interface Dump {
  /** Puts the database back to that moment; every connection to it breaks. */
  restore(): Promise<void>;
}

/** Copies the service's database as a dump would hold it. Every connection to it breaks, as PostgreSQL copies a database at rest. */
export async function takeDump({ postgres }: House): Promise<Dump> {
  const live = new URL(postgres.ownerUrl).pathname.slice(1);
  const dump = `dump_${randomBytes(6).toString("hex")}`;
  await runStatements(postgres.adminUrl, [
    `alter database ${live} with allow_connections false`,
    `select pg_terminate_backend(pid) from pg_stat_activity where datname = '${live}'`,
    `create database ${dump} template ${live} owner imagetrust_owner`,
    `alter database ${live} with allow_connections true`,
  ]);
  return {
    restore: () =>
      runStatements(postgres.adminUrl, [
        `drop database ${live} with (force)`,
        `create database ${live} template ${dump} owner imagetrust_owner`,
      ]),
  };
}
