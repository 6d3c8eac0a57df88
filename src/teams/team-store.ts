import type { Queryable, Transaction } from "../database.ts";
import type { MemberId, TeamId } from "../names.ts";
import type { DisplayName } from "./display-name.ts";
import { labelsFromJson, labelsToJson } from "./labels.ts";
import type { StoredTeam } from "./team.ts";

/** What a team can be given and may be changed. */
export type Attributes = Pick<StoredTeam, "displayName" | "labels" | "requiresPossessionProof">;

interface Row {
  readonly id: TeamId;
  readonly display_name: DisplayName;
  readonly labels: Readonly<Record<string, string>>;
  readonly requires_possession_proof: boolean;
  readonly revision: bigint;
  readonly version: bigint;
  readonly created_at: Date;
  readonly deleted_at: Date | null;
  readonly member_count: number;
}

const columns = `t.id, t.display_name, t.labels, t.requires_possession_proof, t.revision, t.version, t.created_at, t.deleted_at,
  (select count(*)::int from memberships m where m.team_id = t.id and m.valid_to is null) as member_count`;

/** The team, deleted ones included. */
export async function findTeam(db: Queryable, team: TeamId): Promise<StoredTeam | undefined> {
  const row = await db.row<Row>(`select ${columns} from teams t where t.id = :team`, { team });
  return row === undefined ? undefined : teamOf(row);
}

/** Teams that are not deleted and come after that one, by id; those of one member where a member is given. */
export async function findTeams(
  db: Queryable,
  member: MemberId | undefined,
  after: string,
  limit: number,
): Promise<readonly StoredTeam[]> {
  const ofMember =
    member === undefined
      ? ""
      : "and exists(select from memberships m where m.team_id = t.id and m.member_id = :member and m.valid_to is null)";
  const rows = await db.rows<Row>(
    `select ${columns} from teams t where t.deleted_at is null and t.id > :after ${ofMember} order by t.id limit :limit`,
    { after, limit, ...(member === undefined ? {} : { member }) },
  );
  return rows.map(teamOf);
}

/** Makes the team, unless one with this id was ever made; answers whether it did. */
export async function insertTeam(
  tx: Transaction,
  team: Attributes & { readonly id: TeamId },
  now: Date,
): Promise<boolean> {
  const made = await tx.run(
    `insert into teams(id, display_name, labels, requires_possession_proof, revised_at, created_at)
     values (:id, :displayName, :labels, :requiresPossessionProof, :now, :now) on conflict do nothing`,
    { id: team.id, ...columnsOf(team), now },
  );
  return made === 1;
}

/** Gives the team other attributes; it must be locked. */
export async function updateAttributes(tx: Transaction, team: TeamId, attributes: Attributes): Promise<void> {
  await tx.run(
    `update teams set display_name = :displayName, labels = :labels,
       requires_possession_proof = :requiresPossessionProof, version = version + 1 where id = :team`,
    { team, ...columnsOf(attributes) },
  );
}

/** Those of the teams that take proved keys only, by id; where that matters they are locked. */
export async function teamsRequiringProof(db: Queryable, teams: readonly TeamId[]): Promise<readonly TeamId[]> {
  const rows = await db.rows<{ id: TeamId }>(
    "select id from teams where id = any(:teams) and requires_possession_proof order by id",
    { teams },
  );
  return rows.map((row) => row.id);
}

/** Counts one more change of the team that changes no keys; the team must be locked. */
export async function touchTeam(tx: Transaction, team: TeamId): Promise<void> {
  await tx.run("update teams set version = version + 1 where id = :team", { team });
}

/** Ends the team and its memberships; the team must be locked. */
export async function endTeam(tx: Transaction, team: TeamId, now: Date): Promise<void> {
  await tx.run(
    "update memberships set valid_to = greatest(valid_from, :now) where team_id = :team and valid_to is null",
    { team, now },
  );
  await tx.run("update teams set version = version + 1, deleted_at = :now where id = :team", { team, now });
}

function columnsOf({ displayName, labels, requiresPossessionProof }: Attributes) {
  return { displayName, labels: labelsToJson(labels), requiresPossessionProof };
}

function teamOf(row: Row): StoredTeam {
  return {
    id: row.id,
    displayName: row.display_name,
    labels: labelsFromJson(row.labels),
    requiresPossessionProof: row.requires_possession_proof,
    revision: row.revision,
    version: row.version,
    memberCount: row.member_count,
    createdAt: row.created_at,
    deletedAt: row.deleted_at ?? undefined,
  };
}
