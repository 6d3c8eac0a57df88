import type { Call } from "../audit/call.ts";
import { Fault } from "../errors.ts";

const longestMs = 60_000;

/**
 * Reads Notary before a change is decided, within half of the time the call has left and at most
 * `mostMs`: the other half is the change's, so that a slow
 * Notary ends in an answer that names it and not in a deadline. Nothing of the call is kept once the reading is over.
 */
export async function withinReadingTime<T>(
  call: Pick<Call, "deadline" | "signal">,
  read: (signal: AbortSignal) => Promise<T>,
  mostMs: number = longestMs,
): Promise<T> {
  const halfMs = Math.max(0, Math.min(mostMs, (call.deadline - Date.now()) / 2));
  const over = new AbortController();
  const giveUp = () =>
    over.abort(new Fault("NOTARY_UNAVAILABLE", "Notary did not answer in time. Repeat the call later."));
  const timer = setTimeout(giveUp, halfMs);
  try {
    return await read(AbortSignal.any([call.signal, over.signal]));
  } finally {
    clearTimeout(timer);
  }
}
