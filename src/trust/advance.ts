import { parseRoot } from "../tuf/envelope.ts";
import { backOff } from "./back-off.ts";
import { block, cancelUnsent, unblock } from "./block.ts";
import { type Collection, findCollectionById, lockCollection } from "./collection-store.ts";
import { closeOn, type Delivered, delayOf, deliver } from "./deliver.ts";
import { look } from "./look.ts";
import { prepare } from "./prepare.ts";
import { provisionKeys } from "./provision.ts";
import { newestParts } from "./published-store.ts";
import type { PublisherRoom } from "./publisher-room.ts";
import { observe } from "./readback.ts";
import { signUpload } from "./sign-upload.ts";
import { armUpload, claimUpload, openUpload, rejectedUploads, type Upload, uploadParts } from "./upload-store.ts";

/** Which collections this process has walked in full; a hint that saves reads, forgotten at a restart of either side. */
export type Walked = Set<bigint>;

/** What became of one turn at a collection: it is at rest, or it may have more to do at once, or it waits for its back-off. */
export type Turn = "REST" | "MORE" | "LATER";

/** Takes the next publication of a collection as far as it goes: one upload from look to close, or what an earlier one left over. */
export async function advance(room: PublisherRoom, walked: Walked, id: bigint, signal: AbortSignal): Promise<Turn> {
  const collection = await findCollectionById(room.database, id);
  if (collection === undefined || collection.state !== "ACTIVE") return "REST";
  if (collection.nextAttemptAt !== null && collection.nextAttemptAt > new Date()) return "LATER";
  try {
    const upload = await openUpload(room.database, id);
    if (upload !== undefined) return await resume(room, walked, collection, upload, signal);
    if (collection.blockReason !== null) return await lookAgain(room, walked, collection, signal);
    return await publish(room, walked, collection, signal);
  } catch (error) {
    const delay = delayOf(error);
    if (delay === undefined || signal.aborted) throw error;
    await backOff(room, collection, delay, (error as Error).message);
    return "LATER";
  }
}

/** A new publication: look, prepare, sign, arm, send, observe, close. */
async function publish(
  room: PublisherRoom,
  walked: Walked,
  collection: Collection,
  signal: AbortSignal,
): Promise<Turn> {
  await settleRejected(room, collection, signal);
  if (!(await lookFirst(room, walked, collection, signal))) return "LATER";
  await room.atStep("looked", collection.id);
  await provisionKeys(room, collection, signal);
  const prepared = await prepare(room, collection.id, signal);
  switch (prepared.kind) {
    case "NOTHING":
      return "REST";
    case "NO_CHANGE":
      room.signals.notify(collection.id);
      return "REST";
    case "REJECTED_BEFORE":
      await block(room, collection.id, "REJECTED", rejectedBefore(collection), signal);
      return "LATER";
    case "PREPARED":
      await room.atStep("prepared", collection.id);
      return await carry(room, walked, collection, prepared.upload, signal);
  }
}

function rejectedBefore(collection: Collection): string {
  return `Notary refused the same content of ${collection.gun} before. Change what is delegated, or let an operator look at it.`;
}

/** Looks before anything is prepared; blocks and answers false on anything but benign. */
async function lookFirst(
  room: PublisherRoom,
  walked: Walked,
  collection: Collection,
  signal: AbortSignal,
): Promise<boolean> {
  const depth = walked.has(collection.id) ? "CHEAP" : "FULL";
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

async function noteVerified(room: PublisherRoom, id: bigint): Promise<void> {
  await room.database.run("update collections set verified_at = :now where id = :id", { id, now: room.now() });
}

/** What is left of an upload: its owner died, or it waited for its back-off. */
async function resume(
  room: PublisherRoom,
  walked: Walked,
  collection: Collection,
  upload: Upload,
  signal: AbortSignal,
): Promise<Turn> {
  const claimed = await claimUpload(room.database, upload.id, room.owner, room.settings.claimMs);
  if (claimed === undefined) return "LATER";
  if (collection.blockReason !== null && claimed.state !== "SENT") {
    await room.database.transaction(async (tx) => {
      const locked = await lockCollection(tx, collection.id);
      if (locked !== undefined) await cancelUnsent(tx, room, locked, "the collection was blocked", signal);
    });
    return "MORE";
  }
  return await carry(room, walked, collection, claimed, signal);
}

/** From whatever state a claimed upload is in to its close, or to its next attempt. */
async function carry(
  room: PublisherRoom,
  walked: Walked,
  collection: Collection,
  upload: Upload,
  signal: AbortSignal,
): Promise<Turn> {
  let current = upload;
  if (current.state === "PREPARED") {
    if (!(await signUpload(room, collection, current, signal))) return "MORE";
    await room.atStep("signed", collection.id);
    current = { ...current, state: "READY" };
  }
  const justArmed = current.state === "READY";
  if (justArmed) {
    if (!(await armUpload(room.database, current, room.settings.claimMs, room.now()))) return "MORE";
    await room.atStep("armed", collection.id);
  }
  return turnAfter(walked, collection, await deliver(room, collection, current, justArmed, signal));
}

function turnAfter(walked: Walked, collection: Collection, delivered: Delivered): Turn {
  if (delivered === "LATER") return "LATER";
  if (delivered === "LOST") walked.delete(collection.id);
  // A first landing proves the whole chain; later ones were looked at before they were prepared.
  if (delivered === "LANDED" && collection.rootVersion === 0) walked.add(collection.id);
  return "MORE";
}

/** Refused uploads whose slots have decided after all, before anything new is computed. */
async function settleRejected(room: PublisherRoom, collection: Collection, signal: AbortSignal): Promise<void> {
  for (const upload of await rejectedUploads(room.database, collection.id, collection.incarnation)) {
    const parts = await uploadParts(room.database, upload.id);
    const own = parts.find((part) => part.role === "root")?.envelope;
    const root = own ?? (await newestParts(room.database, collection.id, collection.incarnation)).root?.bytes;
    if (root === undefined) continue;
    const server = room.notaries.byName(collection.notary);
    const observation = await observe(server, collection.gun, upload, parts, parseRoot(root).content, signal);
    await closeOn(room, collection, upload, parts, observation, signal);
  }
}

/** Blocks that no look at Notary ends: a person decides, or a correction. */
const lasting: ReadonlySet<string> = new Set(["DATABASE_BEHIND", "SNAPSHOT_WEDGED", "UNREADABLE"]);

/** A blocked collection leaves by itself when Notary shows again what we published; a refused one when its content differs. */
async function lookAgain(
  room: PublisherRoom,
  walked: Walked,
  collection: Collection,
  signal: AbortSignal,
): Promise<Turn> {
  walked.delete(collection.id);
  const wait = async (why: string): Promise<Turn> => {
    await backOff(room, collection, "BACK_OFF", why);
    return "LATER";
  };
  if (collection.blockReason === "REJECTED") await settleRejected(room, collection, signal);
  const fault = await look(room, collection, "FULL", signal);
  if (fault !== undefined) {
    await block(room, collection.id, fault.kind, fault.detail, signal);
    return await wait(fault.detail);
  }
  if (collection.blockReason !== null && lasting.has(collection.blockReason))
    return await wait(collection.blockDetail ?? "");
  if (collection.blockReason === "REJECTED" && !(await hasNewContent(room, collection))) {
    return await wait(collection.blockDetail ?? "");
  }
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
       and not exists (select from uploads later where later.collection_id = u.collection_id and later.id > u.id) limit 1`,
    { id: collection.id },
  );
  return row !== undefined;
}

/** Walks a collection from timestamp.json and blocks it on anything but benign. */
export async function patrol(room: PublisherRoom, walked: Walked, id: bigint, signal: AbortSignal): Promise<void> {
  const collection = await findCollectionById(room.database, id);
  if (collection === undefined || collection.state !== "ACTIVE" || collection.blockReason !== null) return;
  if ((await openUpload(room.database, id)) !== undefined) return;
  walked.delete(id);
  await lookFirst(room, walked, collection, signal);
}
