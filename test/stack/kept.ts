import { randomUUID } from "node:crypto";
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * The folder in which the processes of a run keep what they wrote and which secrets they made, for a search at its end.
 * Without one nothing is kept: a file that is run alone leaves nothing behind.
 */
export const keptFolder = process.env["IMAGETRUST_TEST_KEPT_DIR"];

/** A secret that the run made: a private key in PEM, or bytes that must be found nowhere as they are or encoded. */
export interface KeptSecret {
  readonly name: string;
  readonly kind: "private key" | "bytes";
  readonly base64: string;
}

/** Remembers a secret that no process may write; it stands in the folder alone. */
export function keepSecret(name: string, value: string | Buffer): void {
  const isPem = typeof value === "string" && value.startsWith("-----BEGIN");
  remember({ name, kind: isPem ? "private key" : "bytes", base64: Buffer.from(value).toString("base64") });
}

function remember(secret: KeptSecret): void {
  if (keptFolder === undefined) return;
  appendFileSync(join(keptFolder, `${process.pid}.secrets`), `${JSON.stringify(secret)}\n`, { mode: 0o600 });
}

/** Keeps what somebody wrote, such as a log. */
export function keepText(name: string, text: string | Buffer): void {
  if (keptFolder !== undefined) writeFileSync(join(keptFolder, `${name}-${randomUUID()}.text`), text);
}

/** Keeps a file as it is now; one that is missing holds nothing. */
export function keepFile(name: string, path: string): void {
  if (keptFolder !== undefined && existsSync(path)) keepText(name, readFileSync(path));
}
