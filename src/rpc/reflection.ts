import type { Server } from "@grpc/grpc-js";
import { loadFileDescriptorSetFromBuffer, loadSync } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";
import { protoPath } from "grpc-health-check";

/** Adds server reflection (v1 and v1alpha) for the API and for grpc.health.v1. `descriptors` is a FileDescriptorSet. */
export function addReflection(server: Pick<Server, "addService">, descriptors: Buffer): void {
  const api = loadFileDescriptorSetFromBuffer(descriptors);
  const health = loadSync(protoPath);
  new ReflectionService({ ...api, ...health }).addToServer(server);
}
