import { once } from "node:events";
import type { ServerWritableStream } from "@grpc/grpc-js";
import type { Call } from "../audit/call.ts";
import type { Rpc } from "./admit.ts";
import { conduct } from "./conduct.ts";
import type { Edge } from "./edge.ts";
import type { Method } from "./surface.ts";

/** Answers one request with any number of messages. It MUST end soon after the call's signal aborts. */
export type StreamHandler<Request, Response> = (request: Request, call: Call) => AsyncIterable<Response>;

/**
 * Adapts a handler to a method whose messages the server passes on as bytes. A slow client slows the handler down: the next
 * message is asked for when the last one could be sent.
 */
export function serverStream<Request, Response>(
  edge: Edge,
  rpc: Rpc<Request> & { readonly method: Method<Request, Response> },
  handler: StreamHandler<Request, Response>,
): (stream: ServerWritableStream<Buffer, Buffer>) => void {
  return (stream) => {
    const work = async (request: Request, call: Call) => {
      for await (const message of handler(request, call)) {
        call.signal.throwIfAborted();
        if (!stream.write(rpc.method.responseSerialize(message))) await once(stream, "drain", { signal: call.signal });
      }
    };
    void conduct(edge, rpc, stream, work).then((ending) => {
      if (ending.ok) stream.end();
      else stream.emit("error", ending.status);
    });
  };
}
