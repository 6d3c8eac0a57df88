import type { Gun, RoleName } from "../names.ts";
import type { Plan, TeamRevision } from "./plan.ts";

/** How far a change has come on Notary; see imagetrust.v1.PublicationState. */
export type PublicationState =
  | "PENDING"
  | "PUBLISHED"
  | "BLOCKED"
  | "SUPERSEDED"
  | "UNCHANGED"
  | "CANCELLED"
  | "REFUSED";
export type PendingReason = "" | "QUEUED" | "BACK_OFF" | "NOTARY_UNREACHABLE" | "SIGNING_UNAVAILABLE";
export type BlockReason =
  | "ROLLBACK"
  | "FOREIGN_CHANGE"
  | "BAD_SIGNATURE"
  | "FOREIGN_KEY"
  | "VANISHED"
  | "FOREIGN_TRUST"
  | "DATABASE_BEHIND"
  | "FAST_FORWARD"
  | "REJECTED"
  | "SNAPSHOT_WEDGED"
  | "UNREADABLE"
  | "DRIFT_CONTESTED";

export interface RoleVersion {
  readonly role: RoleName;
  readonly version: number;
  /** Hex. */
  readonly sha256: string;
  readonly expiresAt: Date | undefined;
}

/** The state of one collection with respect to one change. */
export interface Publication {
  readonly gun: Gun;
  readonly state: PublicationState;
  readonly generation: bigint;
  readonly publishedGeneration: bigint;
  /** 0: not superseded. */
  readonly supersededByGeneration: bigint;
  readonly pendingReason: PendingReason;
  readonly blockReason: BlockReason | "";
  readonly blockedAt: Date | undefined;
  /** What happened and what to do; empty when all is well. */
  readonly detail: string;
  /** What Notary was seen to hold; empty before the first landing. */
  readonly roles: readonly RoleVersion[];
  readonly publishedAt: Date | undefined;
  readonly attempts: number;
  readonly nextAttemptAt: Date | undefined;
}

export interface Rollout {
  readonly id: string;
  readonly kind: "TEAM_CHANGE" | "MEMBER_REVOCATION" | "CERTIFICATE_CHANGE" | "BATCH";
  readonly actor: string;
  readonly reason: string;
  readonly createdAt: Date;
  readonly finishedAt: Date | undefined;
  readonly total: number;
  readonly published: number;
  readonly pending: number;
  readonly blocked: number;
  readonly superseded: number;
  readonly unchanged: number;
  readonly cancelled: number;
  readonly refused: number;
  readonly cancelledAt: Date | undefined;
}

/** The answer to every mutation: what was decided, and how far it has come. */
export interface Outcome {
  readonly plan: Plan;
  /** The least advanced of all collections; UNCHANGED when there is nothing to publish. */
  readonly state: PublicationState;
  /** The first 50; the rest are in the rollout. */
  readonly publications: readonly Publication[];
  readonly rollout: Rollout | undefined;
  readonly teamRevisions: readonly TeamRevision[];
  readonly validatedOnly: boolean;
  readonly requestReplayed: boolean;
  readonly planEtag: string;
}

/** What a committed change waits for: a generation of one collection, or a rollout, or nothing at all. */
export interface Commitment {
  readonly collection: { readonly id: bigint; readonly generation: bigint } | undefined;
  readonly rolloutId: string | undefined;
}

export const nothingToPublish: Commitment = { collection: undefined, rolloutId: undefined };

/** Waits for commitments within a call's deadline and says how far they have come; trust/ implements it. */
export interface Progress {
  /** Never throws for what Notary does: PENDING or BLOCKED tell that. With `wait` false it answers as of now. */
  follow(
    commitment: Commitment,
    waiting: { readonly wait: boolean; readonly deadline: number; readonly signal: AbortSignal },
  ): Promise<Pick<Outcome, "state" | "publications" | "rollout" | "teamRevisions">>;
}
