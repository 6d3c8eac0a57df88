import type { BlockReason } from "../changes/outcome.ts";
import type { Transaction } from "../database.ts";
import { type Collection, lockCollection } from "./collection-store.ts";
import { publicationRecord, recordedUpload } from "./publication-record.ts";
import { type PublisherRoom, publisherCall } from "./publisher-room.ts";
import { closeUpload, openUpload, uploadDelegations, uploadParts } from "./upload-store.ts";

/**
 * Stops publishing for a collection until Notary shows again what we published, or a person decides. What was prepared but never
 * sent is cancelled; what was sent stays open and is only observed. Says so once: a block of the same reason is not repeated.
 */
export async function block(
  room: PublisherRoom,
  collectionId: bigint,
  reason: BlockReason,
  detail: string,
  signal: AbortSignal,
): Promise<void> {
  const blocked = await room.database.transaction(async (tx) => {
    const collection = await lockCollection(tx, collectionId);
    if (collection === undefined || collection.state !== "ACTIVE") return undefined;
    await cancelUnsent(tx, room, collection, "the collection was blocked", signal);
    if (collection.blockReason === reason) return undefined;
    const now = room.now();
    await tx.run(
      `update collections set block_reason = :reason, block_detail = :detail, blocked_at = :now, attempts = 0, pending_reason = null
       where id = :collectionId`,
      { reason, detail, now, collectionId },
    );
    await room.append(
      tx,
      publisherCall("block", signal),
      {
        eventType: "trust.blocked.v1",
        stage: "RESULT",
        severity: "ALERT",
        subject: { type: "gun", id: collection.gun },
        about: [],
        result: "FAILED_PRECONDITION",
        resultReason: reason,
        gun: collection.gun,
        change: { before: collection.blockReason, after: reason, diff: [detail] },
        publication: undefined,
      },
      now,
    );
    return collection;
  });
  if (blocked === undefined) return;
  room.log.error({ gun: blocked.gun, reason, detail }, "collection blocked");
  room.signals.notify(collectionId);
}

/** Lets publishing go on after Notary showed again what we published. */
export async function unblock(room: PublisherRoom, collectionId: bigint, signal: AbortSignal): Promise<void> {
  const freed = await room.database.transaction(async (tx) => {
    const collection = await lockCollection(tx, collectionId);
    if (collection === undefined || collection.blockReason === null) return undefined;
    await tx.run(
      `update collections set block_reason = null, block_detail = null, blocked_at = null, attempts = 0,
         next_attempt_at = '-infinity', pending_reason = null, last_answer = null where id = :collectionId`,
      { collectionId },
    );
    await room.append(
      tx,
      publisherCall("unblock", signal),
      {
        eventType: "trust.unblocked.v1",
        stage: "RESULT",
        severity: "NOTICE",
        subject: { type: "gun", id: collection.gun },
        about: [],
        result: "OK",
        resultReason: "",
        gun: collection.gun,
        change: { before: collection.blockReason, after: null, diff: ["Notary shows again what was published"] },
        publication: undefined,
      },
      room.now(),
    );
    return collection;
  });
  if (freed === undefined) return;
  room.log.info({ gun: freed.gun, reason: freed.blockReason }, "collection unblocked");
  room.signals.notify(collectionId);
}

/** Cancels the open upload if it was never armed: provably none of its bytes left. The collection's row is locked. */
export async function cancelUnsent(
  tx: Transaction,
  room: Pick<PublisherRoom, "append" | "now">,
  collection: Collection,
  why: string,
  signal: AbortSignal,
): Promise<void> {
  const upload = await openUpload(tx, collection.id);
  if (upload === undefined || upload.state === "SENT") return;
  const now = room.now();
  if (!(await closeUpload(tx, upload.id, "CANCELLED", ["PREPARED", "READY"], now))) return;
  const parts = await uploadParts(tx, upload.id);
  const signed = parts.some((part) => part.envelopeSha256 !== null);
  const recorded = recordedUpload(upload, parts, await uploadDelegations(tx, upload.id));
  const detail = `${signed ? "signed, never sent" : "never signed, never sent"}: ${why}`;
  await room.append(
    tx,
    publisherCall("cancel", signal),
    publicationRecord(collection.gun, "cancelled", recorded, detail),
    now,
  );
}
