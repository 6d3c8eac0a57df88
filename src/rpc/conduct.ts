import type { StatusObject } from "@grpc/grpc-js";
import {
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  trace,
} from "@opentelemetry/api";
import type { Call } from "../audit/call.ts";
import { Fault } from "../errors.ts";
import { type CallLimit, limitCall } from "./call-limit.ts";
import { type CallTimes, type Edge, standardTimes } from "./edge.ts";
import { type Caller, callerOf } from "./identity.ts";
import type { Permission } from "./permissions.ts";
import { decodeRequest, digestOf, presentsPrivateKey } from "./request.ts";
import { statusOf } from "./status.ts";
import type { Method, Surface } from "./surface.ts";

/** How a call ended: with what its work gave, or with the status to answer. */
export type Ending<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly status: Pick<StatusObject, "code" | "details" | "metadata"> };

/** An RPC with what it needs: its description, its permission, its standard deadline. */
export interface Conducted<Request, Response> {
  readonly method: Method<Request, Response>;
  readonly permission: Permission;
  readonly standardMs: number;
}

const tracer = trace.getTracer("imagetrust");

/**
 * Takes one call from its arrival to its end, in this order: deadline, span, identity, the scan for private keys, digest,
 * authorization, the work itself, the record of a refusal, metrics. Never rejects and never hangs; whatever is no Fault is logged
 * and told as INTERNAL.
 */
export async function conduct<Request, Response, T>(
  edge: Edge,
  rpc: Conducted<Request, Response>,
  surface: Surface,
  work: (request: Request, call: Call) => Promise<T>,
): Promise<Ending<T>> {
  const began = performance.now();
  const times = { ...standardTimes, ...edge.times };
  const name = rpc.method.path.slice(1);
  edge.metrics.began(name);
  const limit = limitCall(surface, rpc.standardMs, times.longestMs);
  const span = startSpan(name, surface);
  const progress: Progress = { call: undefined };
  const ending = await context.with(trace.setSpan(ROOT_CONTEXT, span), async (): Promise<Ending<T>> => {
    try {
      const value = await limit.race(admit(edge, rpc, surface, limit, span, progress).then(([request, call]) => work(request, call)));
      return { ok: true, value };
    } catch (error) {
      const fault = faultOf(edge, error, limit, name);
      await record(edge, fault, progress.call, times);
      edge.log.debug({ method: name, reason: fault.reason, caller: progress.call?.actor.id ?? "" }, "a call was not done");
      return { ok: false, status: endSpan(span, fault) };
    }
  });
  limit.release();
  span.end();
  edge.metrics.ended(name, ending.ok ? "OK" : codeName(ending.status.code), (performance.now() - began) / 1_000);
  return ending;
}
