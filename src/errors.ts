/** The canonical gRPC status a fault maps to; see google.rpc.Code. */
export type ErrorKind =
  | "INVALID_ARGUMENT"
  | "NOT_FOUND"
  | "ALREADY_EXISTS"
  | "PERMISSION_DENIED"
  | "UNAUTHENTICATED"
  | "RESOURCE_EXHAUSTED"
  | "FAILED_PRECONDITION"
  | "ABORTED"
  | "DEADLINE_EXCEEDED"
  | "CANCELLED"
  | "UNAVAILABLE"
  | "UNIMPLEMENTED"
  | "INTERNAL";

/**
 * Every reason a call can be refused or fail for, with the status it travels under.
 * The names are those of imagetrust.v1.ErrorReason without the prefix; a test holds the two together.
 * UNAVAILABLE stands only where repeating the same call blindly is safe.
 */
export const kindOfReason = {
  INVALID_FIELD: "INVALID_ARGUMENT",
  NOT_PERMITTED: "PERMISSION_DENIED",
  NOT_FOUND: "NOT_FOUND",
  ETAG_MISMATCH: "ABORTED",
  PLAN_CHANGED: "ABORTED",
  REQUEST_ID_REUSED: "INVALID_ARGUMENT",
  PRIVATE_KEY_PRESENTED: "INVALID_ARGUMENT",
  KEY_OWNED_BY_OTHER: "FAILED_PRECONDITION",
  KEY_REVOKED: "FAILED_PRECONDITION",
  TEAM_ID_RETIRED: "FAILED_PRECONDITION",
  TEAM_IN_USE: "FAILED_PRECONDITION",
  PATHS_NEED_EXCLUSION: "INVALID_ARGUMENT",
  WOULD_ORPHAN: "FAILED_PRECONDITION",
  COLLECTION_BLOCKED: "FAILED_PRECONDITION",
  TOO_LARGE: "FAILED_PRECONDITION",
  NOTARY_UNAVAILABLE: "UNAVAILABLE",
  SIGNING_UNAVAILABLE: "UNAVAILABLE",
  DEADLINE_TOO_SHORT: "DEADLINE_EXCEEDED",
  AUDIT_BEHIND: "RESOURCE_EXHAUSTED",
  OUTCOME_UNKNOWN: "UNAVAILABLE",
  WOULD_REVIVE: "FAILED_PRECONDITION",
  WITHOUT_SIGNER: "FAILED_PRECONDITION",
  GUARD_UNAVAILABLE: "FAILED_PRECONDITION",
  FOREIGN_TRUST: "FAILED_PRECONDITION",
  ALREADY_EXISTS: "ALREADY_EXISTS",
  NO_VALID_CERTIFICATE: "FAILED_PRECONDITION",
  TRUST_PUBLISHED: "FAILED_PRECONDITION",
  NO_SUCH_NOTARY: "FAILED_PRECONDITION",
  CONFLICT: "ABORTED",
  DATABASE_UNAVAILABLE: "UNAVAILABLE",
  UNAUTHENTICATED: "UNAUTHENTICATED",
  DEADLINE_EXCEEDED: "DEADLINE_EXCEEDED",
  CANCELLED: "CANCELLED",
  INTERNAL: "INTERNAL",
  ROLLOUT_NOT_CANCELLABLE: "FAILED_PRECONDITION",
  SAME_KEY: "FAILED_PRECONDITION",
  POSSESSION_UNPROVEN: "FAILED_PRECONDITION",
  CHALLENGE_USED: "FAILED_PRECONDITION",
  CHALLENGE_EXPIRED: "FAILED_PRECONDITION",
  CHALLENGE_OF_OTHER_CALLER: "FAILED_PRECONDITION",
  CHALLENGE_OF_OTHER_MEMBER: "FAILED_PRECONDITION",
  CHALLENGE_OF_OTHER_KEY: "FAILED_PRECONDITION",
  WRONG_SIGNATURE: "INVALID_ARGUMENT",
  TOO_MANY_CHALLENGES: "RESOURCE_EXHAUSTED",
  REVOCATION_UNKNOWN: "FAILED_PRECONDITION",
} as const satisfies Record<string, ErrorKind>;

/** A reason from imagetrust.v1.ErrorReason, without its prefix. */
export type ErrorReason = keyof typeof kindOfReason;

/** One thing wrong with one field: `field` is the path as the proto spells it, `fault` says what is wrong and what would be right. */
export interface FieldFault {
  readonly field: string;
  readonly fault: string;
}

export interface FaultDetail {
  /** Machine-readable facts for google.rpc.ErrorInfo; never secrets. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly fields?: readonly FieldFault[];
  readonly cause?: unknown;
}

/**
 * The one error that crosses rooms and reaches callers.
 * The message names the fault and the remedy and never holds internals; anything else thrown is INTERNAL to a caller.
 */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly reason: ErrorReason;
  readonly metadata: Readonly<Record<string, string>>;
  readonly fields: readonly FieldFault[];

  constructor(reason: ErrorReason, message: string, detail: FaultDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.reason = reason;
    this.metadata = detail.metadata ?? {};
    this.fields = detail.fields ?? [];
  }

  get kind(): ErrorKind {
    return kindOfReason[this.reason];
  }
}
