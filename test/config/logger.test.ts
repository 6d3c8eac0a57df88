import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { context, ROOT_CONTEXT, TraceFlags, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { createLogger } from "../../src/logger.ts";

before(() => context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
after(() => context.disable());

function written(log: (logger: ReturnType<typeof createLogger>) => void): string {
  const lines: string[] = [];
  log(createLogger("debug", { write: (line) => lines.push(line) }));
  return lines.join("");
}

test("a line is one JSON object with level, time, message and the given fields", () => {
  const line = JSON.parse(written((log) => log.child({ room: "rpc" }).warn({ gun: "a.b/c" }, "something happened")));
  assert.deepEqual(
    { ...line, time: typeof line.time },
    { level: "warn", time: "string", room: "rpc", gun: "a.b/c", message: "something happened" },
  );
});

test("a line written inside a span carries the span's ids", () => {
  const span = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceFlags: TraceFlags.NONE };
  const line = written((log) =>
    context.with(trace.setSpanContext(ROOT_CONTEXT, span), () => log.info({}, "within a span")),
  );
  assert.equal(JSON.parse(line).trace_id, span.traceId);
  assert.equal(JSON.parse(line).span_id, span.spanId);
});

test("fields named like secrets are blotted out, also two levels down", () => {
  const line = written((log) => log.info({ password: "p1", a: { token: "p2", b: { secret: "p3" } } }, "fields"));
  assert.doesNotMatch(line, /p[123]/);
  assert.equal(JSON.parse(line).a.b.secret, "[redacted]");
});

test("private keys and passwords in URLs are blotted out wherever they stand, and the line stays JSON", () => {
  const pem = '-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIPlanted"quoted\n-----END EC PRIVATE KEY-----\n';
  const line = written((log) => {
    const error = new Error(`connect to postgres://owner:hunter2/x@db.example.org/imagetrust failed: ${pem}`);
    log.error({ err: error, note: pem, after: "kept" }, "it failed");
  });
  assert.doesNotMatch(line, /hunter2|Planted|quoted/);
  const parsed = JSON.parse(line);
  assert.match(parsed.err.message, /postgres:\/\/\[redacted\]@db\.example\.org/);
  assert.equal(parsed.after, "kept");
});

test("lines below the level are not written", () => {
  const lines: string[] = [];
  createLogger("warn", { write: (line) => lines.push(line) }).info({}, "not wanted");
  assert.deepEqual(lines, []);
});
