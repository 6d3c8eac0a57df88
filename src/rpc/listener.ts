import { constants } from "node:crypto";
import type { AddressInfo } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { Fault } from "../errors.ts";
import type { BoundedLog } from "./bounded-log.ts";
import type { RpcMetrics } from "./metrics.ts";
import type { CertificateSource } from "./tls.ts";

/** An open port that hands on connections whose client has proved itself. */
export interface Listener {
  readonly port: number;
  /** How many connections are open. */
  readonly connections: number;
  /** No connection is accepted any more; open ones go on. */
  stopAccepting(): void;
  /** Resolves once no connection is open. */
  whenIdle(): Promise<void>;
  /** Cuts every connection. */
  destroy(): void;
}

export interface ListenerOptions {
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  readonly certificates: CertificateSource;
  readonly accept: (connection: TLSSocket) => void;
  readonly metrics: RpcMetrics;
  readonly log: BoundedLog;
  readonly handshakeTimeoutMs?: number;
}

/**
 * Accepts TLS 1.2 and newer with a client certificate of the configured authorities, for HTTP/2 only. Whatever else comes is
 * counted, logged at a bounded rate and closed. We hold the port ourselves, and not gRPC's library, because only so failed
 * handshakes are seen, connections are known at the end, and a connection's certificate is read once instead of per call.
 */
export async function openListener(options: ListenerOptions): Promise<Listener> {
  const open = new Set<TLSSocket>();
  const idle = Promise.withResolvers<void>();
  let closing = false;
  const settle = () => {
    if (closing && open.size === 0) idle.resolve();
  };
  const refuse = (connection: TLSSocket, reason: string) => {
    options.metrics.connectionRefused(reason);
    options.log.warn({ peer: connection.remoteAddress ?? "", reason }, "a connection was refused");
    connection.destroy();
  };
  const server = createServer({
    ...secureOptions,
    ...options.certificates.current,
    handshakeTimeout: options.handshakeTimeoutMs ?? 10_000,
  });
  options.certificates.onChange((material) => server.setSecureContext({ ...secureOptions, ...material }));
  server.on("tlsClientError", (error, connection) => refuse(connection, reasonOf(error, connection)));
  server.on("secureConnection", (connection) => {
    connection.on("error", () => undefined);
    if (connection.alpnProtocol !== "h2") return refuse(connection, "not_http2");
    open.add(connection);
    options.metrics.connectionOpened();
    connection.once("close", () => {
      open.delete(connection);
      options.metrics.connectionClosed();
      settle();
    });
    rememberCertificate(connection);
    options.accept(connection);
  });
  await listen(server, options);
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return open.size;
    },
    stopAccepting: () => {
      closing = true;
      server.close();
      settle();
    },
    whenIdle: () => idle.promise,
    destroy: () => {
      for (const connection of open) connection.destroy();
    },
  };
}

/** No session is resumed: a client must show its certificate to the authorities of today. */
const secureOptions = {
  minVersion: "TLSv1.2",
  requestCert: true,
  rejectUnauthorized: true,
  ALPNProtocols: ["h2"],
  secureOptions: constants.SSL_OP_NO_TICKET,
} as const;

/** Node builds the object anew at every question, at 70 µs; HTTP/2 forbids that a connection changes its certificate. */
function rememberCertificate(connection: TLSSocket): void {
  const certificate = connection.getPeerCertificate();
  connection.getPeerCertificate = (() => certificate) as TLSSocket["getPeerCertificate"];
}

function reasonOf(error: NodeJS.ErrnoException, connection: TLSSocket): string {
  if (connection.authorizationError !== undefined && connection.authorizationError !== null)
    return "untrusted_certificate";
  const code = error.code ?? "";
  if (code === "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE") return "no_certificate";
  if (code === "ERR_TLS_HANDSHAKE_TIMEOUT") return "timeout";
  if (code === "ECONNRESET") return "reset";
  if (/WRONG_VERSION|HTTP_REQUEST|UNKNOWN_PROTOCOL|PACKET_LENGTH|UNEXPECTED_MESSAGE|BAD_RECORD/.test(code))
    return "not_tls";
  if (/UNSUPPORTED_PROTOCOL|NO_SHARED_CIPHER|NO_APPLICATION_PROTOCOL/.test(code)) return "unsupported";
  return code.includes("ALERT") ? "refused_by_client" : "other";
}

async function listen(server: Server, address: { readonly host: string; readonly port: number }): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    // It stays: what goes wrong with the port later (no file descriptors left) concerns one connection, not the process.
    server.on("error", (error: NodeJS.ErrnoException) => {
      const fault = `cannot be listened on: ${address.host}:${address.port} (${error.code})`;
      reject(new Fault("INVALID_FIELD", `The address ${fault}`, { fields: [{ field: "listen", fault }] }));
    });
    server.listen(address.port, address.host, resolve);
  });
}
