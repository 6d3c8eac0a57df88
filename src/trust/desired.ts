import { type Gun, type RoleName, releasesRole, roleOf, type TeamId } from "../names.ts";
import type { SigningCertificate } from "../teams/effects.ts";
import type { KeyType, TufKey } from "../tuf/key.ts";
import type { TargetsContent } from "../tuf/payload.ts";

/** One team's delegation on one collection, with who signs for it now. */
export interface DesiredDelegation {
  readonly id: bigint;
  readonly team: TeamId;
  /** Prefixes of tag names, ascending; `""` is every tag. */
  readonly paths: readonly string[];
  readonly inReleases: boolean;
  /** The team's revision that `certificates` belong to. */
  readonly revision: bigint;
  readonly certificates: readonly SigningCertificate[];
}

/** What the database says Notary should hold for one collection. */
export interface DesiredCollection {
  readonly gun: Gun;
  readonly releasesPaths: readonly string[];
  readonly delegations: readonly DesiredDelegation[];
}

/** A delegation role as it should stand in targets.json; keys ascending by TUF key id. */
export interface DesiredRole {
  readonly name: RoleName;
  readonly paths: readonly string[];
  readonly keys: readonly SigningCertificate[];
}

/**
 * The roles a desired state asks for: `targets/releases` with the union of the included teams' keys, where any team is included,
 * then a role for each team in ascending order. A team without keys keeps its role, with no key.
 */
export function desiredRoles(desired: DesiredCollection): readonly DesiredRole[] {
  const teams = [...desired.delegations].sort((a, b) => (a.team < b.team ? -1 : 1));
  const roles = teams.map((delegation) => ({
    name: roleOf(delegation.team),
    paths: delegation.paths,
    keys: distinctKeys(delegation.certificates),
  }));
  const included = teams.filter((delegation) => delegation.inReleases);
  if (included.length === 0) return roles;
  const releases = {
    name: releasesRole,
    paths: desired.releasesPaths,
    keys: distinctKeys(included.flatMap((delegation) => delegation.certificates)),
  };
  return [releases, ...roles];
}

/** The targets file of a desired state: no tags of its own, every delegation with threshold 1. */
export function targetsContentOf(roles: readonly DesiredRole[], version: number, expires: Date): TargetsContent {
  return {
    version,
    expires,
    targets: new Map(),
    keys: distinctKeys(roles.flatMap((role) => role.keys)).map(tufKeyOf),
    roles: roles.map((role) => ({
      name: role.name,
      keyIds: role.keys.map((key) => key.tufKeyId),
      paths: role.paths,
      threshold: 1,
    })),
  };
}

/** A member's certificate as Notary's metadata holds it. */
export function tufKeyOf(certificate: SigningCertificate): TufKey {
  return { keyType: certificate.keyType as KeyType, public: Buffer.from(certificate.pem) };
}

function distinctKeys(certificates: readonly SigningCertificate[]): readonly SigningCertificate[] {
  const byId = new Map(certificates.map((certificate) => [certificate.tufKeyId, certificate]));
  return [...byId.values()].sort((a, b) => (a.tufKeyId < b.tufKeyId ? -1 : 1));
}
