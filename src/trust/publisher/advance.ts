import { SpanStatusCode, trace } from "@opentelemetry/api";
import { type Collection, findCollectionStanding, lockCollection } from "../collection-store.ts";
import type { Standing } from "../standing.ts";
import { backOff } from "./back-off.ts";
import { block, cancelUnsent, unblock } from "./block.ts";
import { carry, loadOf, settle, settleRejected, type Turn, turnAfter, type Walked } from "./carry.ts";
import { delayOf } from "./deliver.ts";
import { look } from "./look.ts";
import { type Prepared, prepare } from "./prepare.ts";
import { provisionKeys } from "./provision.ts";
import type { PublisherRoom } from "./publisher-room.ts";
import { claimUpload, openUpload, type Upload } from "./upload-store.ts";

/** Takes the next publication of a collection as far as it goes: one upload from look to close, or what an earlier one left over. */
export async function advance(room: PublisherRoom, walked: Walked, id: bigint, signal: AbortSignal): Promise<Turn> {
  return await tracer.startActiveSpan("publisher.advance", async (span) => {
    try {
      return await takeTurn(room, walked, id, signal);
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      span.end();
    }
  });
}

const tracer = trace.getTracer("imagetrust");

async function takeTurn(room: PublisherRoom, walked: Walked, id: bigint, signal: AbortSignal): Promise<Turn> {
  const collection = await findCollectionStanding(room.database, id);
  if (collection === undefined || collection.state !== "ACTIVE") return "REST";
  if (collection.isWaiting) return "LATER";
  try {
    if (collection.hasOpenUpload) return await resume(room, walked, collection, signal);
    if (collection.blockReason !== null) return await lookAgain(room, walked, collection, signal);
    return await publish(room, walked, collection, signal);
  } catch (error) {
    const delay = delayOf(error);
    if (delay === undefined || signal.aborted) throw error;
    await backOff(room, collection.id, delay, (error as Error).message);
    return "LATER";
  }
}

/** A new publication: look, prepare, sign, arm, send, observe, close. */
async function publish(
  room: PublisherRoom,
  walked: Walked,
  collection: Collection & Standing,
  signal: AbortSignal,
): Promise<Turn> {
  // What has landed after all is read anew before anything is computed from it.
  if (collection.hasRejectedUpload && (await settleRejected(room, walked, collection, signal))) return "MORE";
  if (!(await lookFirst(room, walked, collection, signal))) return "LATER";
  await room.atStep("looked", collection.id);
  const prepared = await prepareWithKeys(room, collection, signal);
  switch (prepared.kind) {
    case "NO_KEYS":
    case "NOTHING":
      return "REST";
    case "NO_CHANGE":
      room.metrics.ended("no_change");
      room.signals.notify(collection.id);
      return "REST";
    case "REJECTED_BEFORE":
      await block(room, collection.id, "REJECTED", rejectedBefore(collection), signal);
      return "LATER";
    case "PREPARED":
      await room.atStep("prepared", collection.id);
      return await carry(room, walked, collection, prepared.upload, prepared, signal);
  }
}

/** Prepares, making the collection's keys first where it has none yet. */
async function prepareWithKeys(room: PublisherRoom, collection: Collection, signal: AbortSignal): Promise<Prepared> {
  if (collection.rootVersion > 0) return await prepare(room, collection, signal);
  await provisionKeys(room, collection, signal);
  return await prepare(room, collection, signal);
}

function rejectedBefore(collection: Collection): string {
  return `Notary refused the same content of ${collection.gun} before. Change what is delegated, or let an operator look at it.`;
}

/** Looks before anything is prepared; blocks and answers false on anything but benign. */
async function lookFirst(
  room: PublisherRoom,
  walked: Walked,
  collection: Collection & Standing,
  signal: AbortSignal,
): Promise<boolean> {
  const depth = walked.has(collection.id) && !endsSoon(collection.timestampEndsAt, room.now()) ? "CHEAP" : "FULL";
  const fault = await look(room, collection, depth, signal);
  if (fault !== undefined) {
    walked.delete(collection.id);
    await block(room, collection.id, fault.kind, fault.detail, signal);
    return false;
  }
  if (depth === "FULL" && collection.rootVersion > 0) {
    walked.add(collection.id);
    await noteVerified(room, collection.id);
  }
  return true;
}

/** A timestamp that Notary is about to renew is read first, through the queue: an upload must not race with its renewal. */
function endsSoon(timestampEndsAt: Date | null, now: Date): boolean {
  return timestampEndsAt !== null && timestampEndsAt.getTime() < now.getTime() + 60_000;
}

/** Whoever waited because Notary could not be reached need not wait any longer. */
async function noteVerified(room: PublisherRoom, id: bigint): Promise<void> {
  const reached = "pending_reason is not distinct from 'NOTARY_UNREACHABLE'";
  await room.database.run(
    `update collections set verified_at = :now, attempts = case when ${reached} then 0 else attempts end,
       next_attempt_at = case when ${reached} then '-infinity' else next_attempt_at end,
       last_answer = case when ${reached} then null else last_answer end,
       pending_reason = nullif(pending_reason, 'NOTARY_UNREACHABLE') where id = :id`,
    { id, now: room.now() },
  );
}

/** What is left of an upload: its owner died, or it waited for its back-off. */
async function resume(room: PublisherRoom, walked: Walked, collection: Collection, signal: AbortSignal): Promise<Turn> {
  const upload = await openUpload(room.database, collection.id);
  if (upload === undefined) return "MORE";
  const claimed = await claimUpload(room.database, upload.id, room.owner, room.settings.claimMs);
  if (claimed === undefined) return "LATER";
  if (collection.blockReason === null)
    return await carry(room, walked, collection, claimed, await loadOf(room, collection, claimed), signal);
  if (claimed.state === "SENT") return await watch(room, walked, collection, claimed, signal);
  await room.database.transaction(async (tx) => {
    const locked = await lockCollection(tx, collection.id);
    if (locked !== undefined) await cancelUnsent(tx, room, locked, "the collection was blocked", signal);
  });
  return "MORE";
}

/** What a blocked collection had sent already: it is observed, and not sent again before the block has ended. */
async function watch(
  room: PublisherRoom,
  walked: Walked,
  collection: Collection,
  upload: Upload,
  signal: AbortSignal,
): Promise<Turn> {
  const { closed, observation } = await settle(room, collection, upload, signal);
  if (closed !== undefined) return turnAfter(walked, collection, closed);
  if (!observation.orphanSnapshot) return await lookAgain(room, walked, collection, signal);
  await backOff(room, collection.id, "BACK_OFF", collection.blockDetail ?? "");
  return "LATER";
}

/** A blocked collection leaves by itself when Notary shows again what we published; a refused one when its content differs. */
async function lookAgain(
  room: PublisherRoom,
  walked: Walked,
  collection: Collection,
  signal: AbortSignal,
): Promise<Turn> {
  walked.delete(collection.id);
  const wait = async (why: string): Promise<Turn> => {
    await backOff(room, collection.id, "BACK_OFF", why);
    return "LATER";
  };
  if (collection.blockReason === "REJECTED" && (await settleRejected(room, walked, collection, signal))) return "MORE";
  const fault = await look(room, collection, "FULL", signal);
  if (fault !== undefined) {
    await block(room, collection.id, fault.kind, fault.detail, signal);
    return await wait(fault.detail);
  }
  const lasts =
    collection.blockReason === "DATABASE_BEHIND" ||
    (collection.blockReason === "REJECTED" && !(await hasNewContent(room, collection)));
  if (lasts) return await wait(collection.blockDetail ?? "");
  await noteVerified(room, collection.id);
  await unblock(room, collection.id, signal);
  return "MORE";
}

/** Whether a team of a REJECTED collection changed since; a decision about the collection itself ends its block at once. */
async function hasNewContent(room: PublisherRoom, collection: Collection): Promise<boolean> {
  const row = await room.database.row(
    `select 1 from uploads u join upload_delegations ud on ud.upload_id = u.id
       join delegations d on d.id = ud.delegation_id join teams t on t.id = d.team_id
     where u.collection_id = :id and u.state = 'REJECTED' and t.revision > ud.revision
       and not exists (select from uploads later where later.collection_id = u.collection_id and later.id > u.id
         and later.state <> 'CANCELLED') limit 1`,
    { id: collection.id },
  );
  return row !== undefined;
}

/** Walks a collection from timestamp.json and blocks it on anything but benign; an upload on its way is no obstacle. */
export async function patrol(room: PublisherRoom, walked: Walked, id: bigint, signal: AbortSignal): Promise<void> {
  const collection = await findCollectionStanding(room.database, id);
  if (collection === undefined || collection.state !== "ACTIVE" || collection.blockReason !== null) return;
  walked.delete(id);
  try {
    if (collection.hasRejectedUpload) await settleRejected(room, walked, collection, signal);
    await lookFirst(room, walked, collection, signal);
  } catch (error) {
    const delay = delayOf(error);
    if (delay === undefined || signal.aborted) throw error;
    await backOff(room, id, delay, (error as Error).message);
  }
}
