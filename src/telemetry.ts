import { createServer, type Server } from "node:http";
import { context, metrics, propagation, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { setGlobalErrorHandler, W3CTraceContextPropagator } from "@opentelemetry/core";
import { PrometheusExporter } from "@opentelemetry/exporter-prometheus";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import {
  defaultResource,
  detectResources,
  envDetector,
  type Resource,
  resourceFromAttributes,
  serviceNameEnvDetector,
} from "@opentelemetry/resources";
import { MeterProvider } from "@opentelemetry/sdk-metrics";
import {
  AlwaysOffSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from "@opentelemetry/sdk-trace";
import { Fault } from "./errors.ts";
import type { Logger } from "./logger.ts";
import type { Address } from "./settings.ts";

export interface TelemetryOptions {
  /** Undefined: nothing is served; port 0: a free one. */
  readonly metricsListen: Address | undefined;
  /** The share of traces that is exported, also of those that callers ask to be sampled. */
  readonly samplingRatio: number;
  /** Says whether to export; endpoint, headers and resource are read from the process by the OpenTelemetry packages. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  /** What `/readyz` answers. */
  readonly isReady: () => boolean;
  readonly log: Logger;
}

export interface Telemetry {
  /** The port of the metrics listener; undefined when there is none. */
  readonly metricsPort: number | undefined;
  /** Sends what is still to be exported, closes the listener and unregisters everything. */
  stop(): Promise<void>;
}

/**
 * Registers tracing, metrics and W3C propagation for the process and serves `/metrics`, `/livez` and `/readyz`.
 * Must run before instruments are made: the metrics API has no late binding. Throws INVALID_FIELD if the address cannot be had.
 */
export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  setGlobalErrorHandler((error) => options.log.warn({ err: error }, "telemetry could not be delivered"));
  const resource = resourceOf(options.version);
  const exports = exportsTraces(options.environment);
  const tracing = new TracerProvider({
    resource,
    sampler: exports ? samplerOf(options.samplingRatio) : new AlwaysOffSampler(),
    spanProcessors: exports ? [otlpProcessor()] : [],
  });
  const prometheus = new PrometheusExporter({ preventServerStart: true, withoutScopeInfo: true });
  const measuring = new MeterProvider({ resource, readers: [prometheus] });
  const server = options.metricsListen && (await serve(options.metricsListen, prometheus, options.isReady));
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(tracing);
  metrics.setGlobalMeterProvider(measuring);
  return {
    metricsPort: portOf(server),
    stop: async () => {
      server?.closeAllConnections();
      server?.close();
      await Promise.allSettled([tracing.shutdown(), measuring.shutdown()]);
      for (const api of [trace, metrics, propagation, context]) api.disable();
    },
  };
}

/** A caller's sampled flag does not force an export: a remote parent is sampled by the same ratio as a root. */
export function samplerOf(ratio: number): Sampler {
  const byRatio = new TraceIdRatioBasedSampler(ratio);
  return new ParentBasedSampler({ root: byRatio, remoteParentSampled: byRatio });
}

function exportsTraces(environment: TelemetryOptions["environment"]): boolean {
  if (environment["OTEL_SDK_DISABLED"]?.toLowerCase() === "true" || environment["OTEL_TRACES_EXPORTER"] === "none") {
    return false;
  }
  return Boolean(environment["OTEL_EXPORTER_OTLP_ENDPOINT"] || environment["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]);
}

function otlpProcessor(): SpanProcessor {
  return new BatchSpanProcessor({ exporter: new OTLPTraceExporter() });
}

/** OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over what we would say of ourselves. */
function resourceOf(version: string): Resource {
  return defaultResource()
    .merge(resourceFromAttributes({ "service.name": "imagetrust", "service.version": version }))
    .merge(detectResources({ detectors: [envDetector, serviceNameEnvDetector] }));
}

async function serve(address: Address, prometheus: PrometheusExporter, isReady: () => boolean): Promise<Server> {
  const server = createServer((request, response) => {
    const path = request.url?.split("?", 1)[0];
    if (path === "/metrics") return prometheus.getMetricsRequestHandler(request, response);
    const [status, text] =
      path === "/livez"
        ? [200, "alive"]
        : path !== "/readyz"
          ? [404, "not found"]
          : isReady()
            ? [200, "ready"]
            : [503, "not ready"];
    response.writeHead(status, { "content-type": "text/plain" }).end(`${text}\n`);
  });
  server.requestTimeout = 10_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const fault = `cannot be listened on: ${address.host}:${address.port} (${error.code})`;
      reject(
        new Fault("INVALID_FIELD", `IMAGETRUST_METRICS_LISTEN ${fault}`, {
          fields: [{ field: "IMAGETRUST_METRICS_LISTEN", fault }],
        }),
      );
    });
    server.listen(address.port, address.host, resolve);
  });
  return server;
}

function portOf(server: Server | undefined): number | undefined {
  const address = server?.address();
  return typeof address === "object" && address !== null ? address.port : undefined;
}
