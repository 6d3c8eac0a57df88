import type { PublicationState, Rollout } from "../../changes/outcome.ts";
import type { Queryable, Transaction } from "../../database.ts";
import type { Gun, TeamId } from "../../names.ts";
import { batchItems, pendingItem } from "./batch-store.ts";

export interface NewRollout {
  readonly id: string;
  readonly kind: Rollout["kind"];
  readonly actor: string;
  readonly reason: string;
  readonly total: number;
}

/** A team's part in a rollout: the revision to be published, and what it changes. */
export interface RolloutTeam {
  readonly team: TeamId;
  readonly revision: bigint;
  readonly keysAdded: readonly string[];
  readonly keysRemoved: readonly string[];
}

/** Starts a rollout: one row and one a team, however many collections it concerns. */
export async function insertRollout(
  tx: Transaction,
  rollout: NewRollout,
  teams: readonly RolloutTeam[],
  now: Date,
): Promise<void> {
  await tx.run(
    "insert into rollouts(id, kind, actor, reason, total, created_at) values (:id, :kind, :actor, :reason, :total, :now)",
    { ...rollout, now },
  );
  for (const team of teams) {
    await tx.run(
      `insert into rollout_teams(rollout_id, team_id, revision, keys_added, keys_removed)
       values (:id, :team, :revision, :keysAdded, :keysRemoved)`,
      { id: rollout.id, ...team },
    );
  }
}

/**
 * Which delegations a rollout's team `rt` concerns: those in force when it was decided. Told by the team's revisions, which every
 * change holds still, and not by the clocks of the replicas.
 */
const belongs =
  "d.team_id = rt.team_id and d.since_revision < rt.revision and coalesce(d.until_revision, rt.revision) >= rt.revision";

/** A delegation in force, or one that has ended and still is live. */
const open = (row: string): string =>
  `${row}.valid_to is null or (${row}.live_from is not null and ${row}.live_to is null)`;

/**
 * Whether the upload with which the revision landed held a key for the team. Without one nothing had to be sent, and what is live
 * now is what was.
 */
const heldThen = `k.collection_id = c.id and k.role = 'targets/' || rt.team_id and (landing.id is null or k.from_upload <= landing.id)
  and (k.to_upload is null or k.to_upload > landing.id)`;

/**
 * Each collection of a change of teams with its state as of now. A delegation that was decided anew since, with other paths, carries the
 * rollout on. PUBLISHED: the revision has landed, with what it added and without what it removed; SUPERSEDED: a later change undid
 * that before it was live; BLOCKED and PENDING: not yet landed, the end of a delegation that is live included.
 */
const teamItems = `
  select c.id, c.gun, string_agg(rt.team_id, ', ' order by rt.team_id) as teams, min(case
      when now.published < rt.revision then
        case when not now.is_open then 4 when c.block_reason is not null then 2 else 1 end
      when (select count(*) from live_keys k where ${heldThen} and k.tuf_key_id = any(rt.keys_added)) < cardinality(rt.keys_added)
        or exists (select from live_keys k where ${heldThen} and k.tuf_key_id = any(rt.keys_removed)) then 4
      else 3 end) as rank, '' as detail
  from rollouts r join rollout_teams rt on rt.rollout_id = r.id
    join delegations d on ${belongs}
    join collections c on c.id = d.collection_id
    cross join lateral (select min(ud.upload_id) as id from uploads u join upload_delegations ud on ud.upload_id = u.id
        join delegations o on o.id = ud.delegation_id
      where u.collection_id = c.id and u.state = 'LANDED' and o.team_id = d.team_id and ud.revision >= rt.revision) landing
    cross join lateral (select max(o.published_revision) as published, bool_or(${open("o")}) as is_open
      from delegations o where o.collection_id = d.collection_id and o.team_id = d.team_id) now
  where r.id = :id group by c.id, c.gun`;

/** Each collection of a rollout of any kind. */
const items = `${teamItems} union all ${batchItems}`;

/** A delegation through which a team `rt` of a rollout `r` has not landed yet. */
const behind = `select from delegations now join collections c on c.id = now.collection_id
  where now.team_id = rt.team_id and (${open("now")}) and now.published_revision < rt.revision
    and exists (select from delegations d where d.collection_id = now.collection_id and ${belongs})
    and not exists (select from delegations o where o.collection_id = now.collection_id and o.team_id = now.team_id
      and o.published_revision >= rt.revision)`;

const stateOfRank: Readonly<Record<number, PublicationState>> = {
  1: "PENDING",
  2: "BLOCKED",
  3: "PUBLISHED",
  4: "SUPERSEDED",
  5: "UNCHANGED",
  6: "CANCELLED",
  7: "REFUSED",
};

/** The rollout with its counts as of now, or undefined when there is none of that id. */
export async function findRollout(db: Queryable, id: string): Promise<Rollout | undefined> {
  const row = await db.row<RolloutRow>(`select ${columns} from rollouts r where r.id = :id`, { id });
  if (row === undefined) return undefined;
  const counts = await db.rows<{ rank: number; count: bigint }>(
    `select rank, count(*) as count from (${items}) i group by rank`,
    { id },
  );
  const count = (rank: number): number => Number(counts.find((one) => one.rank === rank)?.count ?? 0n);
  return {
    ...rolloutOf(row),
    pending: count(1),
    blocked: count(2),
    published: count(3),
    superseded: count(4),
    unchanged: count(5),
    cancelled: count(6),
    refused: count(7),
  };
}

type RolloutRow = Pick<Rollout, "id" | "kind" | "actor" | "reason" | "total" | "createdAt"> & {
  readonly finishedAt: Date | null;
  readonly cancelledAt: Date | null;
};

const columns = `r.id, r.kind, r.actor, r.reason, r.total, r.created_at as "createdAt", r.finished_at as "finishedAt",
  r.cancelled_at as "cancelledAt"`;

function rolloutOf(row: RolloutRow): Rollout {
  const none = { pending: 0, blocked: 0, published: 0, superseded: 0, unchanged: 0, cancelled: 0, refused: 0 };
  return { ...row, finishedAt: row.finishedAt ?? undefined, cancelledAt: row.cancelledAt ?? undefined, ...none };
}

export interface RolloutFilter {
  readonly kind: Rollout["kind"] | "";
  readonly actor: string;
  readonly unfinished: boolean;
}

/** The place of a rollout in their order: when it was made, in microseconds since 1970, and its id. */
export interface RolloutPlace {
  readonly createdMicros: bigint;
  readonly id: string;
}

const micros = "cast(extract(epoch from r.created_at) * 1000000 as bigint)";

/** Rollouts without the counts of their collections, the newest first, behind the one given. */
export async function listRolloutRows(
  db: Queryable,
  filter: RolloutFilter,
  after: RolloutPlace | undefined,
  limit: number,
): Promise<readonly (Rollout & RolloutPlace)[]> {
  const conditions = [
    ...(after === undefined
      ? []
      : [
          "(r.created_at, r.id) < (timestamptz 'epoch' + :createdMicros * interval '1 microsecond', cast(:afterId as uuid))",
        ]),
    ...(filter.kind === "" ? [] : ["r.kind = :kind"]),
    ...(filter.actor === "" ? [] : ["r.actor = :actor"]),
    ...(filter.unfinished ? ["r.finished_at is null"] : []),
  ];
  const rows = await db.rows<RolloutRow & { readonly createdMicros: bigint }>(
    `select ${columns}, ${micros} as "createdMicros" from rollouts r
     ${conditions.length === 0 ? "" : `where ${conditions.join(" and ")}`} order by r.created_at desc, r.id desc limit :limit`,
    { ...filter, createdMicros: after?.createdMicros ?? 0n, afterId: after?.id ?? "", limit },
  );
  return rows.map((row) => ({ ...rolloutOf(row), createdMicros: row.createdMicros }));
}

export interface RolloutItem {
  readonly collectionId: bigint;
  readonly gun: Gun;
  /** The teams through which the rollout concerns it, as text for people. */
  readonly teams: string;
  readonly state: PublicationState;
  /** What is known of it beside its collection; empty where nothing is. */
  readonly detail: string;
}

/** The rollout's collections in ascending order of their GUNs after the one given, optionally only those in certain states. */
export async function listRolloutItems(
  db: Queryable,
  id: string,
  states: readonly PublicationState[],
  after: string,
  limit: number,
): Promise<readonly RolloutItem[]> {
  const ranks = Object.entries(stateOfRank)
    .filter(([, state]) => states.length === 0 || states.includes(state))
    .map(([rank]) => Number(rank));
  const rows = await db.rows<{ id: bigint; gun: Gun; teams: string; rank: number; detail: string }>(
    `select id, gun, teams, rank, detail from (${items}) i where gun > :after and rank = any(:ranks) order by gun limit :limit`,
    { id, after, ranks, limit },
  );
  return rows.map(({ id, rank, ...row }) => ({ ...row, collectionId: id, state: stateOfRank[rank] ?? "PENDING" }));
}

/** The teams and revisions that a rollout brings to Notary. */
export function rolloutTeams(
  db: Queryable,
  id: string,
): Promise<readonly { readonly team: TeamId; readonly revision: bigint }[]> {
  return db.rows("select team_id as team, revision from rollout_teams where rollout_id = :id order by team_id", { id });
}

/** Whether any collection of the rollout is neither live, superseded nor blocked. A cheap look at indexes only. */
export async function isRolloutPending(db: Queryable, id: string): Promise<boolean> {
  const row = await db.row(
    `select 1 from rollouts r join rollout_teams rt on rt.rollout_id = r.id
     where r.id = :id and exists (${behind} and c.block_reason is null)
     union all
     select 1 from rollouts r where r.id = :id and exists (${pendingItem})`,
    { id },
  );
  return row !== undefined;
}

/** Marks teams all of whose delegations are published as settled, and finishes their rollouts. */
export async function settleTeams(db: Queryable, now: Date): Promise<void> {
  await db.run(
    // A team that is changed meanwhile is left alone: PostgreSQL would look at its new revision, but at the old delegations.
    `update teams t set settled_revision = s.revision from (
       select x.id, x.revision from teams x where x.revision > x.settled_revision and not exists (
         select from delegations d where d.team_id = x.id and d.valid_to is null and d.published_revision < x.revision)
     ) s where t.id = s.id and t.revision = s.revision`,
  );
  await db.run(
    `update rollouts r set finished_at = :now where r.finished_at is null and r.kind <> 'BATCH'
       and not exists (select from rollout_teams rt where rt.rollout_id = r.id and exists (${behind}))`,
    { now },
  );
}
