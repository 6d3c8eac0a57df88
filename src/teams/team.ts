import type { Json } from "../audit/record.ts";
import { Fault } from "../errors.ts";
import type { TeamId } from "../names.ts";
import type { DisplayName } from "./display-name.ts";
import type { Labels } from "./labels.ts";

/** People who sign together; see imagetrust.v1.Team. */
export interface Team {
  readonly id: TeamId;
  readonly displayName: DisplayName;
  readonly labels: Labels;
  /** Whether no further key may sign for it before possession of its private key was proved. */
  readonly requiresPossessionProof: boolean;
  /** Changes with the team itself, its memberships and who may sign for it. */
  readonly etag: string;
  /** Bumped exactly when who may sign changes; from 1. */
  readonly revision: bigint;
  readonly memberCount: number;
  readonly delegationCount: number;
  readonly createdAt: Date;
  /** A deleted team stays known, so that its id is never used again. */
  readonly deletedAt: Date | undefined;
}

/** A team as its own tables know it. */
export type StoredTeam = Omit<Team, "delegationCount" | "etag"> & { readonly version: bigint };

/** A team as records show it. */
export function recordedTeam(team: StoredTeam): Json {
  return {
    team: team.id,
    display_name: team.displayName,
    labels: Object.fromEntries(team.labels),
    requires_possession_proof: team.requiresPossessionProof,
    revision: String(team.revision),
    member_count: team.memberCount,
    deleted: team.deletedAt !== undefined,
  };
}

export function noSuchTeam(team: TeamId): Fault {
  return new Fault("NOT_FOUND", `There is no team ${team}; create it first.`, { metadata: { team } });
}

/** What is said of a team that takes proved keys only. */
export function takesProvedKeys(team: TeamId): string {
  return `team ${team} takes only keys whose possession was proved from now on`;
}
