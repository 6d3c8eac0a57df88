import { readFileSync } from "node:fs";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { UsageError } from "./exit-code.ts";
import { Refusal } from "./refusal.ts";
import type { Settings } from "./settings.ts";

/** One RPC as the generated service definitions describe it. */
export interface Method<Request, Response> {
  readonly path: string;
  readonly requestSerialize: (request: Request) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Response;
}

/** The service, over one connection. */
export interface Api {
  /** Calls once. Throws Refusal for anything but OK; `deadline` is in Unix milliseconds. */
  call<Request, Response>(method: Method<Request, Response>, request: Request, deadline: number): Promise<Response>;
  /**
   * The messages of one stream. Throws Refusal for anything but OK. With no end to `deadline` the service sets one; the signal ends
   * the stream.
   */
  stream<Request, Response>(
    method: Method<Request, Response>,
    request: Request,
    deadline: number,
    signal: AbortSignal,
  ): AsyncIterable<Response>;
  close(): void;
}

/** Connects over mutual TLS 1.2 or newer when first called. Throws UsageError for files that cannot be read or do not fit. */
export function openApi(settings: Settings): Api {
  const client = new Client(settings.address, credentialsOf(settings), {
    "grpc.primary_user_agent": `imagetrust/${version}`,
    "grpc.max_receive_message_length": 64 * 1024 * 1024,
  });
  return {
    call: (method, request, deadline) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          method.path,
          method.requestSerialize,
          method.responseDeserialize,
          request,
          new Metadata(),
          { deadline },
          (error, response) => {
            if (error !== null) reject(new Refusal(error));
            else if (response === undefined) reject(new Error("The service answered OK without a response."));
            else resolve(response);
          },
        );
      }),
    stream: async function* (method, request, deadline, signal) {
      const { path, requestSerialize, responseDeserialize } = method;
      const options = Number.isFinite(deadline) ? { deadline } : {};
      const stream = client.makeServerStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        new Metadata(),
        options,
      );
      const cancel = (): void => stream.cancel();
      signal.addEventListener("abort", cancel, { once: true });
      try {
        for await (const message of stream) yield message;
      } catch (error) {
        throw new Refusal(error as ServiceError);
      } finally {
        signal.removeEventListener("abort", cancel);
        stream.cancel();
      }
    },
    close: () => client.close(),
  };
}

function credentialsOf(settings: Settings): ReturnType<typeof credentials.createSsl> {
  const ca = settings.ca === undefined ? null : readPem("--ca", settings.ca);
  const key = readPem("--key", settings.key);
  const cert = readPem("--cert", settings.cert);
  try {
    return credentials.createSsl(ca, key, cert);
  } catch (error) {
    throw new UsageError(`--cert, --key and --ca do not make a TLS client: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function readPem(option: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new UsageError(`${option}: cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
}

/** The project's version, from package.json. */
export const version: string = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version;
