import type { ServerUnaryCall } from "@grpc/grpc-js";

/** What the adapters use of a call object; nothing else in the service touches one. The request is its bytes as they came. */
export type Surface = Pick<
  ServerUnaryCall<Buffer, Buffer>,
  "request" | "metadata" | "getPeer" | "getDeadline" | "getAuthContext" | "on"
>;

/** One RPC of a generated service. */
export interface Method<Request, Response> {
  readonly path: string;
  readonly requestSerialize: (value: Request) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => Request;
  readonly responseSerialize: (value: Response) => Buffer;
}
