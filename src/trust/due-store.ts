import type { Database } from "../database.ts";

/**
 * The collections that something is due for, oldest first: an open upload, a decision or a change of a team not yet live, a renewal,
 * a block to be looked at again. Each branch runs along an index of its own; those worked on already are left out.
 */
export async function dueCollections(
  database: Database,
  notaries: readonly string[],
  busy: readonly bigint[],
  limit: number,
): Promise<readonly bigint[]> {
  const rows = await database.rows<{ id: bigint }>(
    `select c.id from (
       (select u.collection_id as id, u.created_at as since from uploads u where u.state in ('PREPARED', 'READY', 'SENT'))
       union all
       (select id, dirty_since from collections where generation > published_generation and block_reason is null
          and deleted_at is null order by dirty_since limit :wide)
       union all
       (select b.collection_id, t.revised_at from teams t cross join lateral (
          select d.collection_id from delegations d
          where d.team_id = t.id and d.valid_to is null and d.published_revision < t.revision limit :wide) b
        where t.revision > t.settled_revision order by t.revised_at limit :wide)
       union all
       (select id, renew_at from collections where renew_at <= clock_timestamp() and block_reason is null
          and deleted_at is null order by renew_at limit :wide)
       union all
       (select id, next_attempt_at from collections where block_reason is not null and next_attempt_at <= clock_timestamp()
          order by next_attempt_at limit :wide)
     ) due join collections c on c.id = due.id
     where c.notary = any(:notaries) and c.state = 'ACTIVE' and c.next_attempt_at <= clock_timestamp() and c.id <> all(:busy)
     group by c.id order by min(due.since) limit :limit`,
    { notaries, busy, limit, wide: limit + busy.length + 64 },
  );
  return rows.map((row) => row.id);
}

/** One collection that was not walked since `before`, longest ago first; undefined when all were. */
export async function patrolDue(
  database: Database,
  notary: string,
  before: Date,
  busy: readonly bigint[],
): Promise<bigint | undefined> {
  const row = await database.row<{ id: bigint }>(
    `select id from collections where notary = :notary and verified_at < :before and state = 'ACTIVE' and block_reason is null
       and root_version > 0 and id <> all(:busy) order by verified_at limit 1`,
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
