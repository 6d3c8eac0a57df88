import { createHash } from "node:crypto";
import type { CanonicalKeyId, Gun, MemberId, RoleName, TeamId, TufKeyId } from "../names.ts";

/** A key as it stands, or will stand, in a role. */
export interface KeyRef {
  readonly tufKeyId: TufKeyId;
  readonly canonicalKeyId: CanonicalKeyId;
  readonly algorithm: string;
  /** Where the service holds it; empty for keys of members and of the Notary server. */
  readonly backend: string;
  /** Empty for keys that belong to no member. */
  readonly member: MemberId | "";
  readonly certificate: string;
}

/** What one role of one collection would become. Versions are a forecast; 0 is "none yet". */
export interface RolePlan {
  readonly gun: Gun;
  readonly role: RoleName;
  readonly fromVersion: number;
  readonly toVersion: number;
  readonly keysAdded: readonly KeyRef[];
  readonly keysRemoved: readonly KeyRef[];
  readonly pathsAdded: readonly string[];
  readonly pathsRemoved: readonly string[];
  readonly roleCreated: boolean;
  readonly roleRemoved: boolean;
}

export type WarningCode =
  | "TEAM_NOT_IN_RELEASES"
  | "CERTIFICATE_EXPIRES_SOON"
  | "SIGNATURES_ORPHANED"
  | "SIGNATURES_REVIVED"
  | "TEAM_WITHOUT_SIGNER"
  | "SIGNATURES_TO_REVIEW"
  | "SIGNATURES_UNKNOWN"
  | "KEY_UNPROVEN";

export interface PlanWarning {
  readonly code: WarningCode;
  readonly gun: Gun | "";
  readonly role: RoleName | "";
  readonly message: string;
  readonly tags: readonly string[];
  /** The members who can act on it, ascending. */
  readonly members: readonly MemberId[];
  readonly dueAt: Date | undefined;
  /** Where it rests on what was kept of Notary: up to when that was read. Undefined: it was read just now, or nothing had to be. */
  readonly readAt: Date | undefined;
  /** What a preview learned in the time it had; the next one may learn more, so it does not count for the etag. */
  readonly isForecast?: boolean;
}

const mostTags = 50;

/** A warning in words, for records. */
export function describeWarning({ message, tags }: PlanWarning): string {
  if (tags.length === 0) return message;
  const more = tags.length > mostTags ? ` and ${tags.length - mostTags} more` : "";
  return `${message} Tags: ${tags.slice(0, mostTags).join(", ")}${more}.`;
}

/** Everything a change would do, before it is done. */
export interface Plan {
  readonly roles: readonly RolePlan[];
  readonly warnings: readonly PlanWarning[];
  /** How many collections are concerned, also where `roles` names only the first of them. */
  readonly collections: number;
  readonly truncated: boolean;
  /** One sentence. */
  readonly summary: string;
}

/** A plan that publishes nothing, with a sentence on what is decided. */
export function quietPlan(summary: string): Plan {
  return { roles: [], warnings: [], collections: 0, truncated: false, summary };
}

/** Changes exactly when what the plan would do changes; forecast versions and wording do not count. */
export function etagOfPlan(plan: Plan): string {
  const content = {
    collections: plan.collections,
    roles: plan.roles.map((role) => ({
      gun: role.gun,
      role: role.role,
      added: role.keysAdded.map((key) => key.tufKeyId),
      removed: role.keysRemoved.map((key) => key.tufKeyId),
      pathsAdded: role.pathsAdded,
      pathsRemoved: role.pathsRemoved,
      created: role.roleCreated,
      gone: role.roleRemoved,
    })),
    warnings: plan.warnings
      .filter(({ isForecast }) => isForecast !== true)
      .map((warning) => [warning.code, warning.gun, warning.role, warning.tags]),
  };
  return createHash("sha256").update(JSON.stringify(content)).digest("base64url").slice(0, 22);
}

/** Names a team's revision: who may sign for it, as of a change. */
export interface TeamRevision {
  readonly team: TeamId;
  readonly revision: bigint;
}
