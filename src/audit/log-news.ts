import type { Database } from "../database.ts";

/** Tells those who read along when the log has grown. */
export interface LogNews {
  /** Resolves when the log is known to be longer than `size`, after `ms`, or when the signal aborts; never rejects. */
  grown(size: bigint, ms: number, signal: AbortSignal): Promise<void>;
}

const pollMs = 200;

/** One poller asks for all who wait, and nobody asks while nobody waits. */
export function createLogNews(database: Database): LogNews {
  const waiters = new Set<{ readonly size: bigint; readonly wake: () => void }>();
  let timer: NodeJS.Timeout | undefined;
  const look = async (): Promise<void> => {
    const size = await logSize(database);
    for (const waiter of [...waiters]) if (size > waiter.size) waiter.wake();
  };
  const schedule = (): void => {
    if (timer !== undefined || waiters.size === 0) return;
    timer = setTimeout(() => {
      // A database that cannot be read just now changes nothing for those who wait: the next look tries again.
      void look()
        .catch(() => undefined)
        .finally(() => {
          timer = undefined;
          schedule();
        });
    }, pollMs).unref();
  };
  return {
    grown: (size, ms, signal) =>
      new Promise((resolve) => {
        const waiter = { size, wake: () => finish() };
        const finish = (): void => {
          clearTimeout(limit);
          signal.removeEventListener("abort", finish);
          waiters.delete(waiter);
          resolve();
        };
        const limit = setTimeout(finish, ms);
        signal.addEventListener("abort", finish, { once: true });
        waiters.add(waiter);
        if (signal.aborted) finish();
        schedule();
      }),
  };
}

/** How many entries the log has: the index of the next one. */
export async function logSize(database: Database): Promise<bigint> {
  const row = await database.row<{ size: bigint }>("select size from audit.log_state");
  return row?.size ?? 0n;
}
