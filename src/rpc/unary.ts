import type { sendUnaryData } from "@grpc/grpc-js";
import type { Call } from "../audit/call.ts";
import type { Rpc } from "./admit.ts";
import { conduct } from "./conduct.ts";
import type { Edge } from "./edge.ts";
import type { Method, Surface } from "./surface.ts";

/** Answers one request. It SHOULD end soon after the call's signal aborts; the client is answered then in any case. */
export type UnaryHandler<Request, Response> = (request: Request, call: Call) => Promise<Response>;

/** Adapts a handler to a method whose messages the server passes on as bytes. */
export function unary<Request, Response>(
  edge: Edge,
  rpc: Rpc<Request> & { readonly method: Method<Request, Response> },
  handler: UnaryHandler<Request, Response>,
): (surface: Surface, answer: sendUnaryData<Buffer>) => void {
  return (surface, answer) => {
    const work = async (request: Request, call: Call) => rpc.method.responseSerialize(await handler(request, call));
    void conduct(edge, rpc, surface, work).then((ending) => {
      if (ending.ok) answer(null, ending.value);
      else answer(ending.status);
    });
  };
}
