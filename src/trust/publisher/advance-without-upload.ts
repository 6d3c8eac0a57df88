import type { Transaction } from "../../database.ts";
import type { Basis } from "./basis.ts";
import { publicationRecord } from "./publication-record.ts";
import { type PublisherRoom, publisherCall } from "./publisher-room.ts";

/** What is desired is what is published: the decisions are live without an upload. */
export async function advanceWithoutUpload(
  tx: Transaction,
  room: PublisherRoom,
  { collection, desired }: Basis,
  now: Date,
  signal: AbortSignal,
): Promise<void> {
  await tx.run(
    `update collections set published_generation = generation, dirty_since = null, attempts = 0, pending_reason = null,
       last_answer = null, next_attempt_at = '-infinity' where id = :id`,
    { id: collection.id },
  );
  await tx.run(
    `update delegations d set published_revision = h.revision, live_from = coalesce(d.live_from, greatest(:now, d.valid_from))
     from unnest(cast(:ids as bigint[]), cast(:revisions as bigint[])) as h(id, revision) where d.id = h.id`,
    {
      ids: desired.delegations.map((delegation) => delegation.id),
      revisions: desired.delegations.map((delegation) => delegation.revision),
      now,
    },
  );
  await tx.run(
    `update delegations set live_to = greatest(:now, live_from)
     where collection_id = :id and valid_to is not null and live_from is not null and live_to is null`,
    { id: collection.id, now },
  );
  const nothingSent = {
    id: "",
    kind: "PUBLISH",
    fromGeneration: collection.publishedGeneration,
    toGeneration: collection.generation,
    parts: [],
    delegations: desired.delegations,
  };
  await room.append(
    tx,
    publisherCall("prepare", signal),
    publicationRecord(collection.gun, "no_change", nothingSent),
    now,
  );
}
