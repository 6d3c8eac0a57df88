import { chown, mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Identity } from "../../src/x509/authority.ts";

/** Whose files a folder holds, and the account that its container runs as: ours, the postgres image's, or that of notary/Dockerfile. */
const accounts = {
  ca: 0,
  postgres: 999,
  migrate: 10_001,
  imagetrust: 10_001,
  "notary-signer": 10_002,
  "notary-server": 10_002,
  client: 10_001,
} as const;

export type Consumer = keyof typeof accounts;

/** Content by name. */
export type Files = Readonly<Record<string, string>>;

/** For its account alone, or, where it is no secret, for everybody. */
export const modes = { secret: 0o400, open: 0o444 } as const;

/**
 * Writes the files of one consumer below `root`. The folders stay ours: a run that broke off can be repeated, with the one
 * capability that hands files over, and no consumer can add to what it was given.
 */
export async function writeFiles(root: string, consumer: Consumer, files: Files, mode = modes.secret as number) {
  for (const [name, content] of Object.entries(files)) {
    const path = join(root, consumer, name);
    await mkdir(dirname(path), { recursive: true, mode: 0o755 });
    await rm(path, { force: true });
    await writeFile(path, content, { mode, flush: true });
    if (process.getuid?.() === 0) await chown(path, accounts[consumer], accounts[consumer]);
  }
}

/** A certificate and its key as `NAME.pem` and `NAME-key.pem`. */
export function identityFiles(name: string, identity: Identity): Files {
  return { [`${name}.pem`]: identity.certificatePem, [`${name}-key.pem`]: identity.privateKeyPem };
}

export function pretty(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
