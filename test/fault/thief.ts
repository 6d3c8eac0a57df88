import { setTimeout as pause } from "node:timers/promises";
import type { Database } from "../../src/database.ts";

/**
 * Ends every lease on a Notary server as soon as it is taken, until it is stopped: every replica then believes that it alone
 * publishes.
 */
export function freeLeases({ database }: { readonly database: Database }): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const running = (async () => {
    while (!stopping.signal.aborted) {
      await database.run("update notary_servers set lease_until = to_timestamp(0) where lease_until is not null");
      await pause(10, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  })();
  return {
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}
