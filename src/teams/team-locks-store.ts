import type { Queryable, Transaction } from "../database.ts";
import type { TeamId } from "../names.ts";

/** A team whose row is locked until the end of the transaction. */
export interface LockedTeam {
  readonly id: TeamId;
  readonly revision: bigint;
  readonly deleted: boolean;
}

/**
 * Holds who may sign for the teams still, so that nothing built on it can miss a change: FOR SHARE, in ascending order.
 * Answers the teams that exist, by id.
 */
export function lockTeamsShared(tx: Transaction, teams: readonly TeamId[]): Promise<readonly LockedTeam[]> {
  return lock(tx, teams, "for share");
}

/** Locks teams whose signers are about to change, as lockTeams does, and answers those that are not deleted, by id. */
export async function lockLivingTeams(tx: Transaction, teams: readonly TeamId[]): Promise<readonly TeamId[]> {
  const locked = await lockTeams(tx, teams);
  return locked.filter((team) => !team.deleted).map((team) => team.id);
}

/**
 * Locks teams that are about to change: FOR NO KEY UPDATE, in ascending order, which delegations to them wait for.
 * A lock on a member or key comes before it, locks on collections after it. Answers the teams that exist, by id.
 */
export function lockTeams(tx: Transaction, teams: readonly TeamId[]): Promise<readonly LockedTeam[]> {
  return lock(tx, teams, "for no key update");
}

async function lock(
  tx: Transaction,
  teams: readonly TeamId[],
  strength: "for share" | "for no key update",
): Promise<readonly LockedTeam[]> {
  if (teams.length === 0) return [];
  return await tx.rows<LockedTeam>(
    `select id, revision, deleted_at is not null as deleted from teams where id = any(:teams) order by id ${strength}`,
    { teams },
  );
}

/** The revisions of the teams that exist. */
export async function revisionsOf(db: Queryable, teams: readonly TeamId[]): Promise<Map<TeamId, bigint>> {
  if (teams.length === 0) return new Map();
  const rows = await db.rows<{ id: TeamId; revision: bigint }>(
    "select id, revision from teams where id = any(:teams) order by id",
    { teams },
  );
  return new Map(rows.map((row) => [row.id, row.revision]));
}

/** Counts one more change of who may sign for each of the teams, which must be locked; answers the new revisions. */
export async function bumpRevisions(
  tx: Transaction,
  teams: readonly TeamId[],
  now: Date,
): Promise<ReadonlyMap<TeamId, bigint>> {
  const rows = await tx.rows<{ id: TeamId; revision: bigint }>(
    `update teams set revision = revision + 1, version = version + 1, revised_at = :now
     where id = any(:teams) returning id, revision`,
    { teams, now },
  );
  return new Map(rows.map((row) => [row.id, row.revision]));
}
