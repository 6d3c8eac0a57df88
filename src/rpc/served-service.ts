import type { ServiceDefinition, UntypedServiceImplementation } from "@grpc/grpc-js";

/** A service as the server takes it on. */
export interface ServedService {
  /** `imagetrust.v1.TrustService`. */
  readonly name: string;
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}
