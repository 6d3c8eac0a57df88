import type { ServerUnaryCall } from "@grpc/grpc-js";

/** What the adapters use of a call object; nothing else in the service touches one. The request is its bytes as they came. */
export type Surface = Pick<
  ServerUnaryCall<Buffer, Buffer>,
  "request" | "metadata" | "getPeer" | "getDeadline" | "getAuthContext" | "on"
>;

/** The asking side of one RPC, as a generated service definition has it. */
export interface Asked<Request> {
  /** `/imagetrust.v1.TrustService/GetTrust`. */
  readonly path: string;
  readonly requestSerialize: (value: Request) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => Request;
}

/** Both sides. */
export interface Method<Request, Response> extends Asked<Request> {
  readonly responseSerialize: (value: Response) => Buffer;
}
