import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "./config.ts";
import { Fault } from "./errors.ts";
import { type KeyEncryptionKey, parseKeyEncryptionKey, readKeyEncryptionKey } from "./signing/key-encryption-key.ts";

/** The configured key, or one made in the data directory on the first start. */
export async function keyEncryptionKeyOf(config: Config): Promise<KeyEncryptionKey> {
  const configured = config.keyEncryptionKey;
  const parsed =
    configured !== undefined && "value" in configured
      ? parseKeyEncryptionKey(configured.value)
      : await readKeyEncryptionKey(configured?.file ?? (await ownKeyFile(config.dataDirectory)));
  if (parsed.ok) return parsed.value;
  throw new Fault("INVALID_FIELD", `The key-encryption key ${parsed.fault}.`);
}

async function ownKeyFile(dataDirectory: string): Promise<string> {
  const path = join(dataDirectory, "key-encryption-key");
  await mkdir(dataDirectory, { recursive: true, mode: 0o700 });
  try {
    await writeFile(path, `${randomBytes(32).toString("base64")}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  return path;
}
