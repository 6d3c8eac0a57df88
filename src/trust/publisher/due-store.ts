import type { Database } from "../../database.ts";

export interface DueQuery {
  readonly notary: string;
  /** Collections worked on already. */
  readonly busy: readonly bigint[];
  /** Who asks: an upload that another living process holds is left to it. */
  readonly owner: string;
  readonly now: Date;
}

/** What holds of a collection `c` that may be worked on now. It stands in each branch: what waits must not crowd out what need not. */
const ready = `c.notary = :notary and c.state = 'ACTIVE' and c.next_attempt_at <= clock_timestamp() and c.id <> all(:busy)
  and not exists (select from uploads held where held.collection_id = c.id and held.state in ('PREPARED', 'READY', 'SENT')
    and held.claim_owner <> :owner and held.claim_until >= clock_timestamp())`;

/**
 * The collections of a server that something is due for, oldest first: an open upload, a decision or a change of a team not yet
 * live, a block to be looked at again; renewals come behind these. Each branch runs along an index of its own.
 */
export async function dueCollections(
  database: Database,
  { notary, busy, owner, now }: DueQuery,
  limit: number,
): Promise<readonly bigint[]> {
  const rows = await database.rows<{ id: bigint }>(
    `select due.id from (
       (select c.id, u.created_at as since from uploads u join collections c on c.id = u.collection_id
          where u.state in ('PREPARED', 'READY', 'SENT') and ${ready})
       union all
       (select c.id, c.dirty_since from collections c where c.generation > c.published_generation and c.block_reason is null
          and c.deleted_at is null and ${ready} order by c.dirty_since limit :wide)
       union all
       (select b.id, t.revised_at from teams t cross join lateral (
          select c.id from delegations d join collections c on c.id = d.collection_id
          where d.team_id = t.id and d.valid_to is null and d.published_revision < t.revision and c.block_reason is null and ${ready}
          limit :wide) b
        where t.revision > t.settled_revision order by t.revised_at limit :wide)
       union all
       (select c.id, cast(:now as timestamptz) from collections c where c.renew_at <= :now and c.block_reason is null
          and c.deleted_at is null and ${ready} order by c.renew_at limit :wide)
       union all
       (select c.id, c.next_attempt_at from collections c where c.block_reason is not null and ${ready}
          order by c.next_attempt_at limit :wide)
     ) due group by due.id order by min(due.since) limit :limit`,
    { notary, busy, owner, now, limit, wide: limit + 64 },
  );
  return rows.map((row) => row.id);
}

/** One collection that was not walked since `before`, longest ago first, those in their back-off left out; undefined when all were. */
export async function patrolDue(
  database: Database,
  notary: string,
  before: Date,
  busy: readonly bigint[],
): Promise<bigint | undefined> {
  const row = await database.row<{ id: bigint }>(
    `select id from collections where notary = :notary and verified_at < :before and state = 'ACTIVE' and block_reason is null
       and next_attempt_at <= clock_timestamp() and root_version > 0 and id <> all(:busy) order by verified_at limit 1`,
    { notary, before, busy },
  );
  return row?.id;
}

/** Keeps or takes the lease on a server for `leaseMs`: one publishing replica at a time, as a hint. True while it is ours. */
export async function holdLease(database: Database, notary: string, owner: string, leaseMs: number): Promise<boolean> {
  const held = await database.run(
    `update notary_servers set lease_owner = :owner, lease_until = clock_timestamp() + :leaseMs * interval '1 millisecond'
     where name = :notary and (lease_owner = :owner or lease_owner is null or lease_until < clock_timestamp())`,
    { notary, owner, leaseMs },
  );
  return held === 1;
}

/** Gives all leases back, so that another replica need not wait for their end. */
export async function releaseLeases(database: Database, owner: string): Promise<void> {
  await database.run("update notary_servers set lease_owner = null, lease_until = null where lease_owner = :owner", {
    owner,
  });
}

/** Makes sure that each configured server has its row, to which collections and leases refer. */
export async function registerServers(
  database: Database,
  servers: readonly { readonly name: string; readonly baseUrl: string }[],
): Promise<void> {
  for (const { name, baseUrl } of servers) {
    await database.run(
      `insert into notary_servers(name, base_url) values (:name, :baseUrl)
       on conflict (name) do update set base_url = excluded.base_url where notary_servers.base_url <> excluded.base_url`,
      { name, baseUrl },
    );
  }
}
