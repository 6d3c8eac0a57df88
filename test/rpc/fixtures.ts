import { setTimeout as pause } from "node:timers/promises";
import type { ServiceError } from "@grpc/grpc-js";
import { BadRequest, ErrorInfo } from "../../gen/google/rpc/error_details.ts";
import { Status } from "../../gen/google/rpc/status.ts";
import { createLogger, type Logger } from "../../src/logger.ts";
import type { RpcMetrics } from "../../src/rpc/metrics.ts";

/** A logger whose lines can be looked at. */
export function collectedLog(): { readonly log: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  return { log: createLogger("debug", { write: (line) => void lines.push(line) }), lines };
}

export const noMetrics: RpcMetrics = {
  began: () => undefined,
  ended: () => undefined,
  requestUnread: () => undefined,
  refusalUnrecorded: () => undefined,
  connectionOpened: () => undefined,
  connectionClosed: () => undefined,
  connectionRefused: () => undefined,
  certificateEnds: () => undefined,
  certificatesReloaded: () => undefined,
  policiesReloaded: () => undefined,
  authoritiesReloaded: () => undefined,
  revocationListEnds: () => undefined,
};

/** Waits for a condition; throws when it does not come true within ten seconds. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`never came true: ${condition}`);
    await pause(5);
  }
}

export interface DecodedError {
  readonly reason: string;
  readonly domain: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly violations: readonly { readonly field: string; readonly description: string }[];
}

/** What a client finds in grpc-status-details-bin. */
export function decodedError(error: ServiceError): DecodedError {
  const [bytes] = error.metadata.get("grpc-status-details-bin");
  if (!Buffer.isBuffer(bytes)) throw new Error(`no details: ${error.message}`);
  const details = new Map(Status.decode(bytes).details.map((any) => [any.typeUrl, any.value]));
  const info = ErrorInfo.decode(details.get("type.googleapis.com/google.rpc.ErrorInfo") ?? Buffer.alloc(0));
  const bad = BadRequest.decode(details.get("type.googleapis.com/google.rpc.BadRequest") ?? Buffer.alloc(0));
  const violations = bad.fieldViolations.map(({ field, description }) => ({ field, description }));
  return { reason: info.reason, domain: info.domain, metadata: info.metadata, violations };
}
