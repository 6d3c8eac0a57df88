import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Step } from "../../src/trust/publisher-room.ts";
import type { House } from "../trust/house.ts";

/** Starts a replica in a process of its own that dies at the step, if one is named. */
export function spawnReplica(
  house: House,
  options: { readonly dieAt?: Step; readonly notary?: { readonly url: string; readonly caFile: string } } = {},
): ChildProcess {
  const { appUrl, kek } = house;
  const notary = options.notary ?? { url: house.notary.url, caFile: house.notary.caFile };
  const argument = JSON.stringify({ appUrl, kek, notary, dieAt: options.dieAt });
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
