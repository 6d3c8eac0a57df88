import type { Transaction } from "../../database.ts";
import type { RoleName } from "../../names.ts";
import { parseTargets } from "../../tuf/envelope.ts";
import { type FileFate, fateOfFile, grantOf, outlivingTags, type RoleGrant } from "../../tuf/file-fate.ts";
import { tufKeyIdOf } from "../../tuf/key.ts";
import type { TargetsContent } from "../../tuf/payload.ts";
import type { Collection } from "../collection-store.ts";
import { introductionsBy } from "../guards/introductions-store.ts";
import { contentOf, type FollowedStep, type LandedTargets } from "./follow-reading.ts";
import { type FollowedTip, ownTargets, ownUploadOf } from "./followed-store.ts";
import { type FollowerRoom, followerCall } from "./follower-room.ts";
import { keptFile, markValid } from "./kept-file-store.ts";
import { type FateEvent, fateRecords } from "./signature-record.ts";
import { replaceSignatures } from "./signature-store.ts";
import { holdersOf, whoIsBehind } from "./who-is-behind.ts";

/**
 * Records what a targets file of ours made of the signatures that stood on Notary when it came into force: which tags lost their only
 * valid signature, which came back, and which stay though a key that left has put them there. Nothing of an intention counts here, only
 * the file that was in force before, the one that is now, and the delegation files beside it. As part of a step it is done once for
 * each landing, whoever follows. Answers what was recorded.
 */
export async function recordLanding(
  room: FollowerRoom,
  tx: Transaction,
  collection: Collection,
  from: FollowedTip | undefined,
  { landed, tip }: FollowedStep,
  now: Date,
  signal: AbortSignal,
): Promise<readonly Told[]> {
  if (landed === undefined || from?.targets == null || tip.targets === null) return [];
  const bytes = await ownTargets(tx, collection, from.targets);
  if (bytes === undefined) return [];
  const fates = await fatesOf(tx, collection, parseTargets(bytes).content, landed);
  if (fates.length === 0) return [];
  const leaving = [...new Set(fates.flatMap(({ fate }) => fate.leaving.map(tufKeyIdOf)))];
  const introduced = (await introductionsBy(tx, [collection.id], leaving)).get(collection.id);
  const uploadId = (await ownUploadOf(tx, collection, tip.targets)) ?? "";
  const told: Told[] = [];
  for (const { role, sha256, fate } of fates) {
    if (fate.revived.length > 0) await showRevived(tx, collection, role, sha256, fate, now);
    const cause = {
      targetsVersion: landed.content.version,
      uploadId,
      keysRemoved: await holdersOf(tx, fate.leaving),
      keysAdded: await holdersOf(tx, fate.joining),
    };
    const events: readonly (readonly [FateEvent, readonly string[]])[] = [
      ["orphaned", fate.orphaned],
      ["revived", fate.revived],
      ["survived", outlivingTags(fate, introduced?.get(role) ?? new Map())],
    ];
    for (const [event, tags] of events) {
      if (tags.length === 0) continue;
      const signers = event === "orphaned" ? fate.signedBefore : fate.signedAfter;
      const behind = await whoIsBehind(tx, collection, role, signers);
      const file = { gun: collection.gun, role, version: fate.version, sha256, ...behind };
      const wanted = new Set(tags);
      const content = contentOf(fate.targets).filter(({ tag }) => wanted.has(tag));
      for (const record of fateRecords(file, event, content, cause)) {
        await room.append(tx, followerCall(signal), record, now);
      }
      told.push({ event, tags: content.length });
    }
  }
  return told;
}

/** So many tags of a file. */
interface Told {
  readonly event: FateEvent;
  readonly tags: number;
}

interface RoleFate {
  readonly role: RoleName;
  /** Hex. */
  readonly sha256: string;
  readonly fate: FileFate;
}

/** What became of the files of the roles that differ between two targets files, by role, ascending. */
async function fatesOf(
  tx: Transaction,
  collection: Collection,
  before: TargetsContent,
  { content, named }: LandedTargets,
): Promise<readonly RoleFate[]> {
  const fates: RoleFate[] = [];
  for (const [role, sha256] of [...named].sort(([one], [other]) => (one < other ? -1 : 1))) {
    const [was, is] = [grantOf(before, role), grantOf(content, role)];
    if (isSame(was, is)) continue;
    const file = await keptFile(tx, collection, role, sha256);
    const fate = file === undefined ? undefined : fateOfFile(file.bytes, was, is);
    if (fate !== undefined) fates.push({ role, sha256, fate });
  }
  return fates;
}

function isSame(one: RoleGrant | undefined, other: RoleGrant | undefined): boolean {
  const text = (grant: RoleGrant | undefined) =>
    grant && JSON.stringify([grant.threshold, [...grant.paths].sort(), grant.keys.map(tufKeyIdOf).sort()]);
  return text(one) === text(other);
}

/** A file that was not valid when it was kept says from now on what its role holds, where it is the newest. */
async function showRevived(
  tx: Transaction,
  collection: Collection,
  role: RoleName,
  sha256: string,
  fate: FileFate,
  now: Date,
): Promise<void> {
  const id = await markValid(tx, collection, { role, sha256, version: fate.version }, fate.signedAfter.map(tufKeyIdOf));
  if (id !== undefined) await replaceSignatures(tx, collection, { id, role, content: contentOf(fate.targets) }, now);
}
