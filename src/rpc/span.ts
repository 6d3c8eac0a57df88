import type { Metadata } from "@grpc/grpc-js";
import {
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  trace,
} from "@opentelemetry/api";
import type { ErrorKind, Fault } from "../errors.ts";

const tracer = trace.getTracer("imagetrust");

/** Starts the span of a call, as a child of the caller's span when its headers name one. */
export function startSpan(name: string, headers: Metadata): Span {
  const [service = "", method = ""] = name.split("/");
  const attributes = { "rpc.system": "grpc", "rpc.service": service, "rpc.method": method };
  return tracer.startSpan(
    name,
    { kind: SpanKind.SERVER, attributes },
    propagation.extract(ROOT_CONTEXT, headers, parentOnly),
  );
}

/** Ends the span; it counts as failed only where the fault is ours, not the caller's. */
export function endSpan(span: Span, caller: string | undefined, fault: Fault | undefined): void {
  if (caller !== undefined) span.setAttribute("enduser.id", caller);
  span.setAttribute("rpc.response.status_code", fault?.kind ?? "OK");
  if (fault !== undefined) span.setAttribute("error.type", fault.reason);
  if (fault !== undefined && ours.has(fault.kind)) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}

const ours: ReadonlySet<ErrorKind> = new Set<ErrorKind>([
  "INTERNAL",
  "UNAVAILABLE",
  "DEADLINE_EXCEEDED",
  "UNIMPLEMENTED",
]);

/** The ids in `traceparent` have a fixed form; `tracestate` is free text of strangers that we would pass on, so it is left out. */
const parentOnly: TextMapGetter<Metadata> = {
  keys: () => ["traceparent"],
  get: (headers, key) => {
    const [value] = key === "traceparent" ? headers.get(key) : [];
    return typeof value === "string" ? value : undefined;
  },
};
