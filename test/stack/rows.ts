import pg from "pg";

/** Every row of every table of a database as text, each table under its name; `url` is the owner's. */
export async function rowsOfAllTables(url: string): Promise<string> {
  const owner = new pg.Client({ connectionString: url });
  await owner.connect();
  try {
    const { rows } = await owner.query<{ name: string }>(
      `select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema')`,
    );
    const texts: string[] = [];
    for (const { name } of rows) {
      const found = await owner.query<{ row: string }>(`select t::text as row from ${name} t`);
      texts.push(`${name}:`, ...found.rows.map(({ row }) => row));
    }
    return texts.join("\n");
  } finally {
    await owner.end();
  }
}
