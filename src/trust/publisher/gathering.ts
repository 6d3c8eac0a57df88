import { setTimeout as sleep } from "node:timers/promises";

/**
 * The gather window: changes that arrive while an upload of their collection is under way share the next one. It opens only for
 * collections that were touched while busy, so the first change never waits.
 */
export interface Gathering {
  touch(id: bigint): void;
  wasTouched(id: bigint): boolean;
  /** Waits until the collection was left alone for 20 ms, at most 150 ms in all; returns at once if it was not touched. */
  settle(id: bigint, signal: AbortSignal): Promise<void>;
}

const quietMs = 20;
const longestMs = 150;

export function createGathering(): Gathering {
  const touched = new Map<bigint, number>();
  return {
    touch: (id) => {
      touched.set(id, performance.now());
    },
    wasTouched: (id) => touched.has(id),
    settle: async (id, signal) => {
      const began = performance.now();
      for (;;) {
        const last = touched.get(id);
        if (last === undefined) return;
        const now = performance.now();
        const until = Math.min(last + quietMs, began + longestMs);
        if (now >= until || signal.aborted) break;
        await sleep(until - now, undefined, { signal }).catch(() => undefined);
      }
      touched.delete(id);
    },
  };
}
