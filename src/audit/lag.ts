import { Fault } from "../errors.ts";

/** New changes are refused when more records than this wait, or the oldest state of the queue waits longer. */
export const mostWaiting = 50_000;
export const mostLagMs = 30_000;

/** How far the log is behind, as last seen. Instants are milliseconds of a clock that nobody sets, such as performance.now(). */
export interface Lag {
  /** Notes what a look at the waiting records showed; `depth` is exact or above `mostWaiting`. */
  observe(waiting: { readonly oldest: bigint; readonly newest: bigint } | undefined, depth: number, at: number): void;
  /** How many records waited at the last look. */
  readonly depth: number;
  /** How long ago the newest record was seen waiting that is not known to be sequenced; 0 when none waits. */
  msAt(at: number): number;
  /** Throws Fault AUDIT_BEHIND while the log cannot keep up. */
  admit(at: number): void;
}

/**
 * Makes a Lag. It measures the sequencer, not the age of a row: a mark is set at the newest waiting record and moves on
 * when everything up to it is sequenced, so neither a steady stream nor a slow transaction looks like a stand-still.
 */
export function createLag(): Lag {
  let mark: { readonly newest: bigint; readonly at: number } | undefined;
  let depth = 0;
  const msAt = (at: number): number => (mark === undefined ? 0 : Math.max(0, at - mark.at));
  return {
    get depth() {
      return depth;
    },
    observe: (waiting, seen, at) => {
      depth = seen;
      if (waiting === undefined) mark = undefined;
      else if (mark === undefined || waiting.oldest > mark.newest) mark = { newest: waiting.newest, at };
    },
    msAt,
    admit: (at) => {
      if (depth <= mostWaiting && msAt(at) <= mostLagMs) return;
      throw new Fault("AUDIT_BEHIND", "The audit log cannot keep up, so nothing may be changed now; try again later.", {
        metadata: { waiting: String(depth), lag_ms: String(msAt(at)) },
      });
    },
  };
}
