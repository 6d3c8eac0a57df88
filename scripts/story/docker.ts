import { execFile } from "node:child_process";
import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { LocalNotary } from "../stack/notary.ts";

/** Whether the path holds a docker client that knows `docker trust`. */
export function hasDockerTrust(): Promise<boolean> {
  return new Promise((resolve) => {
    execFile("docker", ["trust", "inspect", "--help"], { timeout: 20_000 }, (error, stdout) =>
      resolve(error === null && stdout.includes("docker trust inspect")),
    );
  });
}

/** Makes a configuration folder for docker that accepts a Notary's certificate, and nothing else. */
export async function configureDocker(folder: string, notary: Pick<LocalNotary, "url" | "caFile">): Promise<void> {
  const accepted = join(folder, "tls", new URL(notary.url).host);
  await mkdir(accepted, { recursive: true, mode: 0o700 });
  await copyFile(notary.caFile, join(accepted, "ca.crt"));
}
