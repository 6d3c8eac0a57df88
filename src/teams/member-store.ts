import type { Queryable, Transaction } from "../database.ts";
import type { MemberId, TeamId } from "../names.ts";
import type { DisplayName } from "./display-name.ts";
import { etagOf } from "./etag.ts";
import { type Labels, labelsFromJson, labelsToJson } from "./labels.ts";
import type { Member, MemberKind } from "./member.ts";

/** A member with the version its etag is made of. */
export interface StoredMember extends Member {
  readonly version: bigint;
}

interface Row {
  readonly id: MemberId;
  readonly kind: MemberKind;
  readonly display_name: DisplayName;
  readonly labels: Readonly<Record<string, string>>;
  readonly version: bigint;
  readonly created_at: Date;
  readonly teams: readonly TeamId[];
}

const columns = `p.id, p.kind, p.display_name, p.labels, p.version, p.created_at,
  array(select m.team_id from memberships m where m.member_id = p.id and m.valid_to is null order by m.team_id) as teams`;

export async function findMember(db: Queryable, member: MemberId): Promise<StoredMember | undefined> {
  const row = await db.row<Row>(`select ${columns} from members p where p.id = :member`, { member });
  return row === undefined ? undefined : memberOf(row);
}

/** Members that come after that one, by id; those of one team where a team is given. */
export async function findMembers(
  db: Queryable,
  team: TeamId | undefined,
  after: string,
  limit: number,
): Promise<readonly Member[]> {
  const ofTeam =
    team === undefined
      ? ""
      : "and exists(select from memberships m where m.member_id = p.id and m.team_id = :team and m.valid_to is null)";
  const rows = await db.rows<Row>(
    `select ${columns} from members p where p.id > :after ${ofTeam} order by p.id limit :limit`,
    { after, limit, ...(team === undefined ? {} : { team }) },
  );
  return rows.map(memberOf);
}

/**
 * Locks the member: its memberships, keys and certificates then stand still until the end of the transaction.
 * Every change of them takes this lock first, then the key's, then those on teams, in ascending order.
 */
export async function lockMember(tx: Transaction, member: MemberId): Promise<StoredMember | undefined> {
  const locked = await tx.row("select from members where id = :member for no key update", { member });
  // The memberships are read by a statement of their own: that of the lock may have begun before another change committed.
  return locked === undefined ? undefined : await findMember(tx, member);
}

/** Makes the member, unless there is one with this id; answers whether it did. */
export async function insertMember(
  tx: Transaction,
  member: {
    readonly id: MemberId;
    readonly kind: MemberKind;
    readonly displayName: DisplayName;
    readonly labels: Labels;
  },
  now: Date,
): Promise<boolean> {
  const made = await tx.run(
    `insert into members(id, kind, display_name, labels, created_at)
     values (:id, :kind, :displayName, :labels, :now) on conflict do nothing`,
    { ...member, labels: labelsToJson(member.labels), now },
  );
  return made === 1;
}

/** Counts one more change of the member, which must be locked. */
export async function touchMember(tx: Transaction, member: MemberId): Promise<void> {
  await tx.run("update members set version = version + 1 where id = :member", { member });
}

/** Begins a membership, not before an earlier one of the same two ended; member and team must be locked. */
export async function beginMembership(tx: Transaction, team: TeamId, member: MemberId, now: Date): Promise<void> {
  await tx.run(
    `insert into memberships(team_id, member_id, valid_from)
     select :team, :member, greatest(:now, max(valid_to)) from memberships where team_id = :team and member_id = :member`,
    { team, member, now },
  );
}

/** Ends the membership; member and team must be locked. */
export async function endMembership(tx: Transaction, team: TeamId, member: MemberId, now: Date): Promise<void> {
  await tx.run(
    `update memberships set valid_to = greatest(valid_from, :now)
     where team_id = :team and member_id = :member and valid_to is null`,
    { team, member, now },
  );
}

function memberOf(row: Row): StoredMember {
  return {
    id: row.id,
    kind: row.kind,
    displayName: row.display_name,
    labels: labelsFromJson(row.labels),
    teams: row.teams,
    etag: etagOf(row.version),
    version: row.version,
    createdAt: row.created_at,
  };
}
