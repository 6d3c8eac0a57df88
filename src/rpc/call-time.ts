import type { Call } from "../audit/call.ts";
import type { Edge } from "./edge.ts";

/** Unix milliseconds: the deadline less a tenth of what is left, at least 50 ms: time to answer in. */
export function answerBy(call: Call): number {
  return call.deadline - Math.max(50, (call.deadline - Date.now()) / 10);
}

/** Aborts when a stream is to end: its call is over, or the server drains. */
export function streamSignal(edge: Edge, call: Call): AbortSignal {
  return edge.draining === undefined ? call.signal : AbortSignal.any([call.signal, edge.draining]);
}
