import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { FollowerSettings } from "../../src/trust/follower/follower-room.ts";
import type { PublisherSettings, Step } from "../../src/trust/publisher/publisher-room.ts";
import type { House } from "../trust/house.ts";

export interface ChildOptions {
  /** The step at which it dies of kill -9. */
  readonly dieAt?: Step;
  /** At which time it reaches that step; default the first. */
  readonly dieAtTime?: number;
  /** The step at which it stops itself; SIGCONT wakes it. */
  readonly sleepAt?: Step;
  readonly notary?: { readonly url: string; readonly caFile: string };
  readonly settings?: Partial<PublisherSettings>;
  /** Follows Notary, in such intervals. */
  readonly follow?: Partial<FollowerSettings>;
}

/** Starts a replica in a process of its own. */
export function spawnReplica(house: House, options: ChildOptions = {}): ChildProcess {
  const { appUrl, kek } = house;
  const { url, caFile } = options.notary ?? house.notary;
  const argument = JSON.stringify({ ...options, appUrl, kek, notary: { url, caFile } });
  return spawn(process.execPath, [fileURLToPath(new URL("child.ts", import.meta.url)), argument], {
    stdio: ["ignore", "pipe", "inherit"],
  });
}

/** Resolves with the signal or code the child ended with. */
export async function ended(child: ChildProcess): Promise<string | number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.signalCode ?? child.exitCode;
  const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
  return signal ?? code;
}

/** Ends the child at once, as a power cut would. */
export async function kill(child: ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  await ended(child);
}

/** What a child says, line by line; ask for the next line that is one of those wanted. */
export function linesOf(child: ChildProcess): (wanted: string) => Promise<void> {
  if (child.stdout === null) throw new Error("the child's output is not piped");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return async (wanted) => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done) throw new Error(`the child ended before it said ${wanted}`);
      if (value === wanted) return;
    }
  };
}
