import { SpanStatusCode, trace } from "@opentelemetry/api";
import { backOff } from "./back-off.ts";
import { block, cancelUnsent, unblock } from "./block.ts";
import { type Collection, findCollectionStanding, lockCollection } from "./collection-store.ts";
import { closeOn, type Delivered, delayOf, deliver, rootOf } from "./deliver.ts";
import { type CollectionKey, collectionKeys } from "./key-store.ts";
import { look } from "./look.ts";
import { type Prepared, prepare } from "./prepare.ts";
import { provisionKeys } from "./provision.ts";
import { newestParts } from "./published-store.ts";
import type { PublisherRoom } from "./publisher-room.ts";
import { type Observation, observe } from "./readback.ts";
import { signUpload } from "./sign-upload.ts";
import {
  armUpload,
  claimUpload,
  type HeldDelegation,
  openUpload,
  rejectedUploads,
  type SignedPart,
  type Standing,
  signedParts,
  type Upload,
  type UploadPart,
  uploadDelegations,
  uploadParts,
} from "./upload-store.ts";

/** Which collections this process has walked in full; a hint that saves reads, forgotten at a restart of either side. */
export type Walked = Set<bigint>;

/** What became of one turn at a collection: it is at rest, or it may have more to do at once, or it waits for its back-off. */
export type Turn = "REST" | "MORE" | "LATER";

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

/** Reads back what became of a sent upload, and closes it where that decides. */
async function settle(
  room: PublisherRoom,
  collection: Collection,
  upload: Upload,
  signal: AbortSignal,
): Promise<{ readonly closed: Delivered | undefined; readonly observation: Observation }> {
  const cargo = {
    upload,
    parts: await signedParts(room.database, upload.id),
    delegations: await uploadDelegations(room.database, upload.id),
  };
  const { root } = await newestParts(room.database, collection.id, upload.incarnation);
  const server = room.notaries.byName(collection.notary);
  const judgedBy = rootOf(cargo.parts, root?.bytes);
  const observation = await observe(server, collection.gun, upload, cargo.parts, judgedBy, signal);
  return { observation, closed: await closeOn(room, collection, cargo, observation, signal) };
}

/** What carrying an upload takes, besides its row. */
interface Load {
  readonly parts: readonly UploadPart[];
  readonly basis: {
    readonly root: { readonly bytes: Buffer } | undefined;
    readonly desired: { readonly delegations: readonly HeldDelegation[] };
    readonly keys: readonly CollectionKey[];
  };
}

async function loadOf(room: PublisherRoom, collection: Collection, upload: Upload): Promise<Load> {
  const [parts, delegations, keys, { root }] = await Promise.all([
    uploadParts(room.database, upload.id),
    uploadDelegations(room.database, upload.id),
    collectionKeys(room.database, collection.id, upload.incarnation),
    newestParts(room.database, collection.id, upload.incarnation),
  ]);
  return { parts, basis: { root, desired: { delegations }, keys } };
}

/** From whatever state a claimed upload is in to its close, or to its next attempt. */
async function carry(
  room: PublisherRoom,
  walked: Walked,
  collection: Collection,
  upload: Upload,
  { parts, basis }: Load,
  signal: AbortSignal,
): Promise<Turn> {
  let signed: readonly SignedPart[] | undefined;
  if (upload.state === "PREPARED") {
    signed = await signUpload(room, collection, upload, parts, basis.keys, signal);
    if (signed === undefined) return "MORE";
    await room.atStep("signed", collection.id);
  }
  const justArmed = upload.state !== "SENT";
  if (justArmed) {
    if (!(await armUpload(room.database, upload, room.settings.claimMs, room.now()))) return "MORE";
    await room.atStep("armed", collection.id);
  }
  const cargo = {
    upload,
    parts: signed ?? (await signedParts(room.database, upload.id)),
    delegations: basis.desired.delegations,
  };
  const delivered = await deliver(room, collection, cargo, basis.root?.bytes, justArmed, signal);
  return turnAfter(walked, collection, delivered);
}

function turnAfter(walked: Walked, collection: Collection, delivered: Delivered): Turn {
  if (delivered === "LATER") return "LATER";
  if (delivered === "LOST") walked.delete(collection.id);
  // A first landing proves the whole chain; later ones were looked at before they were prepared.
  if (delivered.startsWith("LANDED") && collection.rootVersion === 0) walked.add(collection.id);
  return delivered === "LANDED" ? "REST" : "MORE";
}

/** Closes refused uploads whose slots have decided after all; whether any of them landed. */
async function settleRejected(
  room: PublisherRoom,
  walked: Walked,
  collection: Collection,
  signal: AbortSignal,
): Promise<boolean> {
  let landed = false;
  for (const upload of await rejectedUploads(room.database, collection.id, collection.incarnation)) {
    const { closed } = await settle(room, collection, upload, signal);
    if (closed === "LOST") walked.delete(collection.id);
    landed ||= closed?.startsWith("LANDED") === true;
  }
  return landed;
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
