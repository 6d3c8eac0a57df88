import { setTimeout as pause } from "node:timers/promises";

/** Waits for a condition, looking again every 20 ms; fails with its name after the time given. */
export async function until(condition: () => Promise<boolean> | boolean, name: string, ms = 20_000): Promise<void> {
  const end = Date.now() + ms;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited ${ms} ms in vain for ${name}`);
    await pause(20);
  }
}
