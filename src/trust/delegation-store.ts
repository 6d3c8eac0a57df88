import type { Queryable, Transaction } from "../database.ts";
import type { Gun, TeamId } from "../names.ts";
import type { SigningCertificate } from "../teams/effects.ts";
import { signingCertificatesOf } from "../teams/signing-certificates-store.ts";
import type { Collection } from "./collection-store.ts";
import type { DesiredCollection, DesiredDelegation } from "./desired.ts";

/** One delegation as decided, whether live or not. */
export interface DelegationRow {
  readonly id: bigint;
  readonly collectionId: bigint;
  readonly gun: Gun;
  readonly team: TeamId;
  readonly paths: readonly string[];
  readonly inReleases: boolean;
  readonly sinceGeneration: bigint;
  readonly publishedRevision: bigint;
  readonly teamRevision: bigint;
  readonly validFrom: Date;
  readonly liveFrom: Date | null;
  /** The rule that made it; null where somebody did. */
  readonly ruleId: string | null;
}

const columns = `d.id, d.collection_id as "collectionId", c.gun, d.team_id as team, d.paths, d.in_releases as "inReleases",
  d.since_generation as "sinceGeneration", d.published_revision as "publishedRevision", t.revision as "teamRevision",
  d.valid_from as "validFrom", d.live_from as "liveFrom", d.rule_id as "ruleId"`;
const source = "delegations d join collections c on c.id = d.collection_id join teams t on t.id = d.team_id";

/** The delegations of these collections that are decided now, ascending by collection and team. */
export function currentDelegations(db: Queryable, collectionIds: readonly bigint[]): Promise<readonly DelegationRow[]> {
  return db.rows(
    `select ${columns} from ${source} where d.collection_id = any(:collectionIds) and d.valid_to is null
     order by d.collection_id, d.team_id`,
    { collectionIds },
  );
}

/** The delegations of a GUN that are decided now, ascending by team. */
export function currentDelegationsOf(db: Queryable, gun: Gun): Promise<readonly DelegationRow[]> {
  return db.rows(`select ${columns} from ${source} where c.gun = :gun and d.valid_to is null order by d.team_id`, {
    gun,
  });
}

/** A team's delegation on one collection, as decided. */
export type HeldDelegationRow = Pick<DelegationRow, "collectionId" | "paths" | "inReleases" | "sinceGeneration">;

/** What is decided now of a team's right to sign these collections, by collection. */
export async function currentDelegationsTo(
  db: Queryable,
  team: TeamId,
  collectionIds: readonly bigint[],
): Promise<ReadonlyMap<bigint, HeldDelegationRow>> {
  const rows = await db.rows<HeldDelegationRow>(
    `select d.collection_id as "collectionId", d.paths, d.in_releases as "inReleases", d.since_generation as "sinceGeneration"
     from delegations d where d.team_id = :team and d.valid_to is null and d.collection_id = any(:collectionIds)`,
    { team, collectionIds },
  );
  return new Map(rows.map((row) => [row.collectionId, row]));
}

/** The decided delegations to a team by GUN, ascending, after the pair given. */
export function listDelegationRows(
  db: Queryable,
  team: TeamId | "",
  after: { readonly gun: string; readonly team: string },
  limit: number,
): Promise<readonly DelegationRow[]> {
  return db.rows(
    `select ${columns} from ${source} where d.valid_to is null and d.team_id = :team and (c.gun, d.team_id) > (:afterGun, :afterTeam)
     order by c.gun, d.team_id limit :limit`,
    { team, afterGun: after.gun, afterTeam: after.team, limit },
  );
}

/** What these collections should hold, with the keys their teams have now: two queries however many collections. */
export async function readDesired(
  db: Queryable,
  collections: readonly Collection[],
): Promise<ReadonlyMap<bigint, DesiredCollection>> {
  const rows = await currentDelegations(
    db,
    collections.map((collection) => collection.id),
  );
  const certificates = await signingCertificatesOf(db, [...new Set(rows.map((row) => row.team))]);
  return new Map(
    collections.map((collection) => [
      collection.id,
      {
        gun: collection.gun,
        releasesPaths: collection.releasesPaths,
        delegations: rows
          .filter((row) => row.collectionId === collection.id)
          .map((row) => desiredOf(row, certificates.get(row.team) ?? [])),
      },
    ]),
  );
}

/** Joins a decided delegation with the certificates of its team. */
export function desiredOf(row: DelegationRow, certificates: readonly SigningCertificate[]): DesiredDelegation {
  const { id, team, paths, inReleases } = row;
  return { id, team, paths, inReleases, revision: row.teamRevision, certificates };
}

export interface NewDelegation {
  readonly collectionId: bigint;
  readonly team: TeamId;
  readonly paths: readonly string[];
  readonly inReleases: boolean;
  readonly generation: bigint;
  /** The rule that makes it; undefined where somebody does. */
  readonly ruleId: string | undefined;
}

/**
 * Decides a delegation from a generation on, not before an earlier one of the same two ended. The team's row is locked, and so its
 * revision stands still.
 */
export async function insertDelegation(tx: Transaction, fresh: NewDelegation, now: Date): Promise<bigint> {
  const row = await tx.row<{ id: bigint }>(
    `insert into delegations(collection_id, gun, team_id, paths, in_releases, since_generation, since_revision, valid_from, rule_id)
     select c.id, c.gun, t.id, :paths, :inReleases, :generation, t.revision, greatest(:now, (
         select max(d.valid_to) from delegations d where d.team_id = t.id and d.gun = c.gun)), :ruleId
     from teams t, collections c where t.id = :team and c.id = :collectionId returning id`,
    { ...fresh, ruleId: fresh.ruleId ?? null, now },
  );
  if (row === undefined) throw new Error("a delegation was not inserted");
  return row.id;
}

const untilRevision = "until_revision = (select t.revision from teams t where t.id = team_id)";

/** Ends a delegation at a generation; the row stays, and says who could sign until when. */
export async function endDelegation(tx: Transaction, id: bigint, generation: bigint, now: Date): Promise<void> {
  await tx.run(
    `update delegations set valid_to = greatest(:now, valid_from), until_generation = :generation, ${untilRevision} where id = :id`,
    { id, generation, now },
  );
}

/** The generation that ended a team's last delegation; 0 for none. */
export async function lastEndOf(db: Queryable, collectionId: bigint, team: TeamId): Promise<bigint> {
  const row = await db.row<{ generation: bigint | null }>(
    `select max(until_generation) as generation from delegations where collection_id = :collectionId and team_id = :team`,
    { collectionId, team },
  );
  return row?.generation ?? 0n;
}

/** Ends all delegations of a collection, with the collection. */
export async function endDelegations(
  tx: Transaction,
  collectionId: bigint,
  generation: bigint,
  now: Date,
): Promise<void> {
  await tx.run(
    `update delegations set valid_to = greatest(:now, valid_from), until_generation = :generation, ${untilRevision}
     where collection_id = :collectionId and valid_to is null`,
    { collectionId, generation, now },
  );
}

/** The collections that any of the teams is delegated on, ascending by id after the one given. */
export async function collectionsOfTeams(
  db: Queryable,
  teams: readonly TeamId[],
  after: bigint,
  limit: number,
): Promise<readonly bigint[]> {
  const rows = await db.rows<{ id: bigint }>(
    `select distinct d.collection_id as id from delegations d
     where d.team_id = any(:teams) and d.valid_to is null and d.collection_id > :after order by id limit :limit`,
    { teams, after, limit },
  );
  return rows.map((row) => row.id);
}

/** How many collections any of the teams is delegated on. */
export async function countCollectionsOfTeams(db: Queryable, teams: readonly TeamId[]): Promise<number> {
  const row = await db.row<{ count: bigint }>(
    "select count(distinct d.collection_id) as count from delegations d where d.team_id = any(:teams) and d.valid_to is null",
    { teams },
  );
  return Number(row?.count ?? 0n);
}
