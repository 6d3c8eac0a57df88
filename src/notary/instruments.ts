import {
  type Attributes,
  context,
  metrics,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
} from "@opentelemetry/api";

/** How one request to a Notary server is seen by operators. */
export interface Operation {
  /** The span is `notary.<name>`; also the metric's `operation`. */
  readonly name: "upload" | "read" | "read_server_key" | "read_changefeed" | "read_generation";
  readonly attributes: Attributes;
}

/** A request as it is observed; the callee says when it left the queue and what came of it. */
export interface Observation {
  /** What carries the trace on: W3C traceparent, where a propagator is registered. */
  traceHeaders(): Record<string, string>;
  /** The queue wait is over. */
  began(): void;
  answered(status: number): void;
}

export interface Instruments {
  /** Runs one request in a span of its own and measures it, without its wait in the queue, under the outcome that it names. */
  observe<T>(
    operation: Operation,
    outcomeOf: (value: T) => string,
    work: (observation: Observation) => Promise<T>,
  ): Promise<T>;
  queueDepth(depth: number): void;
  connectionReset(): void;
}

const tracer = trace.getTracer("imagetrust");

/** The instruments of one server. The meter provider must be registered before: the metrics API has no late binding. */
export function createInstruments(server: string): Instruments {
  const meter = metrics.getMeter("imagetrust");
  const durations = meter.createHistogram("notary_request_duration_seconds", {
    description: "Duration of requests to a Notary server, without their wait in the queue.",
    unit: "s",
    advice: { explicitBucketBoundaries: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] },
  });
  const depths = meter.createGauge("notary_queue_depth", {
    description: "Requests that wait because a Notary server is asked one thing at a time.",
  });
  const resets = meter.createCounter("notary_connection_resets_total", {
    description: "Connections to a Notary server that broke before the answer was complete.",
  });
  depths.record(0, { server });
  return {
    observe: (operation, outcomeOf, work) =>
      observe(server, operation, outcomeOf, work, (seconds, outcome) =>
        durations.record(seconds, { server, operation: operation.name, outcome }),
      ),
    queueDepth: (depth) => depths.record(depth, { server }),
    connectionReset: () => resets.add(1, { server }),
  };
}

async function observe<T>(
  server: string,
  operation: Operation,
  outcomeOf: (value: T) => string,
  work: (observation: Observation) => Promise<T>,
  measure: (seconds: number, outcome: string) => void,
): Promise<T> {
  const attributes = { "notary.server": server, ...operation.attributes };
  const span = tracer.startSpan(`notary.${operation.name}`, { kind: SpanKind.CLIENT, attributes });
  const asked = performance.now();
  let began: number | undefined;
  const finish = (outcome: string, failed: boolean) => {
    span.setAttribute("notary.outcome", outcome);
    if (failed) span.setStatus({ code: SpanStatusCode.ERROR });
    if (began !== undefined) measure((performance.now() - began) / 1_000, outcome);
    span.end();
  };
  try {
    const value = await work({
      traceHeaders: () => traceHeadersOf(span),
      began: () => {
        began = performance.now();
        span.setAttribute("notary.queue_wait_ms", Math.round(began - asked));
      },
      answered: (status) => void span.setAttribute("http.response.status_code", status),
    });
    const outcome = outcomeOf(value);
    finish(outcome, failedOutcomes.has(outcome));
    return value;
  } catch (error) {
    finish("fault", true);
    throw error;
  }
}

const failedOutcomes: ReadonlySet<string> = new Set(["refused", "missing_server_key", "failed", "unreachable"]);

function traceHeadersOf(span: Span): Record<string, string> {
  const headers: Record<string, string> = {};
  propagation.inject(trace.setSpan(context.active(), span), headers);
  return headers;
}
