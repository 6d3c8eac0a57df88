import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Database, openDatabase } from "../../src/database.ts";
import { Fault } from "../../src/errors.ts";
import { migrate, requireSchema } from "../../src/schema.ts";
import { projectRoot } from "../stack/folder.ts";
import { runStatements, type TestDatabase } from "../stack/postgres.ts";
import { borrowPostgres, type SharedPostgres } from "../stack/shared-postgres.ts";

let postgres: SharedPostgres;
const open: Database[] = [];

before(async () => {
  postgres = await borrowPostgres();
});
after(async () => {
  for (const database of open) await database.close();
  await postgres.stop();
});

async function served(made: TestDatabase): Promise<Database> {
  const database = openDatabase({ url: made.appUrl });
  open.push(database);
  return database;
}

function refusal(pattern: RegExp) {
  return (error: unknown) =>
    error instanceof Fault && error.reason === "DATABASE_UNAVAILABLE" && pattern.test(error.message);
}

test("every migration file is part of the schema, under its own name", async () => {
  const made = await postgres.createDatabase({ migrated: false });
  const files = (await readdir(join(projectRoot, "migrations"))).map((file) => file.replace(/\.ts$/, "")).sort();
  assert.deepEqual(await migrate(made.ownerUrl), files);
});

test("an empty database is refused with the command to run, and accepted after it", async () => {
  const made = await postgres.createDatabase({ migrated: false });
  const database = await served(made);
  await assert.rejects(requireSchema(database), refusal(/lacks 0001_foundation.*`imagetrust migrate`/));
  await migrate(made.ownerUrl);
  await requireSchema(database);
});

test("a database migrated by a newer version is refused", async () => {
  const made = await postgres.createDatabase();
  await runStatements(made.ownerUrl, ["insert into schema_migrations(name, batch) values ('9999_future', 9)"]);
  await assert.rejects(requireSchema(await served(made)), refusal(/newer imagetrust \(9999_future\)/));
});

test("migrating again changes nothing, and several at once apply each migration once", async () => {
  const made = await postgres.createDatabase({ migrated: false });
  const applied = await Promise.all([migrate(made.ownerUrl), migrate(made.ownerUrl), migrate(made.ownerUrl)]);
  assert.deepEqual(applied.map((names) => names.length > 0).sort(), [false, false, true]);
  assert.deepEqual(await migrate(made.ownerUrl), []);
});

test("a migration that was killed half-way does not lock out the next one", async () => {
  const made = await postgres.createDatabase();
  await runStatements(made.ownerUrl, ["update schema_migrations_lock set is_locked = 1"]);
  assert.deepEqual(await migrate(made.ownerUrl), []);
});

test("the serving role can neither change the schema nor its record", async () => {
  const database = await served(await postgres.createDatabase());
  await assert.rejects(database.run("create table public.mine(i int)"), /permission denied/);
  await assert.rejects(database.run("delete from schema_migrations"), /permission denied/);
  await assert.rejects(database.run("update schema_migrations set name = 'x'"), /permission denied/);
});
