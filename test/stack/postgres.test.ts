import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openDatabase } from "../../src/database.ts";
import { requireSchema } from "../../src/schema.ts";
import { startPostgres, type TestPostgres } from "./postgres.ts";

let postgres: TestPostgres;

before(async () => {
  postgres = await startPostgres();
});
after(() => postgres.stop());

test("each database is migrated, and none sees another's rows", async () => {
  const [one, other] = await Promise.all([postgres.createDatabase(), postgres.createDatabase()]);
  const first = openDatabase({ url: one.appUrl });
  const second = openDatabase({ url: other.appUrl });
  await requireSchema(first);
  await requireSchema(second);
  await first.run("insert into notary_servers(name, base_url) values ('main', 'https://notary.example.org')");
  assert.deepEqual(await second.rows("select name from notary_servers"), []);
  await first.close();
  await second.close();
  await one.drop();
});

test("a killed server answers again at the same address with what it had", async () => {
  const made = await postgres.createDatabase();
  const database = openDatabase({ url: made.appUrl });
  await database.run("insert into notary_servers(name, base_url) values ('main', 'https://notary.example.org')");
  await postgres.kill();
  await assert.rejects(database.rows("select 1"));
  await postgres.restart();
  assert.deepEqual(await database.rows("select name from notary_servers"), [{ name: "main" }]);
  await database.close();
});
