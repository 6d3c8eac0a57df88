import type { Call } from "../audit/call.ts";
import type { Queryable, Transaction } from "../database.ts";
import { Fault } from "../errors.ts";
import type { Commitment } from "./outcome.ts";

/** A change already made under the same request_id. */
export interface EarlierRequest {
  /** What the change made or touched, in the words of the use case that made it. */
  readonly resource: string;
  readonly commitment: Commitment;
}

interface Row {
  readonly request_sha256: Buffer;
  readonly resource: string;
  readonly rollout_id: string | null;
  readonly collection_id: bigint | null;
  readonly generation: bigint | null;
}

/**
 * Claims the call's request_id inside the change's transaction. A second claim waits for the first one's commit, then finds it.
 * Answers the earlier change, or undefined when this is the first; refuses a request_id that came with another body.
 */
export async function claimRequest(tx: Transaction, call: Call, now: Date): Promise<EarlierRequest | undefined> {
  const claimed = await tx.run(
    `insert into requests(actor, method, request_id, request_sha256, created_at)
     values (:actor, :method, :requestId, :sha256, :now) on conflict do nothing`,
    { ...keyOf(call), sha256: Buffer.from(call.requestDigest, "hex"), now },
  );
  return claimed === 1 ? undefined : await findRequest(tx, call);
}

/** The change already made under this call's request_id, if it was committed. */
export async function findRequest(db: Queryable, call: Call): Promise<EarlierRequest | undefined> {
  const row = await db.row<Row>(
    `select request_sha256, resource, rollout_id, collection_id, generation from requests
     where actor = :actor and method = :method and request_id = :requestId`,
    keyOf(call),
  );
  if (row === undefined) return undefined;
  if (row.request_sha256.toString("hex") !== call.requestDigest) {
    throw new Fault(
      "REQUEST_ID_REUSED",
      "This request_id was used for a different request within the last 7 days; choose a new one.",
      { metadata: { request_id: call.requestId } },
    );
  }
  const collection =
    row.collection_id === null || row.generation === null
      ? undefined
      : { id: row.collection_id, generation: row.generation };
  return { resource: row.resource, commitment: { collection, rolloutId: row.rollout_id ?? undefined } };
}

/** Completes the claim with what the change led to, in the same transaction. */
export async function settleRequest(tx: Transaction, call: Call, settled: EarlierRequest): Promise<void> {
  await tx.run(
    `update requests set resource = :resource, rollout_id = :rolloutId, collection_id = :collectionId, generation = :generation
     where actor = :actor and method = :method and request_id = :requestId`,
    {
      ...keyOf(call),
      resource: settled.resource,
      rolloutId: settled.commitment.rolloutId ?? null,
      collectionId: settled.commitment.collection?.id ?? null,
      generation: settled.commitment.collection?.generation ?? null,
    },
  );
}

/** Forgets requests older than 7 days; answers how many. */
export function forgetRequests(db: Queryable, now: Date): Promise<number> {
  return db.run("delete from requests where created_at < :before", {
    before: new Date(now.getTime() - 7 * 86_400_000),
  });
}

function keyOf(call: Call): { actor: string; method: string; requestId: string } {
  return { actor: call.actor.id, method: call.method, requestId: call.requestId };
}
