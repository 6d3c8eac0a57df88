import type { Transaction } from "../database.ts";
import { Fault } from "../errors.ts";
import type { TeamId } from "../names.ts";
import type { SigningCertificate } from "../teams/effects.ts";
import { signingCertificatesOf } from "../teams/signing-certificates-store.ts";
import { lockTeamsShared } from "../teams/team-locks-store.ts";
import { covers } from "./paths.ts";

/** A team that may be delegated to, held still until the transaction ends. */
export interface GrantedTeam {
  readonly revision: bigint;
  readonly certificates: readonly SigningCertificate[];
}

/** Takes the teams FOR SHARE, so that who may sign for them cannot change before the delegation is decided. Each must exist. */
export async function lockGrantedTeams(
  tx: Transaction,
  grants: readonly { readonly team: TeamId }[],
): Promise<ReadonlyMap<TeamId, GrantedTeam>> {
  const ids = grants.map((grant) => grant.team);
  const known = await lockKnownTeams(tx, ids);
  for (const id of ids) {
    if (known.has(id)) continue;
    throw new Fault("NOT_FOUND", `There is no team ${id}; create it first.`, { metadata: { team: id } });
  }
  return known;
}

/** As lockGrantedTeams, and answers those that exist. */
export async function lockKnownTeams(
  tx: Transaction,
  ids: readonly TeamId[],
): Promise<ReadonlyMap<TeamId, GrantedTeam>> {
  if (ids.length === 0) return new Map();
  const [teams, certificates] = await Promise.all([lockTeamsShared(tx, ids), signingCertificatesOf(tx, ids)]);
  const living = teams.filter((team) => !team.deleted);
  return new Map(living.map(({ id, revision }) => [id, { revision, certificates: certificates.get(id) ?? [] }]));
}

/** Each team that is newly granted something must have a member with a certificate in force now. */
export function requireSigners(granted: ReadonlyMap<TeamId, GrantedTeam>, now: Date): void {
  for (const [team, { certificates }] of granted) {
    if (certificates.some((certificate) => certificate.notAfter > now)) continue;
    throw new Fault(
      "NO_VALID_CERTIFICATE",
      `No member of team ${team} has a certificate in force; submit one with SubmitCertificate first.`,
      { metadata: { team } },
    );
  }
}

/** What a team is granted, as far as its place in targets/releases goes. */
export interface GrantedPaths {
  readonly team: TeamId;
  readonly paths: readonly string[];
  readonly excludeFromReleases: boolean;
}

/**
 * Refuses narrower paths than targets/releases has for a team that is included there: docker pulls from releases, where one list
 * of paths serves every team, so the team's own limit would be void. `fieldOf` names the field that holds the paths of a grant.
 */
export function requireRoomInReleases(
  grants: readonly GrantedPaths[],
  releasesPaths: readonly string[],
  fieldOf: (at: number) => string,
): void {
  const narrow = grants
    .map((grant, at) => ({ ...grant, field: fieldOf(at) }))
    .filter((grant) => !grant.excludeFromReleases && !covers(grant.paths, releasesPaths));
  if (narrow.length === 0) return;
  const teams = narrow.map((grant) => grant.team).join(", ");
  const fault = "must cover the collection's releases_paths unless exclude_from_releases is set";
  throw new Fault(
    "PATHS_NEED_EXCLUSION",
    `The paths of team ${teams} are narrower than those of targets/releases, where the team could still sign every tag. Set exclude_from_releases, or give the same paths.`,
    { metadata: { team: teams }, fields: narrow.map(({ field }) => ({ field, fault })) },
  );
}

/** Whether a delegation that stands grants exactly this already. */
export function isGranted(
  held: { readonly paths: readonly string[]; readonly inReleases: boolean } | undefined,
  grant: GrantedPaths,
): boolean {
  return (
    held !== undefined &&
    held.inReleases !== grant.excludeFromReleases &&
    JSON.stringify(held.paths) === JSON.stringify(grant.paths)
  );
}

/** Takes a team FOR SHARE; a team that is not there is NOT_FOUND. */
export async function lockKnownTeam(tx: Transaction, team: TeamId): Promise<void> {
  const [found] = await lockTeamsShared(tx, [team]);
  if (found === undefined || found.deleted) {
    throw new Fault("NOT_FOUND", `There is no team ${team}.`, { metadata: { team } });
  }
}
