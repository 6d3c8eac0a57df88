import type { CanonicalKeyId, Gun } from "../names.ts";

/** What a key is for: one role in one life of a collection; `ordinal` counts its rotations. */
export interface KeySlot {
  readonly gun: Gun;
  readonly role: "root" | "targets";
  readonly incarnation: number;
  readonly ordinal: number;
}

/** The public side of a key that a backend holds. */
export interface BackendKey {
  readonly id: CanonicalKeyId;
  /** ECDSA on P-256. */
  readonly algorithm: "ecdsa";
  /** SubjectPublicKeyInfo in DER. */
  readonly spki: Buffer;
}

/**
 * A place where the service's own keys live and sign; private keys never leave it.
 * Every call rejects with SIGNING_UNAVAILABLE when the backend cannot or will not do it (DATABASE_UNAVAILABLE when it is the
 * database that cannot), and with the signal's Fault, or CANCELLED, when the signal has aborted. An implementation MUST pass test/conformance/key-backend.ts.
 */
export interface KeyBackend {
  readonly name: string;
  /** Makes the key of a slot. The same slot gives the same key for ever, to concurrent callers and after a restart too. */
  generate(slot: KeySlot, signal: AbortSignal): Promise<BackendKey>;
  /** undefined when the backend has no such key. */
  get(id: CanonicalKeyId, signal: AbortSignal): Promise<BackendKey | undefined>;
  /** Signs with the key: raw r||s, 64 bytes, over the SHA-256 of the message. Never signs with a key that get() does not show. */
  sign(id: CanonicalKeyId, message: Buffer, signal: AbortSignal): Promise<Buffer>;
}
