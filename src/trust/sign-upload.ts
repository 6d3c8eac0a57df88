import { createHash } from "node:crypto";
import { Fault } from "../errors.ts";
import type { RoleName } from "../names.ts";
import { signPayload } from "../signing/sign.ts";
import { envelopeOf } from "../tuf/payload.ts";
import type { Collection } from "./collection-store.ts";
import { collectionKeys } from "./key-store.ts";
import { backendOf, keyOfRole } from "./provision.ts";
import type { PublisherRoom } from "./publisher-room.ts";
import { storeEnvelopes, type Upload, uploadParts } from "./upload-store.ts";

/**
 * Lets the backend sign the stored payloads, each signature verified, and stores the exact envelopes: PREPARED to READY.
 * Answers false when somebody else took the upload over meanwhile.
 */
export async function signUpload(
  room: PublisherRoom,
  collection: Collection,
  upload: Upload,
  signal: AbortSignal,
): Promise<boolean> {
  const [parts, keys] = await Promise.all([
    uploadParts(room.database, upload.id),
    collectionKeys(room.database, collection.id, upload.incarnation),
  ]);
  const backend = backendOf(room, collection);
  const envelopes = new Map<RoleName, { bytes: Buffer; sha256: Buffer }>();
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
    const bytes = envelopeOf(part.payload, [{ keyId: key.tufKeyId, method: "ecdsa", sig }]);
    envelopes.set(part.role, { bytes, sha256: createHash("sha256").update(bytes).digest() });
  }
  return await room.database.transaction((tx) => storeEnvelopes(tx, upload, envelopes, room.now()));
}
