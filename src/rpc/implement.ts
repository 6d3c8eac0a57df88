import type { MethodDefinition, ServiceDefinition, UntypedHandleCall } from "@grpc/grpc-js";
import { type Edge, standardTimes } from "./edge.ts";
import { type Permission, permissions } from "./permissions.ts";
import type { ServedService } from "./served-service.ts";
import { type StreamHandler, serverStream } from "./server-stream.ts";
import { type UnaryHandler, unary } from "./unary.ts";

type HandlerOf<Definition> =
  Definition extends MethodDefinition<infer Request, infer Response>
    ? Definition extends { readonly responseStream: true }
      ? StreamHandler<Request, Response>
      : UnaryHandler<Request, Response>
    : never;

/** A handler for each RPC of a generated service definition. */
export type Handlers<Service> = { readonly [Name in keyof Service]: HandlerOf<Service[Name]> };

/**
 * Makes a service the server can take on: each handler behind its adapter. Messages cross the library as bytes, so that what
 * cannot be decoded or encoded is refused and logged as everything else. An RPC without a permission is a programming error.
 */
export function implement<Service extends ServiceDefinition>(
  edge: Edge,
  service: Service,
  handlers: Handlers<Service>,
  permitted: ReadonlyMap<string, Permission> = permissions,
): ServedService {
  const times = { ...standardTimes, ...edge.times };
  const definition: Record<string, MethodDefinition<Buffer, Buffer>> = {};
  const implementation: Record<string, UntypedHandleCall> = {};
  for (const [name, method] of Object.entries(service)) {
    const permission = permitted.get(method.path);
    if (permission === undefined) throw new Error(`${method.path} has no entry in permissions.ts`);
    definition[name] = { ...method, ...asBytes };
    const handler: unknown = handlers[name];
    implementation[name] = method.responseStream
      ? serverStream(
          edge,
          { method, permission, standardMs: times.streamMs },
          handler as StreamHandler<unknown, unknown>,
        )
      : unary(edge, { method, permission, standardMs: times.unaryMs }, handler as UnaryHandler<unknown, unknown>);
  }
  return { name: serviceNameOf(service), definition, implementation };
}

const same = (bytes: Buffer): Buffer => bytes;
const asBytes = {
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
};

function serviceNameOf(service: ServiceDefinition): string {
  const [path = ""] = Object.values(service).map((method) => method.path);
  return path.slice(1, path.lastIndexOf("/"));
}
