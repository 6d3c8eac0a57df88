import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { type Database, openDatabase, type Transaction } from "../../src/database.ts";
import { stampsOf } from "../../src/trust/trust-stamp.ts";
import { getTrust } from "../../src/trust/trust-view.ts";
import { undelegateFrom } from "./acts.ts";
import { gunOf, type House, initialize, makeTeam, openHouse } from "./house.ts";
import { pushSigned } from "./signers.ts";

const gun = gunOf("dtr.example.org/stamp/rows");

let house: House;
/** Of a superuser, who may do without foreign keys. */
let database: Database;
before(async () => {
  house = await openHouse();
  const url = new URL(house.postgres.adminUrl);
  url.pathname = new URL(house.appUrl).pathname;
  database = openDatabase({ url: url.href });
  const [ann] = await makeTeam(house.core, "qa", ["ann"]);
  assert.equal((await initialize(house.core, gun, ["qa"])).outcome.state, "PUBLISHED");
  if (ann === undefined) throw new Error("a team has no member");
  await pushSigned(house.core, [ann], { gun, role: "targets/qa", version: 1, tags: ["1.0"] });
  // A guard reads Notary before a change is refused or made, and remembers the file.
  await undelegateFrom(house.core, gun, "qa", { validateOnly: true, acceptOrphaned: true });
  await house.core.publisher.stop();
});
after(async () => {
  await database.close();
  await house.stop();
});

/** Tables that a view is built from, and which of their rows concern a repository. */
const concerned: Readonly<Record<string, string>> = {
  collections: "x.id = c.id",
  delegations: "x.collection_id = c.id",
  teams: "x.id in (select d.team_id from delegations d where d.collection_id = c.id)",
  memberships: "x.team_id in (select d.team_id from delegations d where d.collection_id = c.id)",
  certificates: `x.member_id in (select m.member_id from memberships m
    join delegations d on d.team_id = m.team_id where d.collection_id = c.id)`,
  signing_keys: `x.canonical_key_id in (select k.canonical_key_id from live_keys k where k.collection_id = c.id)`,
  collection_keys: "x.collection_id = c.id",
  published_parts: "x.collection_id = c.id",
  seen_files: "x.collection_id = c.id",
};

/** Another value of a column, by its type. */
const otherValues: Readonly<Record<string, readonly string[]>> = {
  bigint: ["% + 1", "% - 1"],
  integer: ["% + 1", "% - 1"],
  text: ["% || 'x'"],
  boolean: ["not %"],
  bytea: ["% || '\\x00'"],
  jsonb: [`% || '{"x":"y"}'`],
  "text[]": ["% || '{x}'"],
  uuid: ["gen_random_uuid()"],
  "timestamp with time zone": ["coalesce(nullif(nullif(%, 'infinity'), '-infinity'), now()) + interval '1 hour'"],
};

/** What a check allows only together, or only in words of its own. */
const together = [
  ["collections", "state = 'OBSERVED'"],
  ["collections", "state = 'DELETING'"],
  ["collections", "block_reason = 'FOREIGN_CHANGE', blocked_at = now()"],
  ["signing_keys", "revoked_at = now(), revocation_reason = 'LEFT'"],
  ["delegations", "valid_to = now(), until_generation = 2, until_revision = 1"],
] as const;

/** Every single thing that could be different in a row, as statements. Some the checks of the tables forbid. */
async function alterations(): Promise<readonly string[]> {
  const columns = await database.rows<{ table: string; column: string; type: string }>(
    `select c.relname as "table", a.attname as "column", format_type(a.atttypid, null) as type
     from pg_attribute a join pg_class c on c.oid = a.attrelid
     where c.relname = any(:tables) and c.relnamespace = 'public'::regnamespace and a.attnum > 0 and a.attname <> 'bytes'`,
    { tables: Object.keys(concerned) },
  );
  const single = columns.flatMap(({ table, column, type }) => {
    const values = otherValues[type];
    if (values === undefined) throw new Error(`no other value is known for ${table}.${column} of type ${type}`);
    return [...values, "null"].map((value) => [table, `${column} = ${value.replaceAll("%", `x.${column}`)}`] as const);
  });
  const updates = [...single, ...together].map(
    ([table, set]) => `update ${table} x set ${set} from collections c where c.gun = :gun and ${concerned[table]}`,
  );
  const deletions = Object.entries(concerned).map(
    ([table, condition]) => `delete from ${table} x using collections c where c.gun = :gun and ${condition}`,
  );
  return [...updates, ...deletions];
}

/** What is seen of the repository in a transaction: its stamp, and the view or why there is none. */
async function seenIn(tx: Transaction) {
  const stamp = (await stampsOf(tx, [gun])).get(gun);
  const view = await getTrust(tx, gun).catch((error: unknown) => error);
  return { stamp, view };
}

/** What is seen with a row altered; undefined where a check forbids it. Leaves nothing behind. */
async function seenAfter(tx: Transaction, alteration: string) {
  await tx.run("savepoint unaltered");
  try {
    const isAllowed = await tx.run(alteration, { gun }).then(
      (rows) => rows > 0,
      () => false,
    );
    return isAllowed ? await seenIn(tx) : undefined;
  } finally {
    await tx.run("rollback to savepoint unaltered");
  }
}

test("whatever is different in a row: where the view differs, so does the stamp", async () => {
  const listed = await alterations();
  const changing = await database.transaction(async (tx) => {
    await tx.run("set local session_replication_role = replica");
    const known = await seenIn(tx);
    const found: string[] = [];
    for (const alteration of listed) {
      const seen = await seenAfter(tx, alteration);
      if (seen === undefined || isDeepStrictEqual(seen.view, known.view)) continue;
      assert.notEqual(seen.stamp, known.stamp, alteration);
      found.push(alteration);
    }
    assert.deepEqual(await seenIn(tx), known);
    return found;
  });
  // Each table has a say in the view; so the list above is not empty words.
  const silent = Object.keys(concerned).filter((table) => !changing.some((one) => one.split(" ").includes(table)));
  assert.deepEqual(silent, []);
  assert.ok(changing.length > 50, `${changing.length} alterations change the view`);
});
