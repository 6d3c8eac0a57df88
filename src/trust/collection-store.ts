import type { BlockReason, PendingReason } from "../changes/outcome.ts";
import type { Queryable, Transaction } from "../database.ts";
import { endOfPrefix, type Gun } from "../names.ts";
import { type Standing, standingColumns } from "./standing.ts";

/** One collection as the database keeps it. Instants of `-infinity` and `infinity` are undefined. */
export interface Collection {
  readonly id: bigint;
  readonly gun: Gun;
  readonly notary: string;
  readonly keyBackend: string;
  readonly state: "ACTIVE" | "OBSERVED" | "DELETING" | "DELETED";
  readonly incarnation: number;
  /** Generations below it were decided in earlier lives of the GUN. */
  readonly firstGeneration: bigint;
  readonly displayName: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly releasesPaths: readonly string[];
  readonly generation: bigint;
  readonly publishedGeneration: bigint;
  /** Highest landed versions; 0 before the first publication. */
  readonly rootVersion: number;
  readonly targetsVersion: number;
  readonly attempts: number;
  readonly nextAttemptAt: Date | null;
  readonly pendingReason: Exclude<PendingReason, ""> | null;
  readonly lastAnswer: string | null;
  readonly renewAt: Date | null;
  readonly verifiedAt: Date | null;
  readonly publishedAt: Date | null;
  readonly blockReason: BlockReason | null;
  readonly blockDetail: string | null;
  readonly blockedAt: Date | null;
  readonly createdAt: Date;
}

const columns = `c.id, c.gun, c.notary, c.key_backend as "keyBackend", c.state, c.incarnation, c.first_generation as "firstGeneration", c.display_name as "displayName", c.labels,
  c.releases_paths as "releasesPaths", c.generation, c.published_generation as "publishedGeneration",
  c.root_version as "rootVersion", c.targets_version as "targetsVersion", c.attempts,
  nullif(c.next_attempt_at, '-infinity') as "nextAttemptAt", c.pending_reason as "pendingReason", c.last_answer as "lastAnswer",
  nullif(c.renew_at, 'infinity') as "renewAt", c.verified_at as "verifiedAt", c.published_at as "publishedAt",
  c.block_reason as "blockReason", c.block_detail as "blockDetail", c.blocked_at as "blockedAt", c.created_at as "createdAt"`;

/** The collection of a GUN, deleted ones included. */
export function findCollection(db: Queryable, gun: Gun): Promise<Collection | undefined> {
  return db.row(`select ${columns} from collections c where c.gun = :gun`, { gun });
}

export function findCollectionById(db: Queryable, id: bigint): Promise<Collection | undefined> {
  return db.row(`select ${columns} from collections c where c.id = :id`, { id });
}

/** A collection with where its uploads stand: what a turn of the publisher begins with. */
export function findCollectionStanding(db: Queryable, id: bigint): Promise<(Collection & Standing) | undefined> {
  return db.row(`select ${columns}, ${standingColumns} from collections c where c.id = :id`, { id });
}

export function findCollectionsById(db: Queryable, ids: readonly bigint[]): Promise<readonly Collection[]> {
  return db.rows(`select ${columns} from collections c where c.id = any(:ids) order by c.gun`, { ids });
}

/** The collections of these GUNs that are there, ascending by GUN. */
export function findCollectionsOf(db: Queryable, guns: readonly Gun[]): Promise<readonly Collection[]> {
  return db.rows(
    `select ${columns} from collections c where c.gun = any(:guns) and c.state <> 'DELETED' order by c.gun`,
    { guns },
  );
}

/** Takes the collection's row until the transaction ends; foreign keys to it are not held up. */
export function lockCollection(tx: Transaction, id: bigint): Promise<Collection | undefined> {
  return tx.row(`select ${columns} from collections c where c.id = :id for no key update`, { id });
}

export function lockCollectionOf(tx: Transaction, gun: Gun): Promise<Collection | undefined> {
  return tx.row(`select ${columns} from collections c where c.gun = :gun for no key update`, { gun });
}

export interface NewCollection {
  readonly gun: Gun;
  readonly notary: string;
  readonly keyBackend: string;
  readonly displayName: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly releasesPaths: readonly string[];
}

/** Creates the row, or begins the next life of a deleted one; undefined when the GUN is held already. */
export async function insertCollection(
  tx: Transaction,
  fresh: NewCollection,
  now: Date,
): Promise<Collection | undefined> {
  return await tx.row(
    `insert into collections as c(gun, notary, key_backend, state, display_name, labels, releases_paths, dirty_since, created_at, known_since)
     values (:gun, :notary, :keyBackend, 'ACTIVE', :displayName, :labels, :releasesPaths, :now, :now, :now)
     on conflict (gun) do update set notary = excluded.notary, key_backend = excluded.key_backend, state = 'ACTIVE',
       display_name = excluded.display_name, labels = excluded.labels, releases_paths = excluded.releases_paths,
       generation = c.generation + 1, dirty_since = excluded.dirty_since, deleted_at = null, created_at = excluded.created_at
     where c.state = 'DELETED'
     returning ${columns}`,
    { ...fresh, labels: JSON.stringify(fresh.labels), now },
  );
}

/** Decides something new for a collection: bumps its generation and makes it due. Answers the new generation. */
export async function bumpGeneration(tx: Transaction, id: bigint, now: Date): Promise<bigint> {
  const row = await tx.row<{ generation: bigint }>(
    `update collections set generation = generation + 1, dirty_since = coalesce(dirty_since, :now)
     where id = :id returning generation`,
    { id, now },
  );
  if (row === undefined) throw new Error(`collection ${id} is gone`);
  return row.generation;
}

/** Ends a collection that never landed: its row stays for ever and its next life has a new incarnation, hence new keys. */
export async function markDeleted(tx: Transaction, id: bigint, now: Date): Promise<void> {
  await tx.run(
    `update collections set state = 'DELETED', deleted_at = :now, incarnation = incarnation + 1, generation = generation + 1,
       first_generation = generation + 1, published_generation = generation + 1, dirty_since = null, attempts = 0, next_attempt_at = '-infinity', renew_at = 'infinity',
       pending_reason = null, last_answer = null, block_reason = null, block_detail = null, blocked_at = null
     where id = :id`,
    { id, now },
  );
}

export interface CollectionFilter {
  readonly gunPrefix: string;
  readonly team: string;
  readonly states: readonly string[];
}

/** Derived states of imagetrust.v1.CollectionState, in SQL and in one place. */
const derivedState = `case
  when c.state = 'DELETED' then 'DELETED' when c.state = 'DELETING' then 'DELETING' when c.state = 'OBSERVED' then 'OBSERVED'
  when c.block_reason is not null then 'BLOCKED' when c.root_version = 0 then 'INITIALIZING'
  when c.generation > c.published_generation or exists (
    select from delegations d join teams t on t.id = d.team_id
    where d.collection_id = c.id and d.valid_to is null and d.published_revision < t.revision) then 'PENDING'
  else 'IN_SYNC' end`;

export type CollectionState =
  | "INITIALIZING"
  | "IN_SYNC"
  | "PENDING"
  | "BLOCKED"
  | "OBSERVED"
  | "DRIFTED"
  | "DELETING"
  | "DELETED";

/** Collections in ascending order of their GUNs, after the one given, with their derived states. */
export function listCollections(
  db: Queryable,
  filter: CollectionFilter,
  after: string,
  limit: number,
): Promise<readonly (Collection & { readonly derivedState: CollectionState })[]> {
  const conditions = [
    "c.gun > :after",
    ...(filter.gunPrefix === "" ? [] : ["c.gun >= :prefix and c.gun < :prefixEnd"]),
    ...(filter.team === ""
      ? []
      : [
          "exists (select from delegations d where d.collection_id = c.id and d.team_id = :team and d.valid_to is null)",
        ]),
    ...(filter.states.length === 0 ? ["c.state <> 'DELETED'"] : [`${derivedState} = any(:states)`]),
  ];
  return db.rows(
    `select ${columns}, ${derivedState} as "derivedState" from collections c
     where ${conditions.join(" and ")} order by c.gun limit :limit`,
    {
      after,
      limit,
      prefix: filter.gunPrefix,
      prefixEnd: endOfPrefix(filter.gunPrefix),
      team: filter.team,
      states: filter.states,
    },
  );
}

/** The derived state of one collection. */
export async function stateOf(db: Queryable, id: bigint): Promise<CollectionState> {
  const row = await db.row<{ state: CollectionState }>(
    `select ${derivedState} as state from collections c where c.id = :id`,
    { id },
  );
  if (row === undefined) throw new Error(`collection ${id} is gone`);
  return row.state;
}
