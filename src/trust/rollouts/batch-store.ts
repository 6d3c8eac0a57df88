import type { Queryable, Transaction } from "../../database.ts";
import type { Gun, TeamId } from "../../names.ts";

/** What a batch grants to its team on each of its repositories, or takes from it there. */
export interface BatchGrant {
  readonly rolloutId: string;
  readonly team: TeamId;
  readonly paths: readonly string[];
  readonly inReleases: boolean;
  readonly acceptOrphaned: boolean;
  readonly acceptRevived: boolean;
  /** The rule it is made for, of whose delegations alone it ends any; null for none. */
  readonly ruleId: string | null;
  /** Whether it ends delegations instead of making them. */
  readonly ends: boolean;
}

/** One repository of a new batch. */
export interface NewBatchItem {
  readonly collectionId: bigint;
  /** The generation that decided it already, to be followed; undefined: it is to be decided. */
  readonly generation: bigint | undefined;
  /** Whether it is so already, live and all. */
  readonly isUnchanged: boolean;
}

/** Keeps what a batch grants and its repositories; two statements however many there are. Its rollout's row is there. */
export async function insertBatch(
  tx: Transaction,
  grant: BatchGrant,
  items: readonly NewBatchItem[],
  now: Date,
): Promise<void> {
  await tx.run(
    `insert into rollout_grants(rollout_id, team_id, paths, in_releases, accept_orphaned, accept_revived, rule_id, ends)
     values (:rolloutId, :team, :paths, :inReleases, :acceptOrphaned, :acceptRevived, :ruleId, :ends)`,
    { ...grant },
  );
  await tx.run(
    `insert into rollout_items(rollout_id, collection_id, generation, result, settled_at)
     select :rolloutId, n.id, n.generation, case when n.is_unchanged then 'UNCHANGED' end, case when n.is_unchanged then cast(:now as timestamptz) end
     from unnest(cast(:ids as bigint[]), cast(:generations as bigint[]), cast(:unchanged as boolean[])) as n(id, generation, is_unchanged)`,
    {
      rolloutId: grant.rolloutId,
      now,
      ids: items.map((item) => item.collectionId),
      generations: items.map((item) => item.generation ?? null),
      unchanged: items.map((item) => item.isUnchanged),
    },
  );
}

/**
 * Takes repositories out of every batch that has not begun them: a later decision on the team's right to sign them stands, also one
 * that changes nothing. Without a team, out of the batches of every team. Their collections are locked, or their teams are.
 */
export async function supersedeBatchItems(
  tx: Transaction,
  { guns, team }: { readonly guns: readonly Gun[]; readonly team: TeamId | undefined },
  now: Date,
): Promise<void> {
  await tx.run(
    `update rollout_items i set result = 'SUPERSEDED', settled_at = :now, detail = 'A later change decided it before its turn came.'
     from (select o.rollout_id, o.collection_id from rollout_items o join rollout_grants g on g.rollout_id = o.rollout_id
           join collections c on c.id = o.collection_id
         where c.gun = any(:guns) and o.result is null and o.generation is null
           and (cast(:team as text) is null or g.team_id = :team)
         order by o.collection_id, o.rollout_id for no key update of o) open
     where i.rollout_id = open.rollout_id and i.collection_id = open.collection_id and i.result is null and i.generation is null`,
    { guns, team: team ?? null, now },
  );
}

/** Whether a batch has still to decide anything for the team. */
export async function hasOpenBatch(db: Queryable, team: TeamId): Promise<boolean> {
  const row = await db.row(
    `select 1 from rollout_grants g where g.team_id = :team
       and exists (select from rollout_items i where i.rollout_id = g.rollout_id and i.result is null and i.generation is null)`,
    { team },
  );
  return row !== undefined;
}

/** A later change of the team's delegation on the collection undid what the item `i` decided before it was live. */
const undone = `i.generation < c.first_generation or (i.generation <= c.published_generation and case when g.ends then exists (
  select from delegations d where d.collection_id = c.id and d.team_id = g.team_id and d.since_generation > i.generation
    and d.since_generation <= c.published_generation and not exists (select from uploads u where u.collection_id = c.id
      and u.state = 'LANDED' and u.to_generation >= i.generation and u.to_generation < d.since_generation))
  else exists (select from delegations d where d.collection_id = c.id and d.team_id = g.team_id and d.since_generation = i.generation
    and d.until_generation <= c.published_generation and d.live_from is null) end)`;

/** The collections of a batch `:id` with their states as of now, by the ranks of rollout-store.ts. */
export const batchItems = `
  select c.id, c.gun, g.team_id as teams, case
      when i.result is not null then array_position(array['PUBLISHED', 'SUPERSEDED', 'UNCHANGED', 'CANCELLED', 'REFUSED'], i.result) + 2
      when i.generation is null then 1
      when ${undone} then 4
      when c.published_generation >= i.generation then 3
      when c.block_reason is not null then 2
      else 1 end as rank, i.detail
  from rollout_items i join rollout_grants g on g.rollout_id = i.rollout_id join collections c on c.id = i.collection_id
  where i.rollout_id = :id`;

/** An item of a batch `r` that is neither settled nor held up by a block of its collection. */
export const pendingItem = `select from rollout_items i join collections c on c.id = i.collection_id
  where i.rollout_id = r.id and i.result is null
    and (i.generation is null or (c.published_generation < i.generation and c.block_reason is null))`;

/** Whether any batch has not finished. */
export async function hasUnfinishedBatch(db: Queryable): Promise<boolean> {
  return (await db.row("select 1 from rollouts where finished_at is null and kind = 'BATCH' limit 1")) !== undefined;
}

/** A batch that has not finished. */
export interface OpenBatch extends BatchGrant {
  readonly actor: string;
  readonly reason: string;
}

/** The batches that have something to decide still, the oldest first. */
export function openBatches(db: Queryable): Promise<readonly OpenBatch[]> {
  return db.rows(
    `select r.id as "rolloutId", r.actor, r.reason, g.team_id as team, g.paths, g.in_releases as "inReleases",
       g.accept_orphaned as "acceptOrphaned", g.accept_revived as "acceptRevived", g.rule_id as "ruleId", g.ends
     from rollouts r join rollout_grants g on g.rollout_id = r.id
     where r.finished_at is null and r.cancelled_at is null
       and exists (select from rollout_items i where i.rollout_id = r.id and i.result is null and i.generation is null)
     order by r.created_at, r.id`,
  );
}

/** Takes or keeps a batch for `holdMs`, as a hint: another process decides the same items at no harm. True while it is ours. */
export async function holdBatch(db: Queryable, rolloutId: string, owner: string, holdMs: number): Promise<boolean> {
  const held = await db.run(
    `update rollout_grants set runner = :owner, runner_until = clock_timestamp() + :holdMs * interval '1 millisecond'
     where rollout_id = :rolloutId and (runner = :owner or runner is null or runner_until < clock_timestamp())`,
    { rolloutId, owner, holdMs },
  );
  return held === 1;
}

/** Gives batches back, so that another process need not wait. */
export async function releaseBatches(db: Queryable, owner: string): Promise<void> {
  await db.run(
    "update rollout_grants set runner = null, runner_until = '-infinity' where runner = :owner and runner_until > '-infinity'",
    { owner },
  );
}

export interface BatchItem {
  readonly collectionId: bigint;
  readonly gun: Gun;
}

/** The next collections to decide: so many that at most `window` are decided and on their way, those that are blocked left out. */
export function nextBatchItems(db: Queryable, rolloutId: string, window: number): Promise<readonly BatchItem[]> {
  return db.rows(
    `select i.collection_id as "collectionId", c.gun from rollout_items i join collections c on c.id = i.collection_id
     where i.rollout_id = :rolloutId and i.result is null and i.generation is null and i.next_attempt_at <= clock_timestamp()
     order by i.collection_id
     limit greatest(0, cast(:window as bigint) - (select count(*) from rollout_items w join collections h on h.id = w.collection_id
       where w.rollout_id = :rolloutId and w.result is null and w.generation > h.published_generation and h.block_reason is null))`,
    { rolloutId, window },
  );
}

/** Notes that an item is decided, by which generation, or that it was so already; false when it is no longer to be decided. */
export async function beginBatchItem(
  tx: Transaction,
  rolloutId: string,
  collectionId: bigint,
  generation: bigint | undefined,
  now: Date,
): Promise<boolean> {
  const begun = await tx.run(
    `update rollout_items set generation = :generation, result = case when cast(:generation as bigint) is null then 'UNCHANGED' end,
       settled_at = case when cast(:generation as bigint) is null then cast(:now as timestamptz) end
     where rollout_id = :rolloutId and collection_id = :collectionId and result is null and generation is null`,
    { rolloutId, collectionId, generation: generation ?? null, now },
  );
  return begun === 1;
}

/** Settles an item for which the change was refused; false when it is no longer to be decided. */
export async function refuseBatchItem(
  tx: Transaction,
  rolloutId: string,
  collectionId: bigint,
  detail: string,
  now: Date,
): Promise<boolean> {
  const refused = await tx.run(
    `update rollout_items set result = 'REFUSED', detail = :detail, settled_at = :now
     where rollout_id = :rolloutId and collection_id = :collectionId and result is null and generation is null`,
    { rolloutId, collectionId, detail, now },
  );
  return refused === 1;
}

/** Lets an item that could not be decided just now wait for a while. */
export async function postponeBatchItem(
  db: Queryable,
  rolloutId: string,
  collectionId: bigint,
  detail: string,
  waitMs: number,
): Promise<void> {
  await db.run(
    `update rollout_items set detail = :detail, next_attempt_at = clock_timestamp() + :waitMs * interval '1 millisecond'
     where rollout_id = :rolloutId and collection_id = :collectionId and result is null and generation is null`,
    { rolloutId, collectionId, detail, waitMs },
  );
}

/** Gives up all that a batch has not begun, and answers how many; what is being decided meanwhile is waited for. */
export async function cancelBatchItems(tx: Transaction, rolloutId: string, now: Date): Promise<number> {
  return await tx.run(
    `update rollout_items set result = 'CANCELLED', settled_at = :now, detail = 'The rollout was stopped before its turn came.'
     where rollout_id = :rolloutId and result is null and generation is null`,
    { rolloutId, now },
  );
}

/** Settles the items whose decision has landed, or was undone before it was live, and finishes the batches that are all settled: their ids. */
export async function settleBatches(db: Queryable, now: Date): Promise<readonly string[]> {
  await db.run(
    `update rollout_items i set result = case when ${undone} then 'SUPERSEDED' else 'PUBLISHED' end, settled_at = :now, detail = ''
     from rollouts r, rollout_grants g, collections c
     where r.finished_at is null and r.kind = 'BATCH' and g.rollout_id = r.id and i.rollout_id = r.id and c.id = i.collection_id
       and i.result is null and (c.published_generation >= i.generation or i.generation < c.first_generation)`,
    { now },
  );
  const finished = await db.rows<{ id: string }>(
    `update rollouts r set finished_at = :now where r.finished_at is null and r.kind = 'BATCH'
       and not exists (select from rollout_items i where i.rollout_id = r.id and i.result is null) returning r.id`,
    { now },
  );
  return finished.map(({ id }) => id);
}
