import type { Call } from "../audit/call.ts";
import { Fault } from "../errors.ts";

const longestMs = 60_000;

/**
 * A signal for what is read of Notary before a change is decided. It ends after half of the time the call has left: the other half is
 * the change's, so that a slow Notary ends in an answer that names it and not in a deadline.
 */
export function readingTimeOf(call: Pick<Call, "deadline" | "signal">): AbortSignal {
  const halfMs = Math.max(0, Math.min(longestMs, (call.deadline - Date.now()) / 2));
  const over = new AbortController();
  const fault = new Fault("NOTARY_UNAVAILABLE", "Notary did not answer in time. Repeat the call later.");
  setTimeout(() => over.abort(fault), halfMs).unref();
  return AbortSignal.any([call.signal, over.signal]);
}
