import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { after, test } from "node:test";
import { context, metrics, propagation, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import {
  AggregationTemporality,
  type HistogramMetricData,
  InMemoryMetricExporter,
  MeterProvider,
  type MetricData,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import type { Gun, RoleName } from "../../src/names.ts";
import { openNotaryServers } from "../../src/notary/directory.ts";
import { answer, startPeer } from "./peer.ts";

const spans = new InMemorySpanExporter();
const measured = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter: measured, exportIntervalMillis: 3_600_000 });
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());
trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })] }));
metrics.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
after(() => reader.shutdown());

const held: Socket[] = [];
const peer = await startPeer({
  onRequest: (socket, request) => {
    if (request.line.startsWith("POST")) held.push(socket);
    else if (request.line.includes("/9.")) socket.resetAndDestroy();
    else socket.write(answer(200, "body"));
  },
});
after(() => peer.close());
const servers = openNotaryServers([{ name: "main", baseUrl: peer.url, registryHosts: ["*"] }]);
after(() => servers.close());
const server = servers.byName("main");
const gun = "dtr.example.org/dev/nginx" as Gun;
const [root, qa] = ["root", "targets/qa"] as [RoleName, RoleName];
const never = new AbortController().signal;

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

async function metric(name: string): Promise<MetricData> {
  measured.reset();
  await reader.forceFlush();
  const found = measured
    .getMetrics()
    .flatMap((resource) => resource.scopeMetrics)
    .filter((scope) => scope.scope.name === "imagetrust")
    .flatMap((scope) => scope.metrics)
    .find((data) => data.descriptor.name === name);
  assert.ok(found, `no metric ${name}`);
  return found;
}

test("each request has one span that says what was asked and what came of it, and carries the trace on", async () => {
  spans.reset();
  const parent = trace.getTracer("test").startSpan("parent");
  await context.with(trace.setSpan(context.active(), parent), () => server.readVersion(gun, qa, 3, never));
  const [span, ...more] = spans.getFinishedSpans();
  assert.equal(more.length, 0);
  assert.equal(span?.name, "notary.read");
  assert.equal(span.kind, SpanKind.CLIENT);
  assert.equal(span.instrumentationScope.name, "imagetrust");
  assert.equal(span.spanContext().traceId, parent.spanContext().traceId);
  assert.partialDeepStrictEqual(span.attributes, {
    "notary.server": "main",
    "notary.gun": gun,
    "notary.role": qa,
    "notary.version": 3,
    "notary.file": "3.targets/qa.json",
    "notary.outcome": "found",
    "http.response.status_code": 200,
  });
  assert.equal(typeof span.attributes["notary.queue_wait_ms"], "number");
  const { traceId, spanId } = span.spanContext();
  assert.equal(peer.requests.at(-1)?.headers.get("traceparent"), `00-${traceId}-${spanId}-01`);
  parent.end();
});

test("the wait in the queue shows in the span and the queue's depth, not in the request's duration", async () => {
  spans.reset();
  held.length = 0;
  const uploads = [
    server.upload(gun, [{ role: root, bytes: Buffer.from("{}") }], never),
    server.upload(gun, [], never),
  ];
  await until(() => held.length === 1);
  assert.equal((await metric("notary_queue_depth")).dataPoints[0]?.value, 1);
  await new Promise((resolve) => setTimeout(resolve, 120));
  held[0]?.write(answer(400, '{"errors":[{"code":"VERSION"}]}'));
  await until(() => held.length === 2);
  held[1]?.write(answer(500, "broken"));
  await Promise.all(uploads);
  assert.equal((await metric("notary_queue_depth")).dataPoints[0]?.value, 0);
  const [first, second] = spans.getFinishedSpans();
  assert.deepEqual(first?.attributes["notary.roles"], ["root"]);
  assert.equal(first?.attributes["notary.outcome"], "version");
  assert.equal(first?.status.code, SpanStatusCode.UNSET);
  assert.equal(second?.attributes["notary.outcome"], "failed");
  assert.equal(second?.status.code, SpanStatusCode.ERROR);
  assert.ok(Number(second?.attributes["notary.queue_wait_ms"]) >= 100);
  const durations = (await metric("notary_request_duration_seconds")) as HistogramMetricData;
  const failed = durations.dataPoints.find((point) => point.attributes["outcome"] === "failed");
  assert.deepEqual(failed?.attributes, { server: "main", operation: "upload", outcome: "failed" });
  const [seconds = 0, nanoseconds = 0] = second?.duration ?? [];
  const afterWaitMs = seconds * 1_000 + nanoseconds / 1_000_000 - Number(second?.attributes["notary.queue_wait_ms"]);
  assert.ok((failed?.value.sum ?? Number.POSITIVE_INFINITY) * 1_000 <= afterWaitMs + 2);
  assert.equal(failed?.value.buckets.boundaries[0], 0.005);
});

test("a broken connection is counted and its span is an error", async () => {
  spans.reset();
  await assert.rejects(server.readVersion(gun, root, 9, never), { reason: "NOTARY_UNAVAILABLE" });
  assert.equal(spans.getFinishedSpans()[0]?.status.code, SpanStatusCode.ERROR);
  const resets = await metric("notary_connection_resets_total");
  assert.deepEqual(
    resets.dataPoints.map(({ attributes, value }) => ({ attributes, value })),
    [{ attributes: { server: "main" }, value: 1 }],
  );
});
