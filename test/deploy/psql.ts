#!/usr/bin/env node
/**
 * The part of psql that deploy/postgres/databases.sh needs, for machines without one: `\set NAME \`COMMAND\``, `\connect`, `\i :NAME`,
 * `:'NAME'` and SQL. PSQL_URL stands for the socket on which the postgres image's superuser is let in.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import pg from "pg";
import { withDatabase } from "../../scripts/stack/statements.ts";

const { values: options } = parseArgs({
  options: {
    "no-psqlrc": { type: "boolean" },
    quiet: { type: "boolean" },
    set: { type: "string", multiple: true },
    username: { type: "string" },
    dbname: { type: "string" },
  },
});
const stopsOnErrors = options.set?.includes("ON_ERROR_STOP=1") === true;
if (!stopsOnErrors || options.username !== "postgres")
  throw new Error("databases.sh calls psql otherwise than expected");

const variables = new Map<string, string>();
let client = await connect(options.dbname ?? "");
let sql = "";

for (const line of readFileSync(0, "utf8").split("\n")) {
  const [, command, first = "", rest = ""] = /^\\(\w+) (\S+) ?(.*)$/.exec(line) ?? [];
  if (command === undefined) sql += `${line}\n`;
  else await obey(command, first, rest);
}
await send();
await client.end();

async function obey(command: string, first: string, rest: string): Promise<void> {
  await send();
  if (command === "set") {
    const script = /^`(.*)`$/.exec(rest)?.[1] ?? "exit 1";
    variables.set(first, execFileSync("/bin/sh", ["-c", script], { encoding: "utf8" }).replace(/\n$/, ""));
  } else if (command === "connect") {
    await client.end();
    client = await connect(first);
  } else if (command === "i") {
    await client.query(readFileSync(readVariable(first.replace(/^:/, "")), "utf8"));
  } else {
    throw new Error(`psql's \\${command} is not known here`);
  }
}

async function connect(database: string): Promise<pg.Client> {
  const made = new pg.Client({ connectionString: withDatabase(process.env["PSQL_URL"] ?? "", database) });
  await made.connect();
  return made;
}

/** One statement at a time: a database cannot be made among others. */
async function send(): Promise<void> {
  const statements = sql
    .replaceAll(/:'(\w+)'/g, (_, name: string) => pg.escapeLiteral(readVariable(name)))
    .split(";\n");
  sql = "";
  for (const statement of statements.filter((it) => it.trim() !== "")) await client.query(statement);
}

function readVariable(name: string): string {
  const value = variables.get(name);
  if (value === undefined) throw new Error(`psql: ${name} is not set`);
  return value;
}
