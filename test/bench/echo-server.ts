import { readFile } from "node:fs/promises";
import { type handleUnaryCall, Server, ServerCredentials } from "@grpc/grpc-js";

/** What the parent process sends once: TLS files, and the base64 of the answer to each method. */
export interface EchoOrder {
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCaFile: string;
  readonly answers: Readonly<Record<string, string>>;
}

/** What it answers: the port. */
export interface EchoStarted {
  readonly port: number;
}

/** The path of a method of the echo service. */
export function echoPath(method: string): string {
  return `/bench.Echo/${method}`;
}

/** Run as a program: a grpc-js server with mutual TLS and nothing behind it, that has its answers ready as bytes. */
async function serve(order: EchoOrder): Promise<EchoStarted> {
  const read = (file: string): Promise<Buffer> => readFile(file);
  const [cert, key, ca] = [await read(order.certFile), await read(order.keyFile), await read(order.clientCaFile)];
  const asIs = (bytes: Buffer): Buffer => bytes;
  const server = new Server({ "grpc.enable_channelz": 0 });
  const methods = Object.entries(order.answers).map(([method, base64]) => {
    const answer = Buffer.from(base64, "base64");
    const handler: handleUnaryCall<Buffer, Buffer> = (_call, reply) => reply(null, answer);
    const form = { path: echoPath(method), requestStream: false, responseStream: false };
    const codec = {
      requestSerialize: asIs,
      requestDeserialize: asIs,
      responseSerialize: asIs,
      responseDeserialize: asIs,
    };
    return { method, definition: { ...form, ...codec }, handler };
  });
  server.addService(
    Object.fromEntries(methods.map(({ method, definition }) => [method, definition])),
    Object.fromEntries(methods.map(({ method, handler }) => [method, handler])),
  );
  const identity = [{ private_key: key, cert_chain: cert }];
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", ServerCredentials.createSsl(ca, identity, true), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { port };
}

if (import.meta.main) {
  process.once("disconnect", () => process.exit());
  process.once("message", (order) => {
    void serve(order as EchoOrder).then((started) => process.send?.(started));
  });
}
