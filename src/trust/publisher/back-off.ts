import type { PendingReason } from "../../changes/outcome.ts";
import type { PublisherRoom } from "./publisher-room.ts";

/** Why a collection waits before it is worked on again. */
export type Delay = Exclude<PendingReason, "" | "QUEUED">;

/** Puts the collection's next attempt off, doubling with jitter, and keeps why; all of it in its row, so that a restart forgets nothing. */
export async function backOff(room: PublisherRoom, id: bigint, reason: Delay, text: string): Promise<void> {
  const { firstBackOffMs, longestBackOffMs } = room.settings;
  await room.database.run(
    `update collections set attempts = attempts + 1, pending_reason = :reason, last_answer = :text,
       next_attempt_at = clock_timestamp() + interval '1 millisecond' * (0.5 + random() / 2)
         * least(cast(:longestMs as float8), cast(:firstMs as float8) * power(2, least(attempts, 16)))
     where id = :id`,
    { id, reason, text, firstMs: firstBackOffMs, longestMs: longestBackOffMs },
  );
}
