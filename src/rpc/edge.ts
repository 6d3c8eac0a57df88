import type { Call } from "../audit/call.ts";
import type { Fault } from "../errors.ts";
import type { Logger } from "../logger.ts";
import type { Authorizer } from "./authorize.ts";
import type { RpcMetrics } from "./metrics.ts";

/** What every RPC needs from the house. */
export interface Edge {
  readonly authorizer: Authorizer;
  readonly metrics: RpcMetrics;
  readonly log: Logger;
  /** Writes the record of a refusal, before the caller is told; audit/ implements it. */
  readonly recordRefusal: (call: Call, fault: Fault) => Promise<void>;
  /** Aborts when the server begins to drain: streams that would go on end. Default: never. */
  readonly draining?: AbortSignal;
  /** Default: as in `standardTimes`. */
  readonly times?: Partial<CallTimes>;
}

export interface CallTimes {
  /** The deadline of a unary call whose client set none. */
  readonly unaryMs: number;
  /** The deadline of a stream whose client set none. */
  readonly streamMs: number;
  /** No call is worked on for longer, whatever its client set. */
  readonly longestMs: number;
  /** How long a refusal may wait for its record. */
  readonly recordMs: number;
}

export const standardTimes: CallTimes = { unaryMs: 30_000, streamMs: 300_000, longestMs: 300_000, recordMs: 2_000 };
