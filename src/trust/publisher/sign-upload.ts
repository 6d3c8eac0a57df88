import { createHash } from "node:crypto";
import { Fault } from "../../errors.ts";
import { signPayload } from "../../signing/sign.ts";
import { envelopeOf } from "../../tuf/payload.ts";
import type { Collection } from "../collection-store.ts";
import type { CollectionKey } from "../key-store.ts";
import { backendOf, keyOfRole } from "./provision.ts";
import type { PublisherRoom } from "./publisher-room.ts";
import { type SignedPart, storeEnvelopes, type Upload, type UploadPart } from "./upload-store.ts";

/**
 * Lets the backend sign the stored payloads, each signature verified, and stores the exact envelopes: PREPARED to READY.
 * Undefined when somebody else took the upload over meanwhile.
 */
export async function signUpload(
  room: PublisherRoom,
  collection: Collection,
  upload: Upload,
  parts: readonly UploadPart[],
  keys: readonly CollectionKey[],
  signal: AbortSignal,
): Promise<readonly SignedPart[] | undefined> {
  const backend = backendOf(room, collection);
  const signed: SignedPart[] = [];
  for (const part of parts) {
    const key = keyOfRole(keys, part.role);
    const held = await backend.get(key.canonicalKeyId, signal);
    if (held === undefined) {
      throw new Fault(
        "SIGNING_UNAVAILABLE",
        `The key backend ${backend.name} does not hold the collection's ${part.role} key.`,
      );
    }
    const sig = await signPayload(backend, held, part.payload, signal);
    const envelope = envelopeOf(part.payload, [{ keyId: key.tufKeyId, method: "ecdsa", sig }]);
    signed.push({ ...part, envelope, envelopeSha256: createHash("sha256").update(envelope).digest() });
  }
  return (await storeEnvelopes(room.database, upload, signed, room.now())) ? signed : undefined;
}
