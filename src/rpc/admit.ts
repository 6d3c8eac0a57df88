import { trace } from "@opentelemetry/api";
import type { Authorization, Call } from "../audit/call.ts";
import { Fault } from "../errors.ts";
import type { CallLimit } from "./call-limit.ts";
import type { Edge } from "./edge.ts";
import { type Caller, callerOf } from "./identity.ts";
import { NotPermitted } from "./not-permitted.ts";
import { perObject } from "./per-object.ts";
import type { Permission } from "./permissions.ts";
import { decodeRequest, digestOf, presentsPrivateKey } from "./request.ts";
import type { Asked, Surface } from "./surface.ts";

/** An RPC with what a call to it needs. */
export interface Rpc<Request> {
  readonly method: Asked<Request>;
  readonly permission: Permission;
  /** The deadline of calls whose client set none. */
  readonly standardMs: number;
}

/**
 * Decides whether a call reaches its handler: who calls, what the request says, whether it holds a private key, whether it is
 * permitted. `learn` is told what is known of the call after each step, for the record of a refusal. Nothing of the request gets
 * into a digest, a log, a span or a record before it has been searched for private keys.
 */
export function admit<Request>(
  edge: Edge,
  rpc: Rpc<Request>,
  surface: Surface,
  limit: CallLimit,
  learn: (call: Call) => void,
): { readonly request: Request; readonly call: Call } {
  const caller = requireCaller(surface);
  const arrived = arrivalOf(caller, rpc.method.path, surface, limit);
  learn(arrived);
  const request = decodeRequest(rpc.method, surface.request);
  refusePrivateKeys(edge, arrived, request, userAgentOf(surface));
  const digest = lazily(() => digestOf(rpc.method, request));
  const described = (authorization: Authorization | undefined): Call => ({
    ...arrived,
    ...wordsOf(request),
    authorization,
    get requestDigest() {
      return digest();
    },
  });
  learn(described(undefined));
  const { action, resourceOf } = rpc.permission;
  const authorization = edge.authorizer.decide(caller.id, action, resourceOf(request));
  const call = described(authorization);
  learn(call);
  if (authorization.decision === "DENY") {
    const message = `No policy permits ${caller.id} to ${action} here; ask an administrator.`;
    throw new NotPermitted(authorization, message, { caller: caller.id });
  }
  limit.signal.throwIfAborted();
  return { request, call };
}

/** A connection keeps the object of its certificate. */
const callerOnce = perObject(callerOf);

function requireCaller(surface: Surface): Caller {
  const certificate = surface.getAuthContext().sslPeerCertificate;
  const caller = certificate && callerOnce(certificate);
  if (caller === undefined) {
    throw new Fault(
      "UNAUTHENTICATED",
      "The client certificate must name its holder by exactly one URI SAN, or else one CN.",
    );
  }
  if (caller.notAfter < Date.now()) {
    throw new Fault(
      "UNAUTHENTICATED",
      "The client certificate of this connection has expired; connect with a new one.",
    );
  }
  return caller;
}

/** The call as far as the connection and its headers tell. */
function arrivalOf(caller: Caller, path: string, surface: Surface, limit: CallLimit): Call {
  const span = trace.getActiveSpan()?.spanContext();
  const userAgent = userAgentOf(surface);
  return {
    actor: { type: "caller", id: caller.id, authentication: "mtls", certificateSha256: caller.certificateSha256 },
    method: path.slice(1),
    authorization: undefined,
    requestId: "",
    requestDigest: "",
    reason: "",
    peer: surface.getPeer(),
    userAgent: presentsPrivateKey(userAgent) ? "" : userAgent.slice(0, 255),
    traceId: span?.traceId ?? "",
    spanId: span?.spanId ?? "",
    deadline: limit.deadline,
    signal: limit.signal,
  };
}

function userAgentOf(surface: Surface): string {
  return surface.metadata.get("user-agent").join(" ");
}

function refusePrivateKeys(edge: Edge, call: Call, request: unknown, userAgent: string): void {
  if (!presentsPrivateKey(request) && !presentsPrivateKey(userAgent)) return;
  edge.log.warn({ caller: call.actor.id, method: call.method, trace_id: call.traceId }, "a caller sent a private key");
  throw new Fault(
    "PRIVATE_KEY_PRESENTED",
    "The request holds private key material and was refused; nothing of it was kept. " +
      "Consider that key exposed: make a new one, and send certificates only.",
  );
}

/** Records and changes want the digest of a request, reads do not. */
function lazily(make: () => string): () => string {
  let made: string | undefined;
  return () => (made ??= make());
}

/** What every mutation has in its options. What is longer than allowed is cut here and refused by the handler. */
function wordsOf(request: unknown): Pick<Call, "requestId" | "reason"> {
  const { options } = request as { readonly options?: Partial<Pick<Call, "requestId" | "reason">> };
  return { requestId: (options?.requestId ?? "").slice(0, 128), reason: (options?.reason ?? "").slice(0, 1_000) };
}
