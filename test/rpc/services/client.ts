import {
  type Client,
  type ClientReadableStream,
  type ClientUnaryCall,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import type { ChangeOptions } from "../../../src/changes/options.ts";
import { type DecodedError, decodedError } from "../fixtures.ts";

/** One RPC of a generated service definition. */
export interface Rpc<Request, Response> {
  readonly path: string;
  readonly requestSerialize: (request: Request) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => Request;
  readonly responseDeserialize: (bytes: Buffer) => Response;
}

/** A request with what matters to a test; the rest is as if left out. */
export type Wish<Request> = Partial<Omit<Request, "options">> & { readonly options?: Partial<ChangeOptions> };

export interface Sending {
  /** Default 20 s. */
  readonly deadlineMs?: number;
  /** Headers of the call. */
  readonly metadata?: Metadata;
  /** Told the call as soon as it is sent. */
  readonly sent?: (call: ClientUnaryCall) => void;
}

/** One caller of the service. */
export interface Caller {
  send<Request, Response>(rpc: Rpc<Request, Response>, wish: Wish<Request>, sending?: Sending): Promise<Response>;
  /** Opens a stream; the test reads it, and cancels it where it does not end. */
  stream<Request, Response>(rpc: Rpc<Request, Response>, wish: Wish<Request>): ClientReadableStream<Response>;
  /** Sends bytes that no generated code would make. */
  sendBytes(path: string, bytes: Buffer): Promise<Buffer>;
  /** How the call was refused; fails when it was not. */
  refused<Request>(rpc: Rpc<Request, unknown>, wish: Wish<Request>, sending?: Sending): Promise<Refused>;
  close(): void;
}

export interface Refused extends DecodedError {
  readonly code: number;
  readonly message: string;
}

export function callerOf(client: Client): Caller {
  const send: Caller["send"] = (rpc, wish, sending = {}) => ask(client, rpc, requestOf(rpc, wish), sending);
  return {
    send,
    stream: (rpc, wish) =>
      client.makeServerStreamRequest(
        rpc.path,
        rpc.requestSerialize,
        rpc.responseDeserialize,
        requestOf(rpc, wish),
        new Metadata(),
        { deadline: Date.now() + 30_000 },
      ),
    sendBytes: (path, bytes) => {
      const same = (buffer: Buffer): Buffer => buffer;
      const raw = { path, requestSerialize: same, requestDeserialize: same, responseDeserialize: same };
      return ask(client, raw, bytes, {});
    },
    refused: async (rpc, wish, sending) => {
      const answer = await send(rpc, wish, sending).then(
        () => undefined,
        (error: ServiceError) => error,
      );
      if (answer === undefined) throw new Error(`${rpc.path} was let through`);
      return refusedBy(answer);
    },
    close: () => client.close(),
  };
}

/** What a client finds in the error of a refused call. */
export function refusedBy(error: ServiceError): Refused {
  return { ...decodedError(error), code: error.code, message: error.details };
}

/** The request as it is encoded when only this much is set. */
export function requestOf<Request>(rpc: Rpc<Request, unknown>, wish: Wish<Request>): Request {
  const { options, ...fields } = wish;
  return {
    ...rpc.requestDeserialize(Buffer.alloc(0)),
    ...fields,
    ...(options === undefined ? {} : { options: { ...noOptions, ...options } }),
  };
}

const noOptions: ChangeOptions = {
  requestId: "",
  validateOnly: false,
  reason: "",
  etag: "",
  noWait: false,
  acceptOrphaned: false,
  acceptRevived: false,
  acceptWithoutSigner: false,
  planEtag: "",
};

function ask<Request, Response>(
  client: Client,
  rpc: Rpc<Request, Response>,
  request: Request,
  { deadlineMs = 20_000, metadata = new Metadata(), sent }: Sending,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const call = client.makeUnaryRequest(
      rpc.path,
      rpc.requestSerialize,
      rpc.responseDeserialize,
      request,
      metadata,
      { deadline: Date.now() + deadlineMs },
      (error, response) => (error ? reject(error) : resolve(response as Response)),
    );
    sent?.(call);
  });
}
