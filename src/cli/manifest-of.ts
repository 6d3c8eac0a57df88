import { type Certificate, CertificateState, MemberKind } from "../../gen/imagetrust/v1/team.ts";
import type { HeldMember, HeldTeam, Holdings } from "./holdings.ts";
import { pathsOf } from "./manifest.ts";

/** What a file of `imagetrust apply` says, ready to be written as YAML or JSON: every scalar is text, a truth or the version. */
export interface ManifestDocument {
  readonly version: 1;
  readonly teams: readonly object[];
  readonly members: readonly object[];
  readonly repositories: readonly object[];
}

/** The file that describes exactly what the service holds of something, in ascending order; revoked certificates are left out. */
export function manifestOf({ teams, members, trusts }: Holdings): ManifestDocument {
  return {
    version: 1,
    teams: ascending([...teams.values()], ({ team }) => team.id).map(teamOf),
    members: ascending([...members.values()], ({ member }) => member.id).map(memberOf),
    repositories: ascending([...trusts.values()], ({ gun }) => gun).map(({ gun, desiredDelegations }) => ({
      gun,
      delegations: ascending(desiredDelegations, ({ team }) => team).map(({ team, paths, excludeFromReleases }) => ({
        team,
        ...(pathsOf(paths).includes("") ? {} : { paths: pathsOf(paths) }),
        ...(excludeFromReleases ? { exclude_from_releases: true } : {}),
      })),
    })),
  };
}

function teamOf({ team, members }: HeldTeam): object {
  return {
    id: team.id,
    ...(team.displayName === "" ? {} : { display_name: team.displayName }),
    ...(Object.keys(team.labels).length === 0 ? {} : { labels: team.labels }),
    members: members.map(({ id }) => id).sort(),
  };
}

function memberOf({ member, certificates }: HeldMember): object {
  const { id, displayName, kind } = member;
  const counting = certificates.filter(({ state }) => state !== CertificateState.REVOKED);
  return {
    id,
    ...(displayName === "" ? {} : { display_name: displayName }),
    ...(kind === MemberKind.ROBOT ? { kind: "robot" } : {}),
    ...(counting.length === 0 ? {} : { certificates: counting.map(({ pem }: Certificate) => ({ pem })) }),
  };
}

function ascending<Item>(items: readonly Item[], nameOf: (item: Item) => string): readonly Item[] {
  return [...items].sort((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1));
}
