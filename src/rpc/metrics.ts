import { metrics } from "@opentelemetry/api";

/** What operators see of the edge. Methods and codes are known sets; nothing a caller makes up becomes a label. */
export interface RpcMetrics {
  began(method: string): void;
  ended(method: string, code: string, seconds: number): void;
  /** A call ended before its request was read, so that no handler saw it. */
  requestUnread(): void;
  refusalUnrecorded(): void;
  connectionOpened(): void;
  connectionClosed(): void;
  /** A connection that never came to a call: `reason` is one of a small set. */
  connectionRefused(reason: string): void;
  /** When the server certificate in use ends. */
  certificateEnds(at: Date): void;
  certificatesReloaded(result: "changed" | "kept"): void;
  policiesReloaded(result: "changed" | "kept"): void;
  authoritiesReloaded(result: "changed" | "kept"): void;
  /** When the first of the revocation lists in use ends. */
  revocationListEnds(at: Date): void;
}

/** The meter provider must be registered before: the metrics API has no late binding. */
export function createRpcMetrics(): RpcMetrics {
  const meter = metrics.getMeter("imagetrust");
  const durations = meter.createHistogram("rpc_server_duration", {
    description: "Duration of calls, in seconds, by method and status code.",
    unit: "s",
    advice: { explicitBucketBoundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] },
  });
  const active = meter.createUpDownCounter("rpc_server_active", { description: "Calls being worked on, by method." });
  const unrecorded = meter.createCounter("rpc_refusals_unrecorded_total", {
    description: "Refusals that could not be written to the audit log.",
  });
  const connections = meter.createUpDownCounter("rpc_connections", { description: "Open client connections." });
  const unread = meter.createCounter("rpc_requests_unread_total", {
    description: "Calls that ended before their request was read: longer than 1 MiB, malformed, cut off or given up.",
  });
  const refused = meter.createCounter("rpc_connections_refused_total", {
    description:
      "Connections that failed before any call: TLS handshakes, missing certificates, bytes that are no TLS.",
  });
  const certificates = meter.createCounter("tls_certificate_reloads_total", {
    description:
      "Changes of the certificate files: `changed` was taken up, `kept` was refused and the old one goes on.",
  });
  const policies = meter.createCounter("policy_reloads_total", {
    description: "Changes of the policy directory: `changed` was taken up, `kept` was refused and the old set goes on.",
  });
  const staleCertificates = meter.createGauge("tls_certificate_files_refused", {
    description: "1 while the certificate files are broken and an older certificate is in use.",
  });
  const certificateEnd = meter.createGauge("tls_certificate_expiry_timestamp_seconds", {
    description: "When the server certificate in use ends, in Unix seconds.",
    unit: "s",
  });
  const stalePolicies = meter.createGauge("policy_files_refused", {
    description: "1 while the policy directory is broken and an older set is in use.",
  });
  const authorities = meter.createCounter("member_authority_reloads_total", {
    description:
      "Changes of the member authorities' files: `changed` was taken up, `kept` was refused and the old set goes on.",
  });
  const staleAuthorities = meter.createGauge("member_authority_files_refused", {
    description:
      "1 while the files of member authorities or their revocation lists are broken and an older set is in use.",
  });
  const listEnd = meter.createGauge("member_revocation_list_expiry_timestamp_seconds", {
    description: "When the first of the revocation lists in use ends, in Unix seconds.",
    unit: "s",
  });
  return {
    began: (method) => active.add(1, { method }),
    ended: (method, code, seconds) => {
      active.add(-1, { method });
      durations.record(seconds, { method, code });
    },
    requestUnread: () => unread.add(1),
    refusalUnrecorded: () => unrecorded.add(1),
    connectionOpened: () => connections.add(1),
    connectionClosed: () => connections.add(-1),
    connectionRefused: (reason) => refused.add(1, { reason }),
    certificateEnds: (at) => certificateEnd.record(at.getTime() / 1_000),
    certificatesReloaded: (result) => {
      certificates.add(1, { result });
      staleCertificates.record(result === "kept" ? 1 : 0);
    },
    policiesReloaded: (result) => {
      policies.add(1, { result });
      stalePolicies.record(result === "kept" ? 1 : 0);
    },
    authoritiesReloaded: (result) => {
      authorities.add(1, { result });
      staleAuthorities.record(result === "kept" ? 1 : 0);
    },
    revocationListEnds: (at) => listEnd.record(at.getTime() / 1_000),
  };
}
