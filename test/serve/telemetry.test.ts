import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { Metadata } from "@grpc/grpc-js";
import { PublicationState } from "../../gen/imagetrust/v1/change.ts";
import { DelegationServiceService } from "../../gen/imagetrust/v1/delegation.ts";
import { TrustServiceService } from "../../gen/imagetrust/v1/trust.ts";
import { makeTeam } from "../rpc/services/story.ts";
import { startNotary } from "../stack/notary.ts";
import { borrowPostgres } from "../stack/shared-postgres.ts";
import { type Collector, type ExportedSpan, startCollector } from "./collector.ts";
import { notaryNamed, type Service, startService } from "./service.ts";
import { startTap, type Tap } from "./tap.ts";

const { initializeTrust, getTrust } = TrustServiceService;
const { delegate } = DelegationServiceService;
const gun = "dtr.example.org/dev/nginx";
let collector: Collector;
let tap: Tap;
let service: Service;
const cleanups: (() => unknown)[] = [];

before(async () => {
  const postgres = await borrowPostgres();
  cleanups.unshift(() => postgres.stop());
  const notary = await startNotary(postgres);
  cleanups.unshift(() => notary.stop());
  tap = await startTap(notary);
  cleanups.unshift(() => tap.close());
  collector = await startCollector();
  cleanups.unshift(() => collector.close());
  service = await startService({
    databaseUrl: postgres.appUrl,
    notaries: [notaryNamed("main", tap)],
    env: { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: collector.url, IMAGETRUST_TRACE_SAMPLING_RATIO: "1" },
  });
  cleanups.unshift(() => service.clear());
});
after(async () => {
  for (const cleanup of cleanups) await cleanup();
});

/** What a caller sends to have its call seen in its own trace. */
interface Parent {
  readonly traceId: string;
  readonly spanId: string;
  readonly metadata: Metadata;
}

function parent(): Parent {
  const [traceId, spanId] = [randomBytes(16).toString("hex"), randomBytes(8).toString("hex")];
  const metadata = new Metadata();
  metadata.set("traceparent", `00-${traceId}-${spanId}-01`);
  return { traceId, spanId, metadata };
}

/** Several, because the publisher's own look at what is due may be faster than a call's word to it, and is in no trace. */
const guns = [1, 2, 3].map((number) => `${gun}-${number}`);
const initializing = guns.map(parent);
const delegating = guns.map(parent);
const reading = parent();

test("a delegation is counted by RPC, publisher and Notary metrics, each with its outcome", async () => {
  await makeTeam(service.admin, "qa", ["ann"]);
  for (const [at, gun] of guns.entries()) {
    const made = await service.admin.send(initializeTrust, { gun }, initializing[at]);
    assert.equal(made.outcome?.state, PublicationState.PUBLISHED);
    const { outcome } = await service.admin.send(delegate, { gun, team: "qa" }, delegating[at]);
    assert.equal(outcome?.state, PublicationState.PUBLISHED);
  }
  await service.admin.send(getTrust, { gun: `${gun}-1` }, reading);
  await service.viewer.refused(delegate, { gun: `${gun}-1`, team: "qa" });
  const { text } = await service.ask("/metrics");
  const count = (name: string) =>
    Number(
      text
        .split("\n")
        .find((line) => line.startsWith(`${name} `))
        ?.split(" ")[1],
    );
  const rpc = (method: string, code: string) =>
    `rpc_server_duration_count{method="imagetrust.v1.${method}",code="${code}"}`;
  const notary = (operation: string, outcome: string) =>
    `notary_request_duration_seconds_count{server="main",operation="${operation}",outcome="${outcome}"}`;
  assert.equal(count(rpc("DelegationService/Delegate", "OK")), 3);
  assert.equal(count(rpc("DelegationService/Delegate", "PERMISSION_DENIED")), 1);
  assert.equal(count('rpc_server_active{method="imagetrust.v1.DelegationService/Delegate"}'), 0);
  assert.equal(count("rpc_connections"), 2);
  assert.equal(count('publisher_publications_total{outcome="landed"}'), 6);
  assert.equal(count("publisher_publication_duration_seconds_count"), 6);
  assert.equal(count(notary("upload", "accepted")), tap.heard.filter(({ method }) => method === "POST").length);
  assert.ok(count(notary("read", "found")) > 0 && count(notary("read", "absent")) > 0);
  assert.equal(count('notary_queue_depth{server="main"}'), 0);
});

test("spans arrive when the process ends, at the latest", async () => {
  assert.equal(await service.stop(), 0);
  assert.ok(collector.spans().length > 0);
});

function traceOf({ traceId }: Parent): readonly ExportedSpan[] {
  return collector.spans().filter((span) => span.traceId === traceId);
}

/** The call's own span: the one child of the caller's. */
function callSpanOf(caller: Parent, method: string): ExportedSpan {
  const [span, ...more] = traceOf(caller).filter(({ parentId }) => parentId === caller.spanId);
  assert.deepEqual(more, []);
  assert.equal(span?.name, `imagetrust.v1.${method}`);
  assert.equal(span.attributes["rpc.response.status_code"], "OK");
  assert.equal(span.attributes["enduser.id"], "spiffe://imagetrust.local/admin");
  return span;
}

/** The names of all spans below one, however deep. */
function namesBelow(span: ExportedSpan, trace: readonly ExportedSpan[]): readonly string[] {
  return trace
    .filter(({ parentId }) => parentId === span.spanId)
    .flatMap((one) => [one.name, ...namesBelow(one, trace)]);
}

/** The trace of a call that published its change itself. */
function ownTraceOf(method: string, callers: readonly Parent[]) {
  for (const caller of callers) {
    const trace = traceOf(caller);
    const below = namesBelow(callSpanOf(caller, method), trace);
    if (below.includes("publisher.advance")) return { trace, below };
  }
  assert.fail(`no call of ${method} has the publisher in its trace`);
}

for (const [method, callers] of [
  ["TrustService/InitializeTrust", initializing],
  ["DelegationService/Delegate", delegating],
] as const) {
  test(`${method} is one span of its caller's trace, with its database, signing and Notary spans below it`, () => {
    const { trace, below } = ownTraceOf(method, callers);
    assert.equal(below.length, trace.length - 1, "nothing in the trace hangs elsewhere");
    for (const name of ["database.transaction", "signing.sign", "notary.upload", "notary.read"]) {
      assert.ok(below.includes(name), `${name} is not among ${below.join(", ")}`);
    }
  });

  test(`what ${method} asks Notary carries the span that asks as its traceparent`, () => {
    const asking = ownTraceOf(method, callers).trace.filter(({ name }) => name.startsWith("notary."));
    const heard = tap.heard.map(({ headers }) => headers["traceparent"]);
    for (const { traceId, spanId } of asking) assert.ok(heard.includes(`00-${traceId}-${spanId}-01`));
    assert.ok(asking.every(({ attributes }) => guns.includes(attributes["notary.gun"] ?? "")));
  });
}

test("a read asks the database alone: neither Notary nor a key is in its trace", () => {
  const below = namesBelow(callSpanOf(reading, "TrustService/GetTrust"), traceOf(reading));
  assert.deepEqual(
    below.filter((name) => !name.startsWith("database.")),
    [],
  );
});
