import { Fault } from "../../errors.ts";
import type { UploadAnswer } from "../../notary/server.ts";
import { parseRoot } from "../../tuf/envelope.ts";
import type { RootContent } from "../../tuf/payload.ts";
import type { Collection } from "../collection-store.ts";
import { backOff, type Delay } from "./back-off.ts";
import { block } from "./block.ts";
import { type Cargo, closeLanded, closeUnlanded } from "./close.ts";
import { look } from "./look.ts";
import { holdsOtherServerKeys } from "./provision.ts";
import type { PublisherRoom } from "./publisher-room.ts";
import { type Observation, observe } from "./readback.ts";
import { noteAnswer, type Upload, type UploadPart } from "./upload-store.ts";

/**
 * How a delivery ended for now. LANDED_DIRTY: landed, and more was decided meanwhile. LOST asks for a full walk before anything else
 * is prepared.
 */
export type Delivered = "LANDED" | "LANDED_DIRTY" | "LOST" | "REJECTED" | "LATER";

/**
 * Sends an armed upload's stored bytes and reads back what became of them. An upload taken over from somebody who may have sent
 * it is read back first. Anybody may do this at any time: its bytes are the only bytes that upload ever had.
 */
export async function deliver(
  room: PublisherRoom,
  collection: Collection,
  cargo: Cargo,
  publishedRoot: Buffer | undefined,
  justArmed: boolean,
  signal: AbortSignal,
): Promise<Delivered> {
  const { upload, parts } = cargo;
  const root = rootOf(parts, publishedRoot);
  const server = room.notaries.byName(collection.notary);
  if (!justArmed) {
    const before = await observe(server, collection.gun, upload, parts, root, signal);
    const closed = await closeOn(room, collection, cargo, before, signal);
    if (closed !== undefined) return closed;
  }
  const files = parts.map((part) => ({ role: part.role, bytes: part.envelope }));
  const answer = await server.upload(collection.gun, files, signal);
  await room.atStep("sent", collection.id);
  const observation = await observe(server, collection.gun, upload, parts, root, signal);
  await room.atStep("observed", collection.id);
  const closed = await closeOn(room, collection, cargo, observation, signal);
  return closed ?? (await undecided(room, collection, cargo, answer, observation, signal));
}

/** The root under which an upload's snapshot and timestamp are judged: its own, else the newest published. */
export function rootOf(parts: readonly UploadPart[], publishedRoot: Buffer | undefined): RootContent {
  const bytes = parts.find((part) => part.role === "root")?.envelope ?? publishedRoot;
  if (bytes === undefined) throw new Error("a collection without a root has an upload without one");
  return parseRoot(bytes).content;
}

/** Closes the upload where the evidence decides; undefined where it does not. */
export async function closeOn(
  room: PublisherRoom,
  collection: Collection,
  cargo: Cargo,
  { evidence }: Observation,
  signal: AbortSignal,
): Promise<Delivered | undefined> {
  const { upload, parts } = cargo;
  switch (evidence.kind) {
    case "LANDED":
    case "SAME_PAYLOAD": {
      const imported = evidence.kind === "SAME_PAYLOAD" ? evidence.imported : new Map();
      const closed = await closeLanded(room, cargo, { tip: evidence.tip, imported }, signal);
      if (closed !== undefined) {
        room.metrics.ended("landed");
        room.metrics.took((room.now().getTime() - upload.createdAt.getTime()) / 1_000);
        room.log.info({ gun: collection.gun, upload: upload.id, parts: partNames(parts) }, "publication landed");
      }
      await room.atStep("closed", collection.id);
      return closed?.isDirty === false ? "LANDED" : "LANDED_DIRTY";
    }
    case "LOST":
      await closeUnlanded(room, cargo, "LOST", evidence.detail, signal);
      room.metrics.ended("lost");
      room.log.warn({ gun: collection.gun, upload: upload.id, detail: evidence.detail }, "upload lost its slot");
      // Whoever writes there may go on to: the next upload waits its turn.
      await backOff(room, collection.id, "BACK_OFF", evidence.detail);
      return "LOST";
    case "UNREADABLE":
      await block(
        room,
        collection.id,
        "UNREADABLE",
        `Notary took the files of ${collection.gun}, but ${evidence.detail}: this server writes metadata differently.`,
        signal,
      );
      return await later(room, collection, "BACK_OFF", evidence.detail);
    case "OPEN":
      return undefined;
  }
}

function partNames(parts: readonly UploadPart[]): readonly string[] {
  return parts.map((part) => `${part.version}.${part.role}`);
}

/** No evidence: the same bytes are sent again after a while, unless the answers add up to a refusal or a wedged snapshot. */
async function undecided(
  room: PublisherRoom,
  collection: Collection,
  cargo: Cargo,
  answer: UploadAnswer,
  observation: Observation,
  signal: AbortSignal,
): Promise<Delivered> {
  const { upload } = cargo;
  const text = textOf(answer);
  const refused = answer.kind === "REFUSED";
  const noted = await noteAnswer(
    room.database,
    upload.id,
    { text, refused, version: answer.kind === "VERSION" },
    room.now(),
  );
  // Somebody else found the evidence while this process waited: what it saw is out of date.
  if (noted === undefined) return "LATER";
  room.metrics.undecided(answer.kind);
  room.log.warn(
    { gun: collection.gun, upload: upload.id, answer: answer.kind, detail: text },
    "upload not yet decided",
  );
  if (refused && isRejected(room, noted)) return await reject(room, collection, cargo, text, signal);
  if (answer.kind !== "UNREACHABLE" && noted.attempts % looksAfter === 0) await lookForCause(room, collection, signal);
  if (answer.kind === "VERSION" && noted.versionAnswers >= 3 && observation.orphanSnapshot) {
    await block(
      room,
      collection.id,
      "SNAPSHOT_WEDGED",
      `Notary holds a snapshot of ${collection.gun} that no timestamp names, and takes no further upload until that is repaired.`,
      signal,
    );
  }
  if (answer.kind === "MISSING_SERVER_KEY" && collection.rootVersion === 0) {
    if (await holdsOtherServerKeys(room, collection, rootOf(cargo.parts, undefined), signal)) {
      if (await closeUnlanded(room, cargo, "REJECTED", `${text}; its keys were fetched again`, signal)) {
        room.metrics.ended("rejected");
      }
      return "REJECTED";
    }
  }
  return await later(room, collection, answer.kind === "UNREACHABLE" ? "NOTARY_UNREACHABLE" : "BACK_OFF", text);
}

/** After so many answers that decide nothing, Notary itself is looked at. */
const looksAfter = 3;

/** What Notary shows may explain why it does not take an upload: its files were taken away, or stand in the way. */
async function lookForCause(room: PublisherRoom, collection: Collection, signal: AbortSignal): Promise<void> {
  const fault = await look(room, collection, "FULL", signal);
  if (fault !== undefined) await block(room, collection.id, fault.kind, fault.detail, signal);
}

/** The same bytes refused at least three times over the set time. */
function isRejected(room: PublisherRoom, upload: Upload): boolean {
  return (
    upload.refusals >= 3 &&
    upload.firstRefusedAt !== null &&
    room.now().getTime() - upload.firstRefusedAt.getTime() >= room.settings.rejectAfterMs
  );
}

async function reject(
  room: PublisherRoom,
  collection: Collection,
  cargo: Cargo,
  text: string,
  signal: AbortSignal,
): Promise<Delivered> {
  if (!(await closeUnlanded(room, cargo, "REJECTED", text, signal))) return "LATER";
  room.metrics.ended("rejected");
  await block(
    room,
    collection.id,
    "REJECTED",
    `Notary refuses the files of ${collection.gun} (${text}). Change what is delegated, or let an operator look at it.`,
    signal,
  );
  return "REJECTED";
}

function textOf(answer: UploadAnswer): string {
  switch (answer.kind) {
    case "ACCEPTED":
      return "Notary answered 200, but the files cannot be read yet.";
    case "VERSION":
      return "Notary answered VERSION.";
    default:
      return answer.detail;
  }
}

async function later(room: PublisherRoom, collection: Collection, reason: Delay, text: string): Promise<Delivered> {
  await backOff(room, collection.id, reason, text);
  return "LATER";
}

/** What a failed read or signature means for the collection's wait. */
export function delayOf(error: unknown): Delay | undefined {
  if (!(error instanceof Fault)) return undefined;
  if (error.reason === "NOTARY_UNAVAILABLE" || error.reason === "NO_SUCH_NOTARY") return "NOTARY_UNREACHABLE";
  return error.reason === "SIGNING_UNAVAILABLE" ? "SIGNING_UNAVAILABLE" : undefined;
}
