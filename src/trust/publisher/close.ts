import { createHash } from "node:crypto";
import type { Transaction } from "../../database.ts";
import type { RoleName } from "../../names.ts";
import { type Collection, lockCollection } from "../collection-store.ts";
import type { Tip } from "../newest-files.ts";
import { insertPublishedParts, rememberSeen } from "../published-store.ts";
import { concernsUploadOnly, endBlock } from "./block.ts";
import { endUpload } from "./end-upload.ts";
import { updateLiveRights } from "./live-rights.ts";
import { publicationRecord, recordedUpload } from "./publication-record.ts";
import { type PublisherRoom, publisherCall } from "./publisher-room.ts";
import { closeUpload, type HeldDelegation, type SignedPart, type Upload } from "./upload-store.ts";

/** An upload with its bytes and the delegations they hold, on its way. */
export interface Cargo {
  readonly upload: Upload;
  readonly parts: readonly SignedPart[];
  readonly delegations: readonly HeldDelegation[];
}

/**
 * Closes an upload as LANDED, on the evidence of a read-back: its files are published, its decisions live. Any replica may do it.
 * An older upload that turns out landed after its correction changes only its own row and the published files.
 * Undefined when it was closed before; else whether the collection has more to publish.
 */
export async function closeLanded(
  room: PublisherRoom,
  cargo: Cargo,
  landed: { readonly tip: Tip; readonly imported: ReadonlyMap<RoleName, Buffer> },
  signal: AbortSignal,
): Promise<{ readonly isDirty: boolean } | undefined> {
  const { upload } = cargo;
  const closed = await room.database.transaction(async (tx) => {
    const now = room.now();
    const [collection, isOurs] = await Promise.all([
      lockCollection(tx, upload.collectionId),
      closeUpload(tx, upload.id, "LANDED", ["SENT", "REJECTED"], now),
    ]);
    if (collection === undefined || !isOurs) return undefined;
    const parts = cargo.parts.map((part) => withImported(part, landed.imported.get(part.role)));
    const files = parts.map((part) => ({ ...part, bytes: part.envelope, sha256: part.envelopeSha256 }));
    const of = { collectionId: collection.id, incarnation: upload.incarnation, uploadId: upload.id };
    const imported = landed.imported.size > 0 ? "signed before a failover and imported" : "";
    const record = publicationRecord(
      collection.gun,
      "landed",
      recordedUpload(upload, parts, cargo.delegations),
      imported,
    );
    const [, , isDirty] = await Promise.all([
      insertPublishedParts(tx, of, files, now),
      rememberSeen(tx, collection.id, upload.incarnation, [landed.tip.timestamp, landed.tip.snapshot], now),
      advanceCollection(tx, room, collection, upload, parts, now),
      room.append(tx, publisherCall("close", signal), record, now),
    ]);
    // Any other block says what Notary shows, and ends when a full look finds nothing.
    if (isNewer(collection, upload, parts) && concernsUploadOnly(collection.blockReason)) {
      await endBlock(tx, room, collection, "what was refused or could not be read has landed", signal);
    }
    return { isDirty };
  });
  if (closed !== undefined) room.signals.notify(upload.collectionId);
  return closed;
}

function withImported(part: SignedPart, imported: Buffer | undefined): SignedPart {
  if (imported === undefined) return part;
  return { ...part, envelope: imported, envelopeSha256: createHash("sha256").update(imported).digest() };
}

/**
 * Brings the collection's row, its delegations and its live rights to what has landed; an older upload changes nothing here.
 * Answers whether more was decided meanwhile.
 */
async function advanceCollection(
  tx: Transaction,
  room: PublisherRoom,
  collection: Collection,
  upload: Upload,
  parts: readonly SignedPart[],
  at: Date,
): Promise<boolean> {
  if (!isNewer(collection, upload, parts)) return true;
  const now = landingTime(collection, at);
  const root = parts.find((part) => part.role === "root");
  const targets = parts.find((part) => part.role === "targets");
  const collectionRow = tx.run(
    `update collections set root_version = greatest(root_version, :rootVersion), targets_version = greatest(targets_version, :targetsVersion),
       published_generation = greatest(published_generation, :generation), published_at = :now, verified_at = :now,
       dirty_since = case when generation <= :generation then null else dirty_since end,
       attempts = 0, next_attempt_at = '-infinity', pending_reason = null, last_answer = null,
       renew_at = (select min(p.expires_at - interval '1 millisecond' *
           case p.role when 'root' then cast(:rootThirdMs as float8) else cast(:targetsThirdMs as float8) end)
         from (select distinct on (role) role, expires_at from published_parts
           where collection_id = :id and incarnation = :incarnation order by role, version desc) p)
     where id = :id`,
    {
      id: collection.id,
      incarnation: upload.incarnation,
      rootVersion: root?.version ?? 0,
      targetsVersion: targets?.version ?? 0,
      generation: upload.toGeneration,
      rootThirdMs: room.settings.rootLifeMs / 3,
      targetsThirdMs: room.settings.targetsLifeMs / 3,
      now,
    },
  );
  const delegationRows = tx.run(
    `with held as (
       update delegations d set published_revision = greatest(d.published_revision, ud.revision),
         live_from = coalesce(d.live_from, greatest(:now, d.valid_from))
       from upload_delegations ud where ud.upload_id = :uploadId and ud.delegation_id = d.id
     )
     update delegations d set live_to = greatest(:now, d.live_from)
     where d.collection_id = :id and d.valid_to is not null and d.live_from is not null and d.live_to is null
       and not exists (select from upload_delegations ud where ud.upload_id = :uploadId and ud.delegation_id = d.id)`,
    { id: collection.id, uploadId: upload.id, now },
  );
  const rights = targets === undefined ? undefined : updateLiveRights(tx, collection, upload.id, targets.envelope, now);
  await Promise.all([collectionRow, delegationRows, rights]);
  return collection.generation > upload.toGeneration;
}

/** Landings of a collection follow each other in time, whatever the clocks of replicas say: what is live has no gap and no overlap. */
function landingTime({ publishedAt }: Collection, now: Date): Date {
  return publishedAt !== null && publishedAt > now ? publishedAt : now;
}

/** Whether an upload holds newer files than those landed so far; an older one was corrected before it landed. */
function isNewer(collection: Collection, upload: Upload, parts: readonly SignedPart[]): boolean {
  const isAbove = (role: string, landed: number): boolean =>
    parts.every((part) => part.role !== role || part.version > landed);
  return (
    collection.incarnation === upload.incarnation &&
    isAbove("root", collection.rootVersion) &&
    isAbove("targets", collection.targetsVersion)
  );
}

/** Closes an upload as LOST or REJECTED, with its record; false when it was closed before. */
export async function closeUnlanded(
  room: PublisherRoom,
  { upload }: Pick<Cargo, "upload">,
  to: "LOST" | "REJECTED",
  detail: string,
  signal: AbortSignal,
): Promise<boolean> {
  return await room.database.transaction(async (tx) => {
    const collection = await lockCollection(tx, upload.collectionId);
    return collection !== undefined && (await endUpload(tx, room, collection, upload, to, detail, signal));
  });
}
