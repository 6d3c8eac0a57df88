import type { Database } from "../database.ts";

/** Lets callers wait until something happens to a collection, in this process or in another replica. */
export interface ChangeSignals {
  /** Something happened to the collection: whoever waits looks again. */
  notify(collectionId: bigint): void;
  /** Resolves when something happened to the collection, or after `ms`; never rejects. */
  changed(collectionId: bigint, ms: number, signal: AbortSignal): Promise<void>;
  /** As `changed`, for any collection. */
  anyChanged(ms: number, signal: AbortSignal): Promise<void>;
}

interface Watched {
  readonly waiters: Set<() => void>;
  lastSeen: string | undefined;
}

const shortestPollMs = 50;
const longestPollMs = 500;

/** One poller a replica reads the rows of all watched collections at once, for what other replicas do. */
export function createChangeSignals(database: Database): ChangeSignals {
  const watched = new Map<bigint, Watched>();
  const anyWaiters = new Set<() => void>();
  let pollMs = shortestPollMs;
  let timer: NodeJS.Timeout | undefined;

  const wakeAll = (waiters: Set<() => void>): void => {
    for (const wake of [...waiters]) wake();
  };
  const notify = (id: bigint): void => {
    const entry = watched.get(id);
    if (entry !== undefined) wakeAll(entry.waiters);
    wakeAll(anyWaiters);
  };
  const poll = async (): Promise<void> => {
    const rows = await database.rows<{ id: bigint; seen: string }>(
      `select id, published_generation || ' ' || coalesce(block_reason, '') || ' ' || state as seen
       from collections where id = any(:ids)`,
      { ids: [...watched.keys()] },
    );
    for (const row of rows) {
      const entry = watched.get(row.id);
      if (entry === undefined) continue;
      const moved = entry.lastSeen !== undefined && entry.lastSeen !== row.seen;
      entry.lastSeen = row.seen;
      if (moved) wakeAll(entry.waiters);
    }
  };
  const schedule = (): void => {
    if (timer !== undefined || watched.size === 0) return;
    timer = setTimeout(() => {
      pollMs = Math.min(longestPollMs, pollMs * 2);
      // A database that cannot be read just now changes nothing for those who wait: the next poll tries again.
      void poll()
        .catch(() => undefined)
        .finally(() => {
          timer = undefined;
          schedule();
        });
    }, pollMs).unref();
  };
  const wait = (waiters: Set<() => void>, ms: number, signal: AbortSignal, done: () => void): Promise<void> =>
    new Promise((resolve) => {
      const finish = (): void => {
        clearTimeout(limit);
        signal.removeEventListener("abort", finish);
        waiters.delete(finish);
        done();
        resolve();
      };
      const limit = setTimeout(finish, ms);
      signal.addEventListener("abort", finish, { once: true });
      waiters.add(finish);
      if (signal.aborted) finish();
    });
  return {
    notify,
    changed: (id, ms, signal) => {
      const entry = watched.get(id) ?? { waiters: new Set(), lastSeen: undefined };
      watched.set(id, entry);
      pollMs = shortestPollMs;
      schedule();
      return wait(entry.waiters, ms, signal, () => {
        if (entry.waiters.size === 0 && watched.get(id) === entry) watched.delete(id);
      });
    },
    anyChanged: (ms, signal) => wait(anyWaiters, ms, signal, () => undefined),
  };
}
