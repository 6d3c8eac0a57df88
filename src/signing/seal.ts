import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  type KeyObject,
  randomBytes,
} from "node:crypto";
import type { CanonicalKeyId } from "../names.ts";
import type { KeySlot } from "./backend.ts";
import type { KeyEncryptionKey } from "./key-encryption-key.ts";

/** A private key at rest, with everything it is bound to. */
export interface SealedKey {
  readonly id: CanonicalKeyId;
  readonly algorithm: string;
  readonly slot: KeySlot;
  /** The public key, SubjectPublicKeyInfo in DER. */
  readonly spki: Buffer;
  /** The key-encryption key that wraps the data key. */
  readonly kekId: string;
  /** The data key under the key-encryption key, and the private key (PKCS#8) under the data key: ciphertext, then the tag. */
  readonly dataKey: Buffer;
  readonly dataKeyNonce: Buffer;
  readonly sealed: Buffer;
  readonly nonce: Buffer;
}

const cipher = "aes-256-gcm";
const tagBytes = 16;
const nonceBytes = 12;

/**
 * Seals a private key: AES-256-GCM under a fresh data key, which is itself wrapped under the key-encryption key.
 * Both are bound to their purpose, the deployment, and every field of the key that says what it is and what it is for; the data key
 * also to the id of its wrapping, so that another key-encryption key means a new wrapping and never a new sealing.
 */
export function sealKey(
  privateKey: KeyObject,
  facts: Pick<SealedKey, "id" | "algorithm" | "slot" | "spki">,
  kek: KeyEncryptionKey,
  deployment: string,
): SealedKey {
  const dataKey = randomBytes(32);
  const content = privateKey.export({ type: "pkcs8", format: "der" });
  try {
    const bound = { ...facts, kekId: kek.id };
    const inner = encrypt(createSecretKey(dataKey), content, bindingOf("private key", deployment, bound, []));
    const outer = encrypt(kek.key, dataKey, bindingOf("data key", deployment, bound, [kek.id]));
    return { ...bound, sealed: inner.text, nonce: inner.nonce, dataKey: outer.text, dataKeyNonce: outer.nonce };
  } finally {
    dataKey.fill(0);
    content.fill(0);
  }
}

/** Opens a sealed key. Throws when any field was altered, or the private key is not that of the stored public key. */
export function unsealKey(stored: SealedKey, kek: KeyEncryptionKey, deployment: string): KeyObject {
  const dataKey = decrypt(
    kek.key,
    stored.dataKey,
    stored.dataKeyNonce,
    bindingOf("data key", deployment, stored, [kek.id]),
  );
  const privateKey = openContent(stored, dataKey, bindingOf("private key", deployment, stored, []));
  if (!createPublicKey(privateKey).export({ type: "spki", format: "der" }).equals(stored.spki)) {
    throw new Error("The private key is not that of the stored public key.");
  }
  return privateKey;
}

function openContent(stored: SealedKey, dataKey: Buffer, binding: Buffer): KeyObject {
  try {
    const content = decrypt(createSecretKey(dataKey), stored.sealed, stored.nonce, binding);
    try {
      return createPrivateKey({ key: content, type: "pkcs8", format: "der" });
    } finally {
      content.fill(0);
    }
  } finally {
    dataKey.fill(0);
  }
}

/** JSON of a list, so that no two different lists of facts give the same bytes. */
function bindingOf(
  purpose: "data key" | "private key",
  deployment: string,
  key: Pick<SealedKey, "id" | "algorithm" | "slot">,
  more: readonly string[],
): Buffer {
  const { gun, role, incarnation, ordinal } = key.slot;
  const facts = ["imagetrust", purpose, deployment, key.id, key.algorithm, role, gun, incarnation, ordinal, ...more];
  return Buffer.from(JSON.stringify(facts));
}

function encrypt(key: KeyObject, content: Buffer, binding: Buffer): { text: Buffer; nonce: Buffer } {
  const nonce = randomBytes(nonceBytes);
  const sealing = createCipheriv(cipher, key, nonce, { authTagLength: tagBytes }).setAAD(binding);
  return { text: Buffer.concat([sealing.update(content), sealing.final(), sealing.getAuthTag()]), nonce };
}

/** The plain bytes in one buffer of their own, which the caller wipes. */
function decrypt(key: KeyObject, text: Buffer, nonce: Buffer, binding: Buffer): Buffer {
  if (nonce.length !== nonceBytes || text.length < tagBytes) throw new Error("The sealed bytes are cut off.");
  const opening = createDecipheriv(cipher, key, nonce, { authTagLength: tagBytes }).setAAD(binding);
  opening.setAuthTag(text.subarray(-tagBytes));
  // GCM is a stream: update() gives every byte, final() only judges the tag.
  const content = opening.update(text.subarray(0, -tagBytes));
  try {
    opening.final();
    return content;
  } catch (error) {
    content.fill(0);
    throw error;
  }
}
