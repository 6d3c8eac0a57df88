import type { Queryable } from "../../database.ts";
import { endOfPrefix, type MemberId, type RoleName } from "../../names.ts";

export const expiringKinds = ["ROOT", "TARGETS", "DELEGATION", "CERTIFICATE"] as const;
export type ExpiringKind = (typeof expiringKinds)[number];

/** One thing that ends; see imagetrust.v1.Expiring. */
export interface Expiring {
  readonly kind: ExpiringKind;
  /** The GUN of a file, the id of a certificate. */
  readonly name: string;
  /** Empty for certificates, as `version` is 0. */
  readonly role: RoleName | "";
  readonly version: number;
  /** Whose certificate it is; empty for files. */
  readonly member: MemberId | "";
  readonly endsAt: Date;
  readonly renewedByService: boolean;
}

export interface ExpiringFilter {
  readonly until: Date | undefined;
  readonly gunPrefix: string;
  readonly team: string;
  /** Empty for all. */
  readonly kinds: readonly ExpiringKind[];
}

/** Where a page begins: behind this one. */
export type ExpiringPlace = Pick<Expiring, "endsAt" | "kind" | "name" | "role">;

/** What part of all that ends is asked for; empty fields ask for all. */
type Part = Pick<ExpiringFilter, "gunPrefix" | "team">;
const everything: Part = { gunPrefix: "", team: "" };

const inPrefix = ({ gunPrefix }: Part): string =>
  gunPrefix === "" ? "" : "and c.gun >= :prefix and c.gun < :prefixEnd";
const ofTeam = ({ team }: Part, row: string): string => (team === "" ? "" : `and ${row}.team_id = :team`);

/** The newest root and targets of living collections, those that a team may sign where a team is asked for. */
function ownFiles(part: Part): string {
  const signedBy = `and exists (select from delegations d where d.collection_id = c.id and d.valid_to is null ${ofTeam(part, "d")})`;
  return `
  select upper(p.role) as kind, c.gun as name, p.role, p.version, '' as member, p.expires_at as ends_at, c.block_reason is null as renewed
  from collections c join published_parts p on p.collection_id = c.id and p.incarnation = c.incarnation
    and ((p.role = 'root' and p.version = c.root_version) or (p.role = 'targets' and p.version = c.targets_version))
  where c.state = 'ACTIVE' ${inPrefix(part)} ${part.team === "" ? "" : signedBy}`;
}

/** The newest files that members signed, of roles that are still delegated: to the team, or with the team in releases. */
function memberFilesOf(part: Part): string {
  return `
  select 'DELEGATION' as kind, c.gun as name, f.role, f.version, '' as member, f.expires_at as ends_at, false as renewed
  from seen_files f join collections c on c.id = f.collection_id and c.incarnation = f.incarnation
  where c.state = 'ACTIVE' and f.role like 'targets/%' and f.expires_at is not null ${inPrefix(part)} and exists (
    select from delegations d where d.collection_id = c.id and d.valid_to is null ${ofTeam(part, "d")}
      and (f.role = 'targets/' || d.team_id or (f.role = 'targets/releases' and d.in_releases)))`;
}

/** Certificates of keys that are not revoked, of members of the team, of teams that may sign there. */
function certificatesOf(part: Part): string {
  const where = `join delegations d on d.team_id = m.team_id and d.valid_to is null join collections c on c.id = d.collection_id`;
  const memberships = `and x.member_id in (select m.member_id from memberships m ${part.gunPrefix === "" ? "" : where}
    where m.valid_to is null ${ofTeam(part, "m")} ${inPrefix(part)})`;
  return `
  select 'CERTIFICATE' as kind, x.id::text as name, '' as role, 0 as version, x.member_id as member, x.not_after as ends_at,
    false as renewed
  from certificates x where x.valid_to is null ${part.gunPrefix === "" && part.team === "" ? "" : memberships}`;
}

export const memberFiles = memberFilesOf(everything);
export const certificates = certificatesOf(everything);

/** What ends, by when, behind that place. */
export async function findExpiring(
  db: Queryable,
  filter: ExpiringFilter,
  after: ExpiringPlace | undefined,
  limit: number,
): Promise<readonly Expiring[]> {
  const conditions = [
    ...(filter.until === undefined ? [] : ["e.ends_at <= :until"]),
    ...(filter.kinds.length === 0 ? [] : ["e.kind = any(:kinds)"]),
    ...(after === undefined
      ? []
      : [
          `(e.ends_at, e.kind collate "C", e.name collate "C", e.role collate "C") > (:afterEnd, :afterKind, :afterName, :afterRole)`,
        ]),
  ];
  return await db.rows<Expiring>(
    `select e.kind, e.name, e.role, e.version, e.member, e.ends_at as "endsAt", e.renewed as "renewedByService"
     from (${ownFiles(filter)} union all ${memberFilesOf(filter)} union all ${certificatesOf(filter)}) e
     ${conditions.length === 0 ? "" : `where ${conditions.join(" and ")}`}
     order by e.ends_at, e.kind collate "C", e.name collate "C", e.role collate "C" limit :limit`,
    {
      limit,
      ...(filter.until === undefined ? {} : { until: filter.until }),
      ...(filter.kinds.length === 0 ? {} : { kinds: filter.kinds }),
      ...(filter.gunPrefix === "" ? {} : { prefix: filter.gunPrefix, prefixEnd: endOfPrefix(filter.gunPrefix) }),
      ...(filter.team === "" ? {} : { team: filter.team }),
      ...(after === undefined
        ? {}
        : { afterEnd: after.endsAt, afterKind: after.kind, afterName: after.name, afterRole: after.role }),
    },
  );
}
