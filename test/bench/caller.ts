import { readFile } from "node:fs/promises";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { ChangeOptions, type Outcome, PublicationState } from "../../gen/imagetrust/v1/change.ts";

/** Where a gRPC server is, and the PEM files of a client that it knows. */
export interface Address {
  readonly address: string;
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
}

/** One RPC as the generated service definitions describe it. */
export interface Rpc<Request, Response> {
  readonly path: string;
  readonly requestSerialize: (request: Request) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => Request;
  readonly responseDeserialize: (bytes: Buffer) => Response;
}

/** One caller over mutual TLS, on a connection of its own. */
export interface Caller {
  /** Fields that are left out have their zero values. Rejects with grpc-js's error for anything but OK. */
  call<Request, Response>(rpc: Rpc<Request, Response>, fields: Partial<Request>): Promise<Response>;
  /** The bytes of an answer, unread. */
  callBytes(path: string, request: Buffer): Promise<Buffer>;
  close(): void;
}

const connectMs = 30_000;
const deadlineMs = 120_000;
const asIs = (bytes: Buffer): Buffer => bytes;

/** Connects and resolves when calls can be made. */
export async function openCaller({ address, caFile, certFile, keyFile }: Address): Promise<Caller> {
  const [ca, cert, key] = await Promise.all([caFile, certFile, keyFile].map((file) => readFile(file)));
  const client = new Client(address, credentials.createSsl(ca ?? null, key ?? null, cert ?? null), {
    "grpc.use_local_subchannel_pool": 1,
    "grpc.max_receive_message_length": 64 * 1024 * 1024,
  });
  await new Promise<void>((resolve, reject) => {
    client.waitForReady(Date.now() + connectMs, (error) => (error === undefined ? resolve() : reject(error)));
  });
  const ask = <Request, Response>(
    path: string,
    serialize: (request: Request) => Buffer,
    deserialize: (bytes: Buffer) => Response,
    request: Request,
  ): Promise<Response> =>
    new Promise((resolve, reject) => {
      const options = { deadline: Date.now() + deadlineMs };
      client.makeUnaryRequest(path, serialize, deserialize, request, new Metadata(), options, (error, response) => {
        if (error !== null) reject(error);
        else resolve(response as Response);
      });
    });
  return {
    call: (rpc, fields) =>
      ask(rpc.path, rpc.requestSerialize, rpc.responseDeserialize, {
        ...rpc.requestDeserialize(Buffer.alloc(0)),
        ...fields,
      }),
    callBytes: (path, request) => ask(path, asIs, asIs, request),
    close: () => client.close(),
  };
}

/** Options of a change that answers as soon as it is kept. */
export const noWait: ChangeOptions = { ...ChangeOptions.decode(Buffer.alloc(0)), noWait: true };

/** Throws unless the change was told to be live. */
export function requirePublished(outcome: Outcome | undefined): void {
  if (outcome?.state === PublicationState.PUBLISHED) return;
  const [publication] = outcome?.publications ?? [];
  throw new Error(`not published: state ${outcome?.state}, ${publication?.detail || "no detail"}`);
}
