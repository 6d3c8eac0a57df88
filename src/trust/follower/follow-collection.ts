import type { Transaction } from "../../database.ts";
import { tufKeyIdOf } from "../../tuf/key.ts";
import { type Collection, findCollectionById } from "../collection-store.ts";
import { sha256Of } from "../newest-files.ts";
import { contentOf, type FollowedStep, type Place, readStep, type ShownFile } from "./follow-reading.ts";
import { type FollowedTip, followedTip, keepFile, moveTip } from "./followed-store.ts";
import { type FollowerRoom, followerCall } from "./follower-room.ts";
import { recordLanding } from "./landing.ts";
import { signatureRecords } from "./signature-record.ts";
import { replaceSignatures, type SignatureChange } from "./signature-store.ts";
import { whoIsBehind } from "./who-is-behind.ts";

/** A collection with a longer past than this is followed from its present on. */
const longestPast = 256;

/**
 * Keeps what Notary published of a collection, timestamp by timestamp, up to the one given, with a record of every signature that came
 * or went. Any number of followers may do this at once: each step is taken by one of them.
 */
export async function followCollection(
  room: FollowerRoom,
  id: bigint,
  upTo: number,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const collection = await findCollectionById(room.database, id);
    if (collection === undefined || collection.state !== "ACTIVE") return;
    const last = await followedTip(room.database, collection);
    if (upTo <= (last?.timestamp ?? 0)) return;
    const at = last === undefined ? beginningOf(upTo) : { ...last, followed: last.timestamp };
    const step = await readStep(room, collection, at, signal);
    if (step === undefined) return;
    await takeStep(room, collection, last, step, signal);
  }
}

function beginningOf(upTo: number): Place {
  const before = upTo > longestPast ? upTo - 1 : 0;
  return { timestamp: before, snapshot: before, targets: null, followed: 0 };
}

/** What is kept and the records of it, in one transaction; nothing where another follower was faster. */
async function takeStep(
  room: FollowerRoom,
  collection: Collection,
  from: FollowedTip | undefined,
  step: FollowedStep,
  signal: AbortSignal,
): Promise<void> {
  const now = room.now();
  const { changes, told } = await room.database.transaction(async (tx) => {
    if (!(await moveTip(tx, collection, from, step.tip, now))) return { changes: [], told: [] };
    const changes: SignatureChange[] = [];
    for (const file of step.files) changes.push(...(await takeFile(room, tx, collection, file, step.tip, now, signal)));
    const told = await recordLanding(room, tx, collection, from, step, now, signal);
    return { changes, told };
  });
  for (const { added, removed } of changes) {
    room.metrics.changed("added", added.length);
    room.metrics.changed("removed", removed.length);
  }
  for (const { event, tags } of told) room.metrics.changed(event, tags);
  if (changes.length > 0 || told.length > 0) room.recorded();
}

/** Keeps a file; only a valid one above the newest so far says what its role holds. */
async function takeFile(
  room: FollowerRoom,
  tx: Transaction,
  collection: Collection,
  { role, bytes, judged }: ShownFile,
  tip: FollowedTip,
  now: Date,
  signal: AbortSignal,
): Promise<readonly SignatureChange[]> {
  const version = judged?.version ?? 0;
  const isValid = judged?.isValid ?? false;
  const signedBy = (judged?.signedBy ?? []).map(tufKeyIdOf);
  const claimedBy = judged?.claimedBy ?? [];
  const file = { role, version, bytes, isValid, signedBy, claimedBy, timestampVersion: tip.timestamp };
  const kept = await keepFile(tx, collection, file, now);
  if (kept === undefined) return [];
  room.metrics.kept(isValid);
  if (judged === undefined || !isValid || version <= kept.newest) {
    const detail = isValid ? `Version ${version} after ${kept.newest}.` : "Not validly signed by the keys of its role.";
    room.log.warn({ gun: collection.gun, role, state: "SUSPECT", detail }, "odd delegation file");
    return [];
  }
  const change = await replaceSignatures(
    tx,
    collection,
    { id: kept.id, role, content: contentOf(judged.targets) },
    now,
  );
  const behind = await whoIsBehind(tx, collection, role, judged.signedBy);
  const telling = { gun: collection.gun, role, version, sha256: sha256Of(bytes), ...behind };
  for (const record of signatureRecords(telling, change)) await room.append(tx, followerCall(signal), record, now);
  return [change];
}
