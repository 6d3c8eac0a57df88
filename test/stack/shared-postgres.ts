import { startPostgres, type TestPostgres } from "./postgres.ts";

/** A cluster that the test files of one process share: whoever would kill it or change its settings starts one of its own. */
export type SharedPostgres = Omit<TestPostgres, "pid" | "kill" | "restart">;

/**
 * Lends this process's cluster with a migrated database that nobody else uses. It is started for the first who asks and ends
 * when the last has called stop().
 */
export async function borrowPostgres(): Promise<SharedPostgres> {
  const giveBack = keepPostgres();
  try {
    running ??= startPostgres();
    const { adminUrl, createDatabase } = await running;
    const { ownerUrl, appUrl } = await createDatabase();
    return { adminUrl, ownerUrl, appUrl, createDatabase, stop: giveBack };
  } catch (error) {
    await giveBack();
    throw error;
  }
}

/** Lets the cluster outlive those who borrow it, until the answered function is called; starts none. */
export function keepPostgres(): () => Promise<void> {
  users += 1;
  return async () => {
    users -= 1;
    if (users > 0 || running === undefined) return;
    const last = running;
    running = undefined;
    await (await last).stop();
  };
}

let running: Promise<TestPostgres> | undefined;
let users = 0;
