import type { Queryable } from "../../database.ts";
import type { MemberId, RoleName } from "../../names.ts";

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

/** The newest root and targets of living collections. */
const ownFiles = `
  select upper(p.role) as kind, c.gun as name, p.role, p.version, '' as member, p.expires_at as ends_at, c.block_reason is null as renewed
  from collections c join published_parts p on p.collection_id = c.id and p.incarnation = c.incarnation
    and ((p.role = 'root' and p.version = c.root_version) or (p.role = 'targets' and p.version = c.targets_version))
  where c.state = 'ACTIVE'`;

/** A delegation through which the file `f` of the collection `c` counts. */
const delegated = `from delegations d where d.collection_id = c.id and d.valid_to is null
  and (f.role = 'targets/' || d.team_id or (f.role = 'targets/releases' and d.in_releases))`;

/** The newest files that members signed, of roles that are still delegated. */
export const memberFiles = `
  select 'DELEGATION' as kind, c.gun as name, f.role, f.version, '' as member, f.expires_at as ends_at, false as renewed
  from seen_files f join collections c on c.id = f.collection_id and c.incarnation = f.incarnation
  where c.state = 'ACTIVE' and f.role like 'targets/%' and f.expires_at is not null and exists (select ${delegated})`;

/** Certificates of keys that are not revoked. */
export const certificates = `
  select 'CERTIFICATE' as kind, x.id::text as name, '' as role, 0 as version, x.member_id as member, x.not_after as ends_at,
    false as renewed
  from certificates x where x.valid_to is null`;

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
    ...(filter.gunPrefix === "" && filter.team === "" ? [] : [`exists (${concerned(filter)})`]),
    ...(after === undefined
      ? []
      : [
          `(e.ends_at, e.kind collate "C", e.name collate "C", e.role collate "C") > (:afterEnd, :afterKind, :afterName, :afterRole)`,
        ]),
  ];
  return await db.rows<Expiring>(
    `select e.kind, e.name, e.role, e.version, e.member, e.ends_at as "endsAt", e.renewed as "renewedByService"
     from (${ownFiles} union all ${memberFiles} union all ${certificates}) e
     ${conditions.length === 0 ? "" : `where ${conditions.join(" and ")}`}
     order by e.ends_at, e.kind collate "C", e.name collate "C", e.role collate "C" limit :limit`,
    {
      limit,
      ...(filter.until === undefined ? {} : { until: filter.until }),
      ...(filter.kinds.length === 0 ? {} : { kinds: filter.kinds }),
      ...(filter.gunPrefix === "" ? {} : { prefix: filter.gunPrefix, prefixEnd: `${filter.gunPrefix}\u{10ffff}` }),
      ...(filter.team === "" ? {} : { team: filter.team }),
      ...(after === undefined
        ? {}
        : { afterEnd: after.endsAt, afterKind: after.kind, afterName: after.name, afterRole: after.role }),
    },
  );
}

/** The delegations, or for a team's certificates the memberships, through which a row `e` concerns what the filter names. */
function concerned({ gunPrefix, team }: ExpiringFilter): string {
  const inPrefix = gunPrefix === "" ? "" : "and c.gun >= :prefix and c.gun < :prefixEnd";
  const ofTeam = (row: string): string => (team === "" ? "" : `and ${row}.team_id = :team`);
  const file = `select from collections c where e.kind <> 'CERTIFICATE' and c.gun = e.name ${inPrefix}
    ${
      team === ""
        ? ""
        : `and exists (select from delegations d where d.collection_id = c.id and d.valid_to is null and d.team_id = :team
      and (e.kind <> 'DELEGATION' or e.role = 'targets/' || d.team_id or (e.role = 'targets/releases' and d.in_releases)))`
    }`;
  const certificate =
    gunPrefix === ""
      ? `select from memberships m where e.kind = 'CERTIFICATE' and m.member_id = e.member and m.valid_to is null ${ofTeam("m")}`
      : `select from memberships m join delegations d on d.team_id = m.team_id and d.valid_to is null
           join collections c on c.id = d.collection_id
         where e.kind = 'CERTIFICATE' and m.member_id = e.member and m.valid_to is null ${ofTeam("m")} ${inPrefix}`;
  return `(${file}) union all (${certificate})`;
}
