import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { Metadata } from "@grpc/grpc-js";
import { TeamServiceService } from "../../gen/imagetrust/v1/team.ts";
import { admit } from "../../src/rpc/admit.ts";
import { limitCall } from "../../src/rpc/call-limit.ts";
import type { Edge } from "../../src/rpc/edge.ts";
import { team } from "../../src/rpc/resource.ts";
import type { Surface } from "../../src/rpc/surface.ts";
import { collectedLog, noMetrics } from "./fixtures.ts";

/** A call object without a connection behind it. */
function surfaceOf(deadline: number, validTo = "Jan  1 00:00:00 2100 GMT"): Surface & { emit(event: string): boolean } {
  const emitter = new EventEmitter();
  const sslPeerCertificate = { subject: { CN: "admin" }, fingerprint256: "AB", valid_to: validTo };
  return Object.assign(emitter, {
    request: Buffer.alloc(0),
    metadata: new Metadata(),
    getPeer: () => "192.0.2.1:1",
    getDeadline: () => deadline,
    getAuthContext: () => ({ sslPeerCertificate }) as never,
  }) as unknown as Surface & { emit(event: string): boolean };
}

test("work that begins after the client went away is over at once", async () => {
  const surface = surfaceOf(Date.now() + 60_000);
  const limit = limitCall(surface, 1_000, 60_000);
  surface.emit("cancelled");
  await assert.rejects(limit.race(new Promise(() => undefined)), { reason: "CANCELLED" });
  limit.release();
});

test("work that fails after the call was answered disturbs nobody", async () => {
  const surface = surfaceOf(Number.POSITIVE_INFINITY);
  const limit = limitCall(surface, 1_000, 60_000);
  const work = Promise.withResolvers<never>();
  const raced = assert.rejects(limit.race(work.promise), { reason: "CANCELLED" });
  surface.emit("cancelled");
  await raced;
  work.reject(new Error("late"));
  limit.release();
});

test("a call that is over is not aborted by what the library tells of its end", async () => {
  const surface = surfaceOf(Date.now() + 60_000);
  const limit = limitCall(surface, 1_000, 60_000);
  assert.equal(await limit.race(Promise.resolve("done")), "done");
  limit.release();
  surface.emit("cancelled");
  assert.equal(limit.signal.aborted, false);
});

test("what the library tells at the deadline is an expiry, not a cancellation", () => {
  const surface = surfaceOf(Date.now() - 1);
  const limit = limitCall(surface, 1_000, 60_000);
  surface.emit("cancelled");
  assert.equal(limit.signal.reason.reason, "DEADLINE_EXCEEDED");
  limit.release();
});

test("a certificate that ended after its connection began is no identity any more", () => {
  const { log } = collectedLog();
  const authorizer = {
    version: "0",
    decide: () => ({ action: "", resource: "", decision: "ALLOW" as const, policies: [] }),
  };
  const edge: Edge = { authorizer, metrics: noMetrics, log, recordRefusal: () => Promise.resolve() };
  const rpc = {
    method: TeamServiceService.getTeam,
    permission: { action: "GetTeam", resourceOf: () => team("") },
    standardMs: 1_000,
  };
  const attempt = (validTo: string) => {
    const surface = surfaceOf(Number.POSITIVE_INFINITY, validTo);
    const limit = limitCall(surface, 1_000, 60_000);
    limit.release();
    return admit(edge, rpc, surface, limit, () => undefined).call.actor.id;
  };
  assert.equal(attempt("Jan  1 00:00:00 2100 GMT"), "admin");
  assert.throws(() => attempt("Jan  1 00:00:00 2020 GMT"), { reason: "UNAUTHENTICATED" });
});
