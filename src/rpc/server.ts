import { promises as timers } from "node:timers";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { Logger } from "../logger.ts";
import { boundLog } from "./bounded-log.ts";
import type { Health } from "./health.ts";
import { openListener } from "./listener.ts";
import type { RpcMetrics } from "./metrics.ts";
import { addReflection } from "./reflection.ts";
import type { ServedService } from "./served-service.ts";
import type { CertificateSource } from "./tls.ts";
import { watchUnread } from "./unread.ts";

export interface ServerOptions {
  /** Port 0: a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  readonly certificates: CertificateSource;
  readonly services: readonly ServedService[];
  readonly health: Health;
  /** A FileDescriptorSet of the API, as `buf build` makes it, for reflection. */
  readonly descriptors: Buffer;
  readonly metrics: RpcMetrics;
  readonly log: Logger;
  /** Told when calls are no longer accepted, so that streams that would go on end. */
  readonly onDrain?: () => void;
  /** New certificates and authorities reach a client when it connects anew: after this long. Default 30 minutes. */
  readonly maxConnectionAgeMs?: number;
  readonly handshakeTimeoutMs?: number;
}

export interface DrainTimes {
  /** How long the server answers NOT_SERVING and goes on, so that load balancers turn away. */
  readonly healthWaitMs: number;
  /** How long running calls may take to finish after that. */
  readonly graceMs: number;
}

/** A server that takes calls. */
export interface RunningServer {
  readonly port: number;
  /** Ends the server. `false` when the grace was over before all calls were: the rest was cut off. */
  drain(times: DrainTimes): Promise<boolean>;
}

const longestCallMs = 300_000;

/** Starts to serve. Resolves when the port is open; throws INVALID_FIELD if it cannot be had. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const boundedLog = boundLog(options.log, Date.now);
  const server = new Server({
    interceptors: [watchUnread(options.metrics, boundedLog)],
    "grpc.max_receive_message_length": 1024 * 1024,
    "grpc.max_concurrent_streams": 1_000,
    "grpc.keepalive_time_ms": 60_000,
    "grpc.keepalive_timeout_ms": 20_000,
    "grpc.max_connection_age_ms": options.maxConnectionAgeMs ?? 1_800_000,
    "grpc.max_connection_age_grace_ms": longestCallMs,
    "grpc.enable_channelz": 0,
  });
  for (const { definition, implementation } of [...options.services, options.health.service]) {
    server.addService(definition, implementation);
  }
  addReflection(server, options.descriptors);
  const connections = server.createConnectionInjector(ServerCredentials.createInsecure());
  const listener = await openListener({
    ...options.listen,
    certificates: options.certificates,
    // The TLS is ours: the library sees a connection that is encrypted and authorized already.
    accept: (connection) => connections.injectConnection(connection),
    metrics: options.metrics,
    log: boundedLog,
    ...(options.handshakeTimeoutMs === undefined ? {} : { handshakeTimeoutMs: options.handshakeTimeoutMs }),
  });
  return {
    port: listener.port,
    drain: async ({ healthWaitMs, graceMs }) => {
      options.health.beginShutdown();
      await timers.setTimeout(healthWaitMs);
      listener.stopAccepting();
      options.health.endWatches();
      options.onDrain?.();
      // Tells clients to go elsewhere and closes each connection when its last call is done; whether it is, the listener knows.
      server.tryShutdown(() => undefined);
      const done = listener.whenIdle().then(() => true);
      const drained = await Promise.race([done, timers.setTimeout(graceMs, false, { ref: false })]);
      if (!drained) options.log.warn({ connections: listener.connections }, "cut off calls that were not done in time");
      listener.destroy();
      server.forceShutdown();
      return drained;
    },
  };
}
