import { BinaryReader } from "@bufbuild/protobuf/wire";
import type { Server } from "@grpc/grpc-js";
import { loadSync, type PackageDefinition } from "@grpc/proto-loader";
import { ReflectionService } from "@grpc/reflection";
import { protoPath } from "grpc-health-check";

/**
 * Adds server reflection (v1 and v1alpha) for the API and for grpc.health.v1. `descriptors` is a FileDescriptorSet with all
 * imports. Its files are handed on as they are: read by proto-loader they would become one file per package, and clients that
 * build their schema from that (buf curl) do not find the services in it.
 */
export function addReflection(server: Pick<Server, "addService">, descriptors: Buffer): void {
  const api = { api: { fileDescriptorProtos: filesOf(descriptors) } } as unknown as PackageDefinition;
  new ReflectionService({ ...api, ...loadSync(protoPath) }).addToServer(server);
}

/** The encoded FileDescriptorProto of each file: field 1 of the set. */
function filesOf(descriptors: Buffer): readonly Buffer[] {
  const files: Buffer[] = [];
  const reader = new BinaryReader(descriptors);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (field === 1) files.push(Buffer.from(reader.bytes()));
    else reader.skip(type, field);
  }
  return files;
}
