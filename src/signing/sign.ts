import { Fault } from "../errors.ts";
import type { TufKeyId } from "../names.ts";
import { verifySignature } from "../tuf/signature.ts";
import type { BackendKey, KeyBackend } from "./backend.ts";

/**
 * Has the backend sign a payload and gives the signature, raw r||s, only when it verifies by the key as Notary verifies it.
 * Throws SIGNING_UNAVAILABLE for a signature that does not, and whatever the backend throws.
 */
export async function signPayload(
  backend: KeyBackend,
  key: BackendKey,
  payload: Buffer,
  signal: AbortSignal,
): Promise<Buffer> {
  const sig = await backend.sign(key.id, payload, signal);
  // For a bare key the canonical id and the TUF id are one.
  const signature = { keyId: key.id as string as TufKeyId, method: key.algorithm, sig };
  if (verifySignature({ keyType: key.algorithm, public: key.spki }, signature, payload)) return sig;
  throw new Fault(
    "SIGNING_UNAVAILABLE",
    "The key backend gave a signature that does not verify; nothing was published.",
    {
      metadata: { backend: backend.name, key: key.id },
    },
  );
}
