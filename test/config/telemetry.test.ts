import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, test } from "node:test";
import { metrics, propagation, ROOT_CONTEXT, SpanKind, TraceFlags, trace } from "@opentelemetry/api";
import { SamplingDecision } from "@opentelemetry/sdk-trace";
import { createLogger } from "../../src/logger.ts";
import { samplerOf, startTelemetry, type TelemetryOptions } from "../../src/telemetry.ts";

const log = createLogger("silent");
const options: TelemetryOptions = {
  metricsListen: { host: "127.0.0.1", port: 0 },
  samplingRatio: 1,
  environment: {},
  version: "1.2.3",
  isReady: () => true,
  log,
};

test("metrics, liveness and readiness are served, and nothing else", async () => {
  let ready = false;
  const telemetry = await startTelemetry({ ...options, isReady: () => ready });
  const ask = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${telemetry.metricsPort}${path}`);
    return { status: answer.status, text: await answer.text() };
  };
  metrics.getMeter("test").createCounter("apples_total").add(3, { colour: "red" });
  assert.match((await ask("/metrics")).text, /^apples_total\{colour="red"\} 3$/m);
  assert.equal((await ask("/livez")).status, 200);
  assert.equal((await ask("/readyz")).status, 503);
  ready = true;
  assert.equal((await ask("/readyz")).status, 200);
  assert.equal((await ask("/")).status, 404);
  await telemetry.stop();
  await assert.rejects(ask("/livez"));
});

test("an address in use is named by its variable", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  after(() => taken.close());
  await new Promise((resolve) => taken.once("listening", resolve));
  const { port } = taken.address() as AddressInfo;
  await assert.rejects(
    startTelemetry({ ...options, metricsListen: { host: "127.0.0.1", port } }),
    /IMAGETRUST_METRICS_LISTEN .*EADDRINUSE/,
  );
});

test("without an OTLP endpoint spans have ids for logs and records, and are not exported", async () => {
  const telemetry = await startTelemetry({ ...options, metricsListen: undefined });
  assert.equal(telemetry.metricsPort, undefined);
  const span = trace.getTracer("test").startSpan("work");
  assert.match(span.spanContext().traceId, /^(?!0{32})[0-9a-f]{32}$/);
  assert.equal(span.isRecording(), false);
  await telemetry.stop();
});

test("with an OTLP endpoint spans arrive there before stop is done", async () => {
  const received: string[] = [];
  const collector = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      received.push(`${request.url} ${Buffer.concat(chunks).toString("latin1")}`);
      response.end();
    });
  }).listen(0, "127.0.0.1");
  after(() => collector.close());
  await new Promise((resolve) => collector.once("listening", resolve));
  const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
  process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint;
  after(() => void delete process.env["OTEL_EXPORTER_OTLP_ENDPOINT"]);
  const telemetry = await startTelemetry({ ...options, metricsListen: undefined, environment: process.env });
  trace.getTracer("test").startSpan("a piece of work").end();
  await telemetry.stop();
  assert.match(received.join("\n"), /^\/v1\/traces .*a piece of work/s);
  assert.match(received.join("\n"), /imagetrust/);
});

test("a traceparent is taken up and passed on", async () => {
  const telemetry = await startTelemetry({ ...options, metricsListen: undefined });
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
  const carried = {};
  propagation.inject(propagation.extract(ROOT_CONTEXT, { traceparent }), carried);
  assert.deepEqual(carried, { traceparent });
  await telemetry.stop();
});

test("a remote parent's sampled flag does not force sampling; a local one's holds", () => {
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  const decide = (isRemote: boolean) => {
    const parent = { traceId, spanId: "b7ad6b7169203331", traceFlags: TraceFlags.SAMPLED, isRemote };
    const context = trace.setSpanContext(ROOT_CONTEXT, parent);
    return samplerOf(0).shouldSample(context, traceId, "x", SpanKind.SERVER, {}, []).decision;
  };
  assert.equal(decide(true), SamplingDecision.NOT_RECORD);
  assert.equal(decide(false), SamplingDecision.RECORD_AND_SAMPLED);
});
