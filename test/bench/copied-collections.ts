import pg from "pg";

/** Patrol comes round as often. */
const patrolHours = 6;

/**
 * Copies a live collection so many times, in the service's database and in notary-server's, as if each had been published: the files are
 * the same to the byte, which name no GUN but in the root's certificate. Their last patrols are spread evenly over its period.
 */
export async function copyCollection(
  gun: string,
  copies: number,
  { serviceUrl, notaryUrl }: { readonly serviceUrl: string; readonly notaryUrl: string },
): Promise<void> {
  const service = await connect(serviceUrl);
  const notary = await connect(notaryUrl);
  try {
    await service.query("begin");
    const { rows } = await service.query<{ id: string }>("select id from collections where gun = $1", [gun]);
    const id = rows[0]?.id;
    if (id === undefined) throw new Error(`there is no collection ${gun}`);
    await copyRows(service, "collections", "gun = $1", gun, copies, {
      gun: "o.gun || '-' || n",
      verified_at: `clock_timestamp() - (n * interval '${patrolHours} hours') / ${copies + 1}`,
    });
    const copied = "(select c.id from collections c where c.gun = $2 || '-' || n)";
    for (const table of ["published_parts", "seen_files", "followed", "delegations", "live_keys"]) {
      await copyRows(service, table, "collection_id = $1", id, copies, { collection_id: copied }, gun);
    }
    await service.query("commit");
    await service.query("analyze");
    await copyRows(notary, "tuf_files", "gun = $1", gun, copies, { gun: "o.gun || '-' || n" });
    await notary.query("analyze");
  } finally {
    await service.end();
    await notary.end();
  }
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return client;
}

/** Copies the rows that meet a condition with other values in some columns, in SQL on the row `o` and the copy's number `n`; ids are new. */
async function copyRows(
  client: pg.Client,
  table: string,
  condition: string,
  of: string,
  copies: number,
  values: Readonly<Record<string, string>>,
  ...more: readonly string[]
): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    "select column_name as name from information_schema.columns where table_name = $1 and column_name <> 'id' and table_schema = 'public'",
    [table],
  );
  const columns = rows.map(({ name }) => name);
  const picked = columns.map((column) => values[column] ?? `o.${column}`);
  await client.query(
    `insert into ${table}(${columns.join(", ")}) select ${picked.join(", ")} from ${table} o, generate_series(1, ${copies}) n where o.${condition}`,
    [of, ...more],
  );
}
