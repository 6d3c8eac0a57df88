import type { RecordDraft } from "../../audit/record.ts";
import type { BlockReason } from "../../changes/outcome.ts";
import type { Transaction } from "../../database.ts";
import { type Collection, lockCollection } from "../collection-store.ts";
import { endUpload } from "./end-upload.ts";
import { type PublisherRoom, publisherCall } from "./publisher-room.ts";
import { openUpload } from "./upload-store.ts";

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
    // A database that is behind stays so, whatever else Notary shows by and by: nothing but an operator ends that.
    if (collection.blockReason === reason || collection.blockReason === "DATABASE_BEHIND") return undefined;
    const now = room.now();
    await tx.run(
      `update collections set block_reason = :reason, block_detail = :detail, blocked_at = :now, attempts = 0, pending_reason = null
       where id = :collectionId`,
      { reason, detail, now, collectionId },
    );
    const change = { before: collection.blockReason, after: reason, diff: [detail] };
    const told = { severity: "ALERT", result: "FAILED_PRECONDITION", reason, change } as const;
    const record = blockRecord(collection, "trust.blocked.v1", told);
    await room.append(tx, publisherCall("block", signal), record, now);
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
    await endBlock(tx, room, collection, "Notary shows again what was published", signal);
    return collection;
  });
  if (freed === undefined) return;
  room.log.info({ gun: freed.gun, reason: freed.blockReason }, "collection unblocked");
  room.signals.notify(collectionId);
}

/** Whether a block only says how an upload fares; any other says that Notary shows something else than what was published. */
export function concernsUploadOnly(reason: BlockReason | null): boolean {
  return reason === "REJECTED" || reason === "UNREADABLE" || reason === "SNAPSHOT_WEDGED";
}

/** Ends the block of a collection, with its record. The collection's row is locked. */
export async function endBlock(
  tx: Transaction,
  room: Pick<PublisherRoom, "append" | "now">,
  collection: Collection,
  why: string,
  signal: AbortSignal,
): Promise<void> {
  await tx.run(
    `update collections set block_reason = null, block_detail = null, blocked_at = null, attempts = 0,
       next_attempt_at = '-infinity', pending_reason = null, last_answer = null where id = :id`,
    { id: collection.id },
  );
  const change = { before: collection.blockReason, after: null, diff: [why] };
  const record = blockRecord(collection, "trust.unblocked.v1", {
    severity: "NOTICE",
    result: "OK",
    reason: "",
    change,
  });
  await room.append(tx, publisherCall("unblock", signal), record, room.now());
}

function blockRecord(
  { gun }: Collection,
  eventType: string,
  told: Pick<RecordDraft, "severity" | "result" | "change"> & { readonly reason: string },
): RecordDraft {
  const { reason, ...rest } = told;
  const subject = { type: "gun", id: gun } as const;
  return { eventType, stage: "RESULT", subject, about: [], resultReason: reason, gun, publication: undefined, ...rest };
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
  await endUpload(tx, room, collection, upload, "CANCELLED", why, signal);
}
