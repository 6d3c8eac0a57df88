import type { StatusObject } from "@grpc/grpc-js";
import { context, trace } from "@opentelemetry/api";
import type { Call } from "../audit/call.ts";
import { Fault } from "../errors.ts";
import { admit, type Rpc } from "./admit.ts";
import { limitCall } from "./call-limit.ts";
import { type Edge, standardTimes } from "./edge.ts";
import { NotPermitted } from "./not-permitted.ts";
import { endSpan, startSpan } from "./span.ts";
import { statusOf } from "./status.ts";
import type { Surface } from "./surface.ts";

/** How a call ended: with what its work gave, or with the status to answer. */
export type Ending<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly status: StatusObject };

/**
 * Takes one call from its arrival to its end: deadline, span, admission, the work, the record of a refusal, metrics. Never rejects
 * and never hangs; what is no Fault is logged and told as INTERNAL.
 */
export function conduct<Request, T>(
  edge: Edge,
  rpc: Rpc<Request>,
  surface: Surface,
  work: (request: Request, call: Call) => Promise<T>,
): Promise<Ending<T>> {
  const began = performance.now();
  const name = rpc.method.path.slice(1);
  const span = startSpan(name, surface.metadata);
  edge.metrics.began(name);
  return context.with(trace.setSpan(context.active(), span), async (): Promise<Ending<T>> => {
    const limit = limitCall(surface, rpc.standardMs, edge.times?.longestMs ?? standardTimes.longestMs);
    const known: { call?: Call } = {};
    let fault: Fault | undefined;
    try {
      const { request, call } = admit(edge, rpc, surface, limit, (learned) => {
        known.call = learned;
      });
      return { ok: true, value: await limit.race(work(request, call)) };
    } catch (error) {
      fault = faultOf(edge, error, name);
      await record(edge, fault, known.call);
      return { ok: false, status: statusOf(fault) };
    } finally {
      limit.release();
      endSpan(span, known.call?.actor.id, fault);
      edge.metrics.ended(name, fault?.kind ?? "OK", (performance.now() - began) / 1_000);
      const told = { method: name, caller: known.call?.actor.id, reason: fault?.reason };
      if (fault === undefined) edge.log.debug(told, "a call ended");
      else edge.log.info(told, "a call was refused or failed");
    }
  });
}

/** What a handler throws when its signal aborts does not arrive here: the limit has answered with the reason already. */
function faultOf(edge: Edge, error: unknown, method: string): Fault {
  if (error instanceof Fault) {
    if (error.kind === "INTERNAL") edge.log.error({ err: error, method }, "a call failed unexpectedly");
    return error;
  }
  edge.log.error({ err: error, method }, "a call failed unexpectedly");
  const traceId = trace.getActiveSpan()?.spanContext().traceId ?? "";
  return new Fault("INTERNAL", "An internal error occurred; the server's log tells more under this trace_id.", {
    metadata: { trace_id: traceId },
  });
}

/** What was decided against a caller. Failures, races with the clock and unknown outcomes are no decisions. */
const refusals: ReadonlySet<string> = new Set([
  "INVALID_ARGUMENT",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
]);

/** The refusal stands also when its record cannot be written: nothing was changed, and the metric and the log say so. */
async function record(edge: Edge, fault: Fault, call: Call | undefined): Promise<void> {
  if (call === undefined || !(refusals.has(fault.kind) || fault.reason === "DEADLINE_TOO_SHORT")) return;
  const timeout = AbortSignal.timeout(edge.times?.recordMs ?? standardTimes.recordMs);
  // A call that was let in may be refused for one of the many things that it is about.
  const decided = fault instanceof NotPermitted ? { ...call, authorization: fault.authorization } : call;
  try {
    await Promise.race([
      edge.recordRefusal(decided, fault),
      new Promise((_resolve, reject) =>
        timeout.addEventListener("abort", () => reject(timeout.reason), { once: true }),
      ),
    ]);
  } catch (error) {
    edge.metrics.refusalUnrecorded();
    edge.log.error({ err: error, method: call.method, reason: fault.reason }, "a refusal could not be recorded");
  }
}
