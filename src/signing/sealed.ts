import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { SpanStatusCode, trace } from "@opentelemetry/api";
import type { Database } from "../database.ts";
import { Fault } from "../errors.ts";
import type { CanonicalKeyId } from "../names.ts";
import { keepRecent, ownCopy, type Recent } from "../recent.ts";
import { canonicalKeyIdOf } from "../tuf/key.ts";
import type { BackendKey, KeyBackend, KeySlot } from "./backend.ts";
import type { KeyEncryptionKey } from "./key-encryption-key.ts";
import { type SealedKey, sealKey, unsealKey } from "./seal.ts";
import { insertSealedKey, otherKekIds, sealedKeyById, sealedKeyOfSlot, someSealedKey } from "./sealed-key-store.ts";

/** The backend that keeps its keys in the service's own database, sealed under a key-encryption key that is never stored there. */
export interface SealedBackend extends KeyBackend {
  /**
   * Call once before serving: throws SIGNING_UNAVAILABLE, naming what is missing, when stored keys are sealed under another
   * key-encryption key, or cannot be opened because they belong to another deployment.
   */
  check(): Promise<void>;
}

export interface SealedOptions {
  /** How many opened keys are kept in memory; opening one costs a query and two decryptions. Default 2,000. */
  readonly openKeys?: number;
}

/**
 * Opens the backend `sealed`: ECDSA keys on P-256, one row of `sealed_keys` each. Nothing is read before the first call.
 * An opened key signs until it is forgotten, also when its row changes in the meantime.
 */
export function openSealedBackend(
  database: Database,
  kek: KeyEncryptionKey,
  deployment: string,
  options: SealedOptions = {},
): SealedBackend {
  return new Sealed(database, kek, deployment, options.openKeys ?? 500);
}

interface OpenKey {
  readonly key: BackendKey;
  readonly role: KeySlot["role"];
  readonly privateKey: KeyObject;
}

const tracer = trace.getTracer("imagetrust");

class Sealed implements SealedBackend {
  readonly name = "sealed";
  readonly #database: Database;
  readonly #kek: KeyEncryptionKey;
  readonly #deployment: string;
  readonly #open: Recent<CanonicalKeyId, OpenKey>;

  constructor(database: Database, kek: KeyEncryptionKey, deployment: string, openKeys: number) {
    this.#database = database;
    this.#kek = kek;
    this.#deployment = deployment;
    this.#open = keepRecent(openKeys);
  }

  async generate(slot: KeySlot, signal: AbortSignal): Promise<BackendKey> {
    throwIfAborted(signal);
    const stored = (await sealedKeyOfSlot(this.#database, slot)) ?? (await this.#make(slot, signal));
    throwIfAborted(signal);
    return this.#unseal(stored).key;
  }

  async get(id: CanonicalKeyId, signal: AbortSignal): Promise<BackendKey | undefined> {
    return (await this.#find(id, signal))?.key;
  }

  sign(id: CanonicalKeyId, message: Buffer, signal: AbortSignal): Promise<Buffer> {
    return tracer.startActiveSpan("signing.sign", { attributes: { "signing.backend": this.name } }, async (span) => {
      try {
        const found = await this.#find(id, signal);
        if (found === undefined) throw unavailable(`There is no key ${id} among the sealed keys.`);
        span.setAttribute("signing.role", found.role);
        return sign("sha256", message, { key: found.privateKey, dsaEncoding: "ieee-p1363" });
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR });
        throw error;
      } finally {
        span.end();
      }
    });
  }

  async check(): Promise<void> {
    const missing = await otherKekIds(this.#database, this.#kek.id);
    if (missing.length > 0) throw foreignKek(missing, this.#kek.id);
    const sample = await someSealedKey(this.#database, this.#kek.id);
    if (sample !== undefined) this.#unseal(sample);
  }

  /** Of concurrent callers one inserts; all read back what was stored. */
  async #make(slot: KeySlot, signal: AbortSignal): Promise<SealedKey> {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const spki = publicKey.export({ type: "spki", format: "der" });
    const facts = { id: canonicalKeyIdOf({ keyType: algorithm, public: spki }), algorithm, slot, spki };
    throwIfAborted(signal);
    await insertSealedKey(this.#database, sealKey(privateKey, facts, this.#kek, this.#deployment));
    const stored = await sealedKeyOfSlot(this.#database, slot);
    if (stored === undefined) throw unavailable("The key that was just made is not in the database; repeat the call.");
    return stored;
  }

  async #find(id: CanonicalKeyId, signal: AbortSignal): Promise<OpenKey | undefined> {
    throwIfAborted(signal);
    const open = this.#open.get(id);
    if (open !== undefined) return open;
    const stored = await sealedKeyById(this.#database, id);
    throwIfAborted(signal);
    return stored && this.#unseal(stored);
  }

  #unseal(stored: SealedKey): OpenKey {
    if (stored.kekId !== this.#kek.id) throw foreignKek([stored.kekId], this.#kek.id);
    const { id, spki, slot } = stored;
    try {
      const privateKey = unsealKey(stored, this.#kek, this.#deployment);
      const opened: OpenKey = { key: { id, algorithm, spki: ownCopy(spki) }, role: slot.role, privateKey };
      this.#open.set(id, opened);
      return opened;
    } catch (cause) {
      throw unavailable(
        `The stored key ${id} cannot be opened: its row was altered, or it was sealed for another deployment. ` +
          "Nothing was signed; restore the row from a backup, or the deployment's name.",
        cause,
      );
    }
  }
}

const algorithm = "ecdsa";

function unavailable(message: string, cause?: unknown): Fault {
  return new Fault("SIGNING_UNAVAILABLE", message, { cause });
}

function foreignKek(missing: readonly string[], configured: string): Fault {
  return unavailable(
    `Stored keys are sealed under key-encryption key ${missing.join(", ")}, but ${configured} is configured; ` +
      "give the service the key they were sealed with.",
  );
}

function throwIfAborted(signal: AbortSignal): void {
  if (!signal.aborted) return;
  if (signal.reason instanceof Fault) throw signal.reason;
  throw new Fault("CANCELLED", "The call was cancelled before anything was signed.", { cause: signal.reason });
}
