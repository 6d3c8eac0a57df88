import type { Collection } from "../collection-store.ts";
import { type CollectionKey, collectionKeys } from "../key-store.ts";
import { newestParts } from "../published-store.ts";
import { closeOn, type Delivered, deliver, rootOf } from "./deliver.ts";
import type { PublisherRoom } from "./publisher-room.ts";
import { type Observation, observe } from "./readback.ts";
import { signUpload } from "./sign-upload.ts";
import {
  armUpload,
  type HeldDelegation,
  rejectedUploads,
  type SignedPart,
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

/** Reads back what became of a sent upload, and closes it where that decides. */
export async function settle(
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
export interface Load {
  readonly parts: readonly UploadPart[];
  readonly basis: {
    readonly root: { readonly bytes: Buffer } | undefined;
    readonly desired: { readonly delegations: readonly HeldDelegation[] };
    readonly keys: readonly CollectionKey[];
  };
}

export async function loadOf(room: PublisherRoom, collection: Collection, upload: Upload): Promise<Load> {
  const [parts, delegations, keys, { root }] = await Promise.all([
    uploadParts(room.database, upload.id),
    uploadDelegations(room.database, upload.id),
    collectionKeys(room.database, collection.id, upload.incarnation),
    newestParts(room.database, collection.id, upload.incarnation),
  ]);
  return { parts, basis: { root, desired: { delegations }, keys } };
}

/** From whatever state a claimed upload is in to its close, or to its next attempt. */
export async function carry(
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

export function turnAfter(walked: Walked, collection: Collection, delivered: Delivered): Turn {
  if (delivered === "LATER") return "LATER";
  if (delivered === "LOST") walked.delete(collection.id);
  // A first landing proves the whole chain; later ones were looked at before they were prepared.
  if (delivered.startsWith("LANDED") && collection.rootVersion === 0) walked.add(collection.id);
  return delivered === "LANDED" ? "REST" : "MORE";
}

/** Closes refused uploads whose slots have decided after all; whether any of them landed. */
export async function settleRejected(
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
