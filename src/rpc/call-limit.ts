import { Fault } from "../errors.ts";
import type { Surface } from "./surface.ts";

/** How long a call may be worked on. */
export interface CallLimit {
  /** Unix milliseconds. */
  readonly deadline: number;
  /** Aborts at the deadline or when the client goes away; its reason is the Fault to answer with. */
  readonly signal: AbortSignal;
  /** The work's outcome, or the reason of the signal if that comes first: work that never ends cannot hang a call. */
  race<T>(work: Promise<T>): Promise<T>;
  /** The call is over: nothing aborts it any more. */
  release(): void;
}

/** Takes the client's deadline, `standardMs` from now where it set none, and never more than `longestMs`. */
export function limitCall(surface: Surface, standardMs: number, longestMs: number): CallLimit {
  const now = Date.now();
  const asked = Number(surface.getDeadline());
  const deadline = Math.min(Number.isFinite(asked) ? asked : now + standardMs, now + longestMs);
  const controller = new AbortController();
  const expire = () =>
    controller.abort(new Fault("DEADLINE_EXCEEDED", "The deadline passed before the call was done."));
  let isOver = false;
  const timer = setTimeout(expire, Math.max(0, deadline - now));
  // The library tells us of a passed deadline, of a client that went away and of any call's end in the same way.
  surface.on("cancelled", () => {
    if (isOver) return;
    if (Date.now() >= deadline) expire();
    else controller.abort(new Fault("CANCELLED", "The client cancelled the call."));
  });
  return {
    deadline,
    signal: controller.signal,
    race: (work) =>
      new Promise((resolve, reject) => {
        const stop = () => reject(controller.signal.reason);
        if (controller.signal.aborted) stop();
        controller.signal.addEventListener("abort", stop, { once: true });
        work.then(resolve, reject);
      }),
    release: () => {
      isOver = true;
      clearTimeout(timer);
    },
  };
}
