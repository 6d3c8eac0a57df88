import type { Call } from "../audit/call.ts";
import type { RecordDraft } from "../audit/record.ts";
import { type Changed, type Decision, makeChange } from "../changes/mutation.ts";
import type { ChangeOptions } from "../changes/options.ts";
import { nothingToPublish } from "../changes/outcome.ts";
import { quietPlan } from "../changes/plan.ts";
import { Fault } from "../errors.ts";
import type { Gun } from "../names.ts";
import { type Collection, lockCollectionOf, markDeleted } from "./collection-store.ts";
import { endDelegations } from "./delegation-store.ts";
import { recordedTrust } from "./initialize.ts";
import { cancelUnsent } from "./publisher/block.ts";
import { endUpload } from "./publisher/end-upload.ts";
import { openUpload, rejectedUploads } from "./publisher/upload-store.ts";
import { supersedeBatchItems } from "./rollouts/batch-store.ts";
import type { TrustRoom } from "./room.ts";
import { requireTrustEtag } from "./trust-view.ts";

export interface DeleteTrust {
  readonly gun: Gun;
  readonly options: ChangeOptions;
}

/**
 * Ends a collection of which nothing ever landed. Repeating it changes nothing. What was sent may still land, so an upload that is
 * on its way must be decided first. The GUN's row stays; a next life has a new incarnation and new keys.
 */
export async function deleteTrust(room: TrustRoom, call: Call, request: DeleteTrust): Promise<Changed> {
  return makeChange(room.changing, call, request.options, async (tx, now) => {
    // The lock and the look for open uploads are two statements: a combined one lets a new upload through.
    const collection = await lockCollectionOf(tx, request.gun);
    if (collection === undefined) {
      throw new Fault("NOT_FOUND", `There is no trust for ${request.gun}.`, { metadata: { gun: request.gun } });
    }
    if (collection.state === "DELETED") return decided(request, undefined);
    requireTrustEtag(request.options, collection);
    const landed = await tx.row(
      "select 1 from published_parts where collection_id = :id and incarnation = :incarnation limit 1",
      { id: collection.id, incarnation: collection.incarnation },
    );
    if (landed !== undefined) {
      throw new Fault("TRUST_PUBLISHED", `Trust for ${request.gun} is live on Notary and cannot be deleted yet.`, {
        metadata: { gun: request.gun },
      });
    }
    const parts = { append: room.changing.append, now: room.changing.now };
    await cancelUnsent(tx, parts, collection, "the collection was deleted", call.signal);
    if ((await openUpload(tx, collection.id)) !== undefined) {
      throw new Fault(
        "TRUST_PUBLISHED",
        `The first publication of ${request.gun} was sent and may land; wait until GetTrust says what became of it.`,
        { metadata: { gun: request.gun } },
      );
    }
    // What was refused may land for all we know; it would be foreign to the next life.
    for (const upload of await rejectedUploads(tx, collection.id, collection.incarnation)) {
      await endUpload(tx, parts, collection, upload, "LOST", "the collection was deleted", call.signal);
    }
    await supersedeBatchItems(tx, { guns: [collection.gun], team: undefined }, now);
    await endDelegations(tx, collection.id, collection.generation + 1n, now);
    await markDeleted(tx, collection.id, now);
    return decided(request, collection);
  });
}

/** `before` is undefined where the collection was given up already. */
function decided(request: DeleteTrust, before: Collection | undefined): Decision {
  const record: RecordDraft = {
    eventType: "trust.deleted.v1",
    stage: "RESULT",
    severity: "NOTICE",
    subject: { type: "gun", id: request.gun },
    about: [],
    result: "OK",
    resultReason: "",
    gun: request.gun,
    change: {
      before: before === undefined ? null : recordedTrust(before),
      after: null,
      diff: before === undefined ? [] : [`trust for ${request.gun} is given up; nothing had landed`],
    },
    publication: undefined,
  };
  return {
    plan: quietPlan(
      before === undefined ? "Deleted already." : `Give up trust for ${request.gun}; nothing of it is on Notary.`,
    ),
    changed: before !== undefined,
    commitment: nothingToPublish,
    resource: request.gun,
    record,
  };
}
