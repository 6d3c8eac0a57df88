import { setTimeout as pause } from "node:timers/promises";
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
  refusalUnrecorded: () => undefined,
  connectionOpened: () => undefined,
  connectionClosed: () => undefined,
  connectionRefused: () => undefined,
  certificatesReloaded: () => undefined,
  policiesReloaded: () => undefined,
};

/** Waits for a condition; throws when it does not come true within ten seconds. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`never came true: ${condition}`);
    await pause(5);
  }
}
