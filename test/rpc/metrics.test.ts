import assert from "node:assert/strict";
import { test } from "node:test";
import { createLogger } from "../../src/logger.ts";
import { createRpcMetrics } from "../../src/rpc/metrics.ts";
import { startTelemetry } from "../../src/telemetry.ts";

test("calls appear at the Prometheus endpoint by method and code, with buckets in seconds", async () => {
  const telemetry = await startTelemetry({
    metricsListen: { host: "127.0.0.1", port: 0 },
    samplingRatio: 0,
    environment: {},
    version: "0",
    isReady: () => true,
    log: createLogger("silent"),
  });
  const metrics = createRpcMetrics();
  const method = "imagetrust.v1.TrustService/GetTrust";
  metrics.began(method);
  metrics.began(method);
  metrics.ended(method, "NOT_FOUND", 0.004);
  metrics.connectionRefused("no_certificate");
  metrics.requestUnread();
  metrics.certificateEnds(new Date("2031-05-06T07:08:09Z"));
  metrics.refusalUnrecorded();
  metrics.policiesReloaded("kept");
  metrics.certificatesReloaded("changed");
  const page = await (await fetch(`http://127.0.0.1:${telemetry.metricsPort}/metrics`)).text();
  await telemetry.stop();
  const labels = `method="${method}",code="NOT_FOUND"`;
  for (const line of [
    `rpc_server_duration_bucket{${labels},le="0.0025"} 0`,
    `rpc_server_duration_bucket{${labels},le="0.005"} 1`,
    `rpc_server_active{method="${method}"} 1`,
    'rpc_connections_refused_total{reason="no_certificate"} 1',
    "rpc_requests_unread_total 1",
    "rpc_refusals_unrecorded_total 1",
    `tls_certificate_expiry_timestamp_seconds ${Date.UTC(2031, 4, 6, 7, 8, 9) / 1_000}`,
    'policy_reloads_total{result="kept"} 1',
    'tls_certificate_reloads_total{result="changed"} 1',
    "policy_files_refused 1",
    "tls_certificate_files_refused 0",
  ]) {
    assert.ok(page.split("\n").includes(line), `${line}\n${page}`);
  }
});
