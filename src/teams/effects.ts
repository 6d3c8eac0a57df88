import type { Call } from "../audit/call.ts";
import type { ChangeOptions } from "../changes/options.ts";
import type { Commitment } from "../changes/outcome.ts";
import type { Plan, PlanWarning } from "../changes/plan.ts";
import type { Queryable, Transaction } from "../database.ts";
import type { CanonicalKeyId, MemberId, TeamId, TufKeyId } from "../names.ts";

/** Whether people moved, their certificates did, or somebody lost everything. */
export type RolloutKind = "TEAM_CHANGE" | "CERTIFICATE_CHANGE" | "MEMBER_REVOCATION";

/** A certificate in force as delegations use it: every certificate of every key that is not revoked, of every current member. */
export interface SigningCertificate {
  readonly certificateId: string;
  readonly member: MemberId;
  readonly tufKeyId: TufKeyId;
  readonly canonicalKeyId: CanonicalKeyId;
  /** Notary's key type: `ecdsa-x509` or `rsa-x509`. */
  readonly keyType: string;
  /** The certificate as it stands in metadata: PEM, normalised as Go does. */
  readonly pem: string;
  readonly notAfter: Date;
}

/** A key that may come to sign. */
export interface NewKey {
  readonly tufKeyId: TufKeyId;
  readonly canonicalKeyId: CanonicalKeyId;
}

/** Who could sign for a team before a change and who can after it. Lists are ordered by TUF key id. */
export interface TeamKeyChange {
  readonly team: TeamId;
  readonly before: readonly SigningCertificate[];
  readonly after: readonly SigningCertificate[];
  /** The revision the team has after the change. */
  readonly revision: bigint;
}

/** What a change of a team does to the collections it is delegated on. trust/ implements it; teams/ knows no collection. */
export interface Effects {
  /**
   * Before a change of keys, outside any transaction: reads the newest delegation files of every collection the teams sign, or only
   * of those where any of the keys named may have signed, so that `guard` can judge them. Never throws for an unreachable Notary;
   * `guard` then refuses a removal with GUARD_UNAVAILABLE.
   */
  refresh(teams: readonly TeamId[], keys: readonly NewKey[] | undefined, signal: AbortSignal): Promise<GuardReading>;
  /** What would be published; the team rows are locked. */
  plan(tx: Transaction, changes: readonly TeamKeyChange[], now: Date): Promise<Plan>;
  /**
   * Refuses with WOULD_ORPHAN, WOULD_REVIVE, WITHOUT_SIGNER or GUARD_UNAVAILABLE unless the options accept it; answers what is known
   * of the signatures that a change touches which is let through. `reading` is that of `refresh`.
   */
  guard(
    tx: Transaction,
    changes: readonly TeamKeyChange[],
    options: ChangeOptions,
    reading: GuardReading,
    now: Date,
  ): Promise<readonly PlanWarning[]>;
  /** Starts the rollout of the changes, in O(number of teams) rows; no rollout where no collection is concerned. */
  changed(
    tx: Transaction,
    call: Call,
    kind: RolloutKind,
    changes: readonly TeamKeyChange[],
    now: Date,
  ): Promise<Commitment>;
  isDelegated(tx: Transaction, team: TeamId): Promise<boolean>;
  delegationCounts(db: Queryable, teams: readonly TeamId[]): Promise<ReadonlyMap<TeamId, number>>;
}

/** What `refresh` saw; trust/ knows more of it. */
export interface GuardReading {
  /** The collections whose delegation files could not be read just now, by GUN, with the reason. */
  readonly unreadable: ReadonlyMap<string, string>;
  /** Whether a collection that is neither there nor unreadable is an obstacle: it was delegated after the reading. */
  readonly isComplete: boolean;
}
