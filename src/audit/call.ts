/** Who acts: a caller proved by its client certificate, or a part of the service itself. Never taken from a request field. */
export interface Actor {
  readonly type: "caller" | "service";
  /** The certificate's URI SAN, else its subject CN; for the service, the part that acts, such as `publisher`. */
  readonly id: string;
  readonly authentication: "mtls" | "internal";
  /** Hex SHA-256 of the client certificate; empty for the service. */
  readonly certificateSha256: string;
}

/** The decision that let a call through, or refused it. */
export interface Authorization {
  readonly action: string;
  readonly resource: string;
  readonly decision: "ALLOW" | "DENY";
  readonly policies: readonly string[];
}

/** What a record says about the call it belongs to, and how long the call may take. */
export interface Call {
  readonly actor: Actor;
  /** The RPC's full name, such as `imagetrust.v1.DelegationService/Delegate`; for the service, the step. */
  readonly method: string;
  readonly authorization: Authorization | undefined;
  readonly requestId: string;
  /** Hex SHA-256 of the request's encoded bytes; empty for the service and for requests that held a private key. */
  readonly requestDigest: string;
  /** The caller's free text. */
  readonly reason: string;
  readonly peer: string;
  readonly userAgent: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Unix milliseconds after which the caller no longer waits. */
  readonly deadline: number;
  readonly signal: AbortSignal;
}

/** A call of the service's own, for the records of its background work. */
export function serviceCall(
  part: string,
  step: string,
  trace: { traceId: string; spanId: string },
  signal: AbortSignal,
): Call {
  return {
    actor: { type: "service", id: part, authentication: "internal", certificateSha256: "" },
    method: step,
    authorization: undefined,
    requestId: "",
    requestDigest: "",
    reason: "",
    peer: "",
    userAgent: "",
    ...trace,
    deadline: Number.POSITIVE_INFINITY,
    signal,
  };
}
