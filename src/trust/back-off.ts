import type { PendingReason } from "../changes/outcome.ts";
import type { Collection } from "./collection-store.ts";
import type { PublisherRoom } from "./publisher-room.ts";

/** Why a collection waits before it is worked on again. */
export type Delay = Exclude<PendingReason, "" | "QUEUED">;

/** Puts the collection's next attempt off, doubling with jitter, and keeps why; all of it in its row, so that a restart forgets nothing. */
export async function backOff(room: PublisherRoom, collection: Collection, reason: Delay, text: string): Promise<void> {
  const { firstBackOffMs, longestBackOffMs } = room.settings;
  const doubled = Math.min(longestBackOffMs, firstBackOffMs * 2 ** Math.min(collection.attempts, 16));
  await room.database.run(
    `update collections set attempts = attempts + 1, pending_reason = :reason, last_answer = :text,
       next_attempt_at = clock_timestamp() + :delayMs * interval '1 millisecond' where id = :id`,
    { id: collection.id, reason, text, delayMs: Math.round(doubled * (0.5 + Math.random() / 2)) },
  );
}
