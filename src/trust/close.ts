import { createHash } from "node:crypto";
import type { Transaction } from "../database.ts";
import type { RoleName } from "../names.ts";
import { parseTargets } from "../tuf/envelope.ts";
import { canonicalKeyIdOf, tufKeyIdOf } from "../tuf/key.ts";
import { type Collection, lockCollection } from "./collection-store.ts";
import type { Tip } from "./newest-files.ts";
import { renewalOf } from "./prepare.ts";
import { publicationRecord, recordedUpload } from "./publication-record.ts";
import { insertPublishedPart, newestParts, rememberSeen } from "./published-store.ts";
import { type PublisherRoom, publisherCall } from "./publisher-room.ts";
import { closeUpload, type Upload, type UploadPart, uploadDelegations } from "./upload-store.ts";

/**
 * Closes an upload as LANDED, on the evidence of a read-back: its files are published, its decisions live. Any replica may do it.
 * An older upload that turns out landed after its correction changes only its own row and the published files.
 * Answers false when it was closed before.
 */
export async function closeLanded(
  room: PublisherRoom,
  upload: Upload,
  parts: readonly UploadPart[],
  landed: { readonly tip: Tip; readonly imported: ReadonlyMap<RoleName, Buffer> },
  signal: AbortSignal,
): Promise<boolean> {
  const closed = await room.database.transaction(async (tx) => {
    const collection = await lockCollection(tx, upload.collectionId);
    if (collection === undefined) return false;
    const now = room.now();
    if (!(await closeUpload(tx, upload.id, "LANDED", ["SENT", "REJECTED"], now))) return false;
    const stored = parts.map((part) => withBytes(part, landed.imported.get(part.role)));
    for (const part of stored) {
      await insertPublishedPart(tx, { ...part, ...idsOf(upload), landedAt: now });
    }
    const tip = [landed.tip.timestamp, landed.tip.snapshot];
    const digested = tip.map((file) => ({ ...file, sha256: createHash("sha256").update(file.bytes).digest() }));
    await rememberSeen(tx, collection.id, upload.incarnation, digested, now);
    const delegations = await uploadDelegations(tx, upload.id);
    const recorded = recordedUpload(upload, stored.map(asUploadPart), delegations);
    const imported = landed.imported.size > 0 ? "signed before a failover and imported" : "";
    await room.append(
      tx,
      publisherCall("close", signal),
      publicationRecord(collection.gun, "landed", recorded, imported),
      now,
    );
    await advanceCollection(tx, room, collection, upload, stored, now);
    return true;
  });
  if (closed) room.signals.notify(upload.collectionId);
  return closed;
}

interface StoredPart {
  readonly part: UploadPart;
  readonly role: RoleName;
  readonly version: number;
  readonly bytes: Buffer;
  readonly sha256: Buffer;
  readonly expiresAt: Date;
}

function withBytes(part: UploadPart, imported: Buffer | undefined): StoredPart {
  const bytes = imported ?? part.envelope;
  if (bytes === null) throw new Error("an upload without envelopes cannot have landed");
  const { role, version, expiresAt } = part;
  return { part, role, version, bytes, expiresAt, sha256: createHash("sha256").update(bytes).digest() };
}

function asUploadPart(stored: StoredPart): UploadPart {
  return { ...stored.part, envelope: stored.bytes, envelopeSha256: stored.sha256 };
}

function idsOf(upload: Upload): { collectionId: bigint; incarnation: number; uploadId: bigint } {
  return { collectionId: upload.collectionId, incarnation: upload.incarnation, uploadId: upload.id };
}

/** Brings the collection's row, its delegations and its live keys to what has landed; an older upload changes nothing here. */
async function advanceCollection(
  tx: Transaction,
  room: PublisherRoom,
  collection: Collection,
  upload: Upload,
  stored: readonly StoredPart[],
  now: Date,
): Promise<void> {
  const root = stored.find((part) => part.role === "root");
  const targets = stored.find((part) => part.role === "targets");
  const newer =
    collection.incarnation === upload.incarnation &&
    (targets?.version ?? Number.POSITIVE_INFINITY) > collection.targetsVersion &&
    (root?.version ?? Number.POSITIVE_INFINITY) > collection.rootVersion;
  if (!newer) return;
  await tx.run(
    `update collections set root_version = greatest(root_version, :rootVersion), targets_version = greatest(targets_version, :targetsVersion),
       published_generation = greatest(published_generation, :generation), published_at = :now, verified_at = :now,
       dirty_since = case when generation <= :generation then null else dirty_since end,
       attempts = 0, next_attempt_at = '-infinity', pending_reason = null, last_answer = null, renew_at = :renewAt,
       block_reason = null, block_detail = null, blocked_at = null
     where id = :id`,
    {
      id: collection.id,
      rootVersion: root?.version ?? 0,
      targetsVersion: targets?.version ?? 0,
      generation: upload.toGeneration,
      renewAt: await renewalAfter(tx, room, collection),
      now,
    },
  );
  await tx.run(
    `update delegations d set published_revision = greatest(d.published_revision, ud.revision),
       live_from = coalesce(d.live_from, greatest(:now, d.valid_from))
     from upload_delegations ud where ud.upload_id = :uploadId and ud.delegation_id = d.id`,
    { uploadId: upload.id, now },
  );
  await tx.run(
    `update delegations d set live_to = greatest(:now, d.live_from)
     where d.collection_id = :id and d.valid_to is not null and d.live_from is not null and d.live_to is null
       and not exists (select from upload_delegations ud where ud.upload_id = :uploadId and ud.delegation_id = d.id)`,
    { id: collection.id, uploadId: upload.id, now },
  );
  if (targets !== undefined) await updateLiveKeys(tx, collection.id, targets.bytes, now);
}

/** When the first of the newest files is due to be renewed; the parts just landed are stored already. */
async function renewalAfter(tx: Transaction, room: PublisherRoom, collection: Collection): Promise<Date> {
  const { root, targets } = await newestParts(tx, collection.id, collection.incarnation);
  const due = [
    root === undefined ? undefined : renewalOf(root.expiresAt, room.settings.rootLifeMs),
    targets === undefined ? undefined : renewalOf(targets.expiresAt, room.settings.targetsLifeMs),
  ].filter((at) => at !== undefined);
  return new Date(Math.min(...due.map((at) => at.getTime())));
}

/** Ends the keys that the landed targets file no longer names, and begins those it names anew. */
async function updateLiveKeys(tx: Transaction, collectionId: bigint, targets: Buffer, now: Date): Promise<void> {
  const { keys, roles } = parseTargets(targets).content;
  const canonical = new Map<string, string>(keys.map((key) => [tufKeyIdOf(key), canonicalKeyIdOf(key)]));
  const live = roles.flatMap((role) =>
    role.keyIds.map((id) => ({ role: role.name, id, canonical: canonical.get(id) ?? "" })),
  );
  const bindings = {
    collectionId,
    now,
    roles: live.map((one) => one.role),
    ids: live.map((one) => one.id),
    canonical: live.map((one) => one.canonical),
  };
  await tx.run(
    `update live_keys k set live_to = greatest(:now, k.live_from) where k.collection_id = :collectionId and k.live_to is null
       and not exists (select from unnest(cast(:roles as text[]), cast(:ids as text[])) as n(role, id)
         where n.role = k.role and n.id = k.tuf_key_id)`,
    bindings,
  );
  await tx.run(
    `insert into live_keys(collection_id, role, tuf_key_id, canonical_key_id, live_from)
     select :collectionId, n.role, n.id, n.canonical, :now
     from unnest(cast(:roles as text[]), cast(:ids as text[]), cast(:canonical as text[])) as n(role, id, canonical)
     on conflict (collection_id, role, tuf_key_id) where live_to is null do nothing`,
    bindings,
  );
}

/** Closes an upload as LOST or REJECTED, with its record; false when it was closed before. */
export async function closeUnlanded(
  room: PublisherRoom,
  upload: Upload,
  parts: readonly UploadPart[],
  to: "LOST" | "REJECTED",
  detail: string,
  signal: AbortSignal,
): Promise<boolean> {
  return await room.database.transaction(async (tx) => {
    const collection = await lockCollection(tx, upload.collectionId);
    if (collection === undefined) return false;
    const now = room.now();
    if (!(await closeUpload(tx, upload.id, to, to === "LOST" ? ["SENT", "REJECTED"] : ["SENT"], now))) return false;
    const recorded = recordedUpload(upload, parts, await uploadDelegations(tx, upload.id));
    const event = to === "LOST" ? "lost" : "rejected";
    await room.append(
      tx,
      publisherCall("close", signal),
      publicationRecord(collection.gun, event, recorded, detail),
      now,
    );
    return true;
  });
}
