import type { Gun, MemberId, TeamId } from "../names.ts";

/**
 * What a file of `imagetrust apply` wishes for. It is whole in what it names and silent on the rest: the members of a team that gives
 * its members, the delegations of a repository, and nothing else may be taken away by `--prune`.
 */
export interface Manifest {
  readonly teams: readonly ManifestTeam[];
  readonly members: readonly ManifestMember[];
  readonly repositories: readonly ManifestRepository[];
}

/** Where something stands: the line of the file, from 1. */
export interface Placed {
  readonly line: number;
}

export interface ManifestTeam extends Placed {
  readonly id: TeamId;
  /** Empty: none, or whatever it is. */
  readonly displayName: string;
  /** Empty: none, or whatever they are. */
  readonly labels: Readonly<Record<string, string>>;
  /** Undefined: the file says nothing on who is in the team. */
  readonly members: readonly (Placed & { readonly id: MemberId })[] | undefined;
}

export interface ManifestMember extends Placed {
  readonly id: MemberId;
  /** Empty: none, or whatever it is. */
  readonly displayName: string;
  /** Empty: a person, or whatever it is. */
  readonly kind: MemberKindName | "";
  readonly certificates: readonly ManifestCertificate[];
}

export type MemberKindName = "person" | "robot";

export interface ManifestCertificate extends Placed {
  /** As it is sent: one certificate, or a chain with the leaf first. */
  readonly pem: string;
  /** Hex SHA-256 of the leaf's DER; empty where there is none. */
  readonly sha256: string;
  /** Why it could not be delegated to today. The service may know it from days when it could. */
  readonly faults: readonly string[];
}

export interface ManifestRepository extends Placed {
  readonly gun: Gun;
  readonly delegations: readonly ManifestDelegation[];
}

export interface ManifestDelegation extends Placed {
  readonly team: TeamId;
  /** Ascending and distinct; the one empty prefix is every tag. */
  readonly paths: readonly string[];
  readonly excludeFromReleases: boolean;
}

/** Paths as the service keeps them: ascending and distinct, the one empty prefix for every tag. */
export function pathsOf(paths: readonly string[]): readonly string[] {
  const distinct = [...new Set(paths)].sort();
  return distinct.length === 0 || distinct.includes("") ? [""] : distinct;
}
