import { createHash, createSecretKey, type KeyObject } from "node:crypto";
import { open } from "node:fs/promises";
import type { Parsed } from "../names.ts";

/** The key under which every sealed key's own data key is wrapped: AES-256. */
export interface KeyEncryptionKey {
  /** 16 hex digits that name the key without telling anything of it. */
  readonly id: string;
  readonly key: KeyObject;
}

/**
 * Reads a key-encryption key from a file that nobody but its owner may read: 32 raw bytes, or their base64 or hex on one line.
 * The fault names what is wrong with the file, never its content.
 */
export async function readKeyEncryptionKey(path: string): Promise<Parsed<KeyEncryptionKey>> {
  const content = await readPrivateFile(path);
  if (typeof content === "string") return { ok: false, fault: content };
  try {
    // 32 random bytes are printable once in 10^13 files; 32 printable ones are a password or half a hex key.
    if (content.length === keyBytes && !isPrintable(content)) return keyOf(content);
    return parseKeyEncryptionKey(content.toString("latin1"));
  } finally {
    content.fill(0);
  }
}

/** Parses a key-encryption key given as text, such as an environment variable's value: the base64 or hex of 32 bytes. */
export function parseKeyEncryptionKey(text: string): Parsed<KeyEncryptionKey> {
  const value = text.trim();
  if (/^[0-9a-f]{64}$/i.test(value)) return keyOf(Buffer.from(value, "hex"));
  if (/^[A-Za-z0-9+/_-]{43}=?$/.test(value)) return keyOf(Buffer.from(value, "base64"));
  return { ok: false, fault: `must be 32 random bytes in base64 or hex; make one with \`${recipe}\`` };
}

const keyBytes = 32;
const recipe = "openssl rand -base64 32";
const mostBytes = 1024;

async function readPrivateFile(path: string): Promise<Buffer | string> {
  let file: Awaited<ReturnType<typeof open>>;
  try {
    file = await open(path, "r");
  } catch (error) {
    return `must name a file that can be read (${(error as NodeJS.ErrnoException).code ?? "unknown error"})`;
  }
  try {
    const { mode, size } = await file.stat();
    if ((mode & 0o077) !== 0) return "must name a file that only its owner may read; set its mode to 0600 or 0400";
    if (size > mostBytes) return `must name a file that holds one key, but it has ${size} bytes`;
    return await file.readFile();
  } catch (error) {
    return `must name a file that can be read (${(error as NodeJS.ErrnoException).code ?? "unknown error"})`;
  } finally {
    await file.close();
  }
}

function isPrintable(bytes: Buffer): boolean {
  return bytes.every((byte) => byte >= 0x20 && byte < 0x7f);
}

/** Takes the bytes over and wipes them. */
function keyOf(bytes: Buffer): Parsed<KeyEncryptionKey> {
  try {
    if (bytes.every((byte) => byte === bytes[0])) {
      return { ok: false, fault: `must be random, but all its bytes are the same; make one with \`${recipe}\`` };
    }
    const id = createHash("sha256").update("imagetrust key-encryption key\0").update(bytes).digest("hex").slice(0, 16);
    return { ok: true, value: { id, key: createSecretKey(bytes) } };
  } finally {
    bytes.fill(0);
  }
}
