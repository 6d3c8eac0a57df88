import { createHash } from "node:crypto";
import { isUniqueViolation, type Transaction } from "../../database.ts";
import { type RoleName, rootRole, targetsRole } from "../../names.ts";
import { parseRoot, parseTargets } from "../../tuf/envelope.ts";
import { type RootContent, rootPayload, targetsPayload } from "../../tuf/payload.ts";
import type { Collection } from "../collection-store.ts";
import { targetsContentOf } from "../desired.ts";
import type { CollectionKey } from "../key-store.ts";
import type { PublishedPart } from "../published-store.ts";
import { advanceWithoutUpload } from "./advance-without-upload.ts";
import { type Basis, readBasis } from "./basis.ts";
import { keyOfRole } from "./provision.ts";
import { publicationRecord } from "./publication-record.ts";
import { type PublisherRoom, publisherCall } from "./publisher-room.ts";
import {
  insertUpload,
  rejectedUploads,
  type Upload,
  type UploadKind,
  type UploadPart,
  uploadParts,
} from "./upload-store.ts";

export type Prepared =
  | {
      readonly kind: "PREPARED";
      readonly upload: Upload;
      readonly parts: readonly UploadPart[];
      readonly basis: Basis;
    }
  /** What is desired is published already; generation and revisions advanced. */
  | { readonly kind: "NO_CHANGE" }
  /** The collection's keys were not made yet. */
  | { readonly kind: "NO_KEYS" }
  /** Nothing is due, or somebody else opened an upload, or the collection is blocked: look again. */
  | { readonly kind: "NOTHING" }
  /** The same content was REJECTED before: it would be refused again. */
  | { readonly kind: "REJECTED_BEFORE" };

/**
 * Computes what the collection should become from one snapshot of desired state, published files and team revisions, and opens
 * an upload with exactly those payloads and the record of the intent. Nothing that Notary holds is used as input.
 */
export async function prepare(
  room: PublisherRoom,
  of: Pick<Collection, "id" | "incarnation">,
  signal: AbortSignal,
): Promise<Prepared> {
  try {
    return await prepareInOneSnapshot(room, of, signal);
  } catch (error) {
    // Another replica opened an upload after this one's snapshot was taken.
    if (isUniqueViolation(error, "one_open_upload")) return { kind: "NOTHING" };
    throw error;
  }
}

async function prepareInOneSnapshot(
  room: PublisherRoom,
  { id: collectionId, incarnation }: Pick<Collection, "id" | "incarnation">,
  signal: AbortSignal,
): Promise<Prepared> {
  return await room.database.transaction(
    async (tx) => {
      const basis = await readBasis(tx, collectionId, incarnation);
      const now = room.now();
      const kind = basis === undefined ? undefined : kindOf(basis, now);
      if (basis === undefined || kind === undefined) return { kind: "NOTHING" };
      if (basis.keys.length === 0) return { kind: "NO_KEYS" };
      const parts = partsOf(room, basis, kind, now);
      if (parts.length === 0 && kind === "RENEW") return await renewLater(tx, room, basis);
      if (parts.length === 0) {
        await advanceWithoutUpload(tx, room, basis, now, signal);
        return { kind: "NO_CHANGE" };
      }
      const { collection, desired, marks } = basis;
      if (marks.rejectedRoles.length > 0 && (await wasRejected(tx, collection, parts)))
        return { kind: "REJECTED_BEFORE" };
      const fresh = {
        id: marks.uploadId,
        collectionId,
        incarnation,
        kind,
        fromGeneration: collection.publishedGeneration,
        toGeneration: collection.generation,
        owner: room.owner,
        claimMs: room.settings.claimMs,
        seenTimestamp: marks.seenTimestamp,
        seenSnapshot: marks.seenSnapshot,
        parts,
        delegations: desired.delegations,
      };
      const intent = publicationRecord(collection.gun, "intended", { ...fresh, id: String(fresh.id) });
      const [upload] = await Promise.all([
        insertUpload(tx, fresh, now),
        room.append(tx, publisherCall("prepare", signal), intent, now),
      ]);
      return { kind: "PREPARED", upload, parts, basis };
    },
    { isolation: "repeatable read" },
  );
}

/** What is due: a publication of decisions, a renewal, or nothing. */
function kindOf({ collection, behind }: Basis, now: Date): UploadKind | undefined {
  if (collection.generation > collection.publishedGeneration || behind.length > 0) return "PUBLISH";
  return collection.renewAt !== null && collection.renewAt <= now ? "RENEW" : undefined;
}

/**
 * The files to publish: those whose content differs apart from version and expiry, on renewal those past two thirds of their lives, and
 * every role that a refused upload held: its slot is then taken by one of the two, so that the refused one cannot land unseen.
 */
function partsOf(room: PublisherRoom, basis: Basis, kind: UploadKind, now: Date): readonly UploadPart[] {
  const { rootLifeMs, targetsLifeMs } = room.settings;
  const { collection, keys, roles, marks } = basis;
  const parts: UploadPart[] = [];
  if (rootDiffers(basis) || isDue(basis.root, rootLifeMs, now) || marks.rejectedRoles.includes(rootRole)) {
    const expires = wholeSecond(now.getTime() + rootLifeMs);
    const version = collection.rootVersion + 1;
    parts.push(partOf(rootRole, version, expires, rootPayload(rootContentOf(keys, version, expires))));
  }
  const isRenewed = kind === "RENEW" && isDue(basis.targets, targetsLifeMs, now);
  if (targetsDiffer(basis) || isRenewed || marks.rejectedRoles.includes(targetsRole)) {
    const expires = wholeSecond(now.getTime() + targetsLifeMs);
    const version = 1 + Math.max(collection.targetsVersion, marks.highestSignedTargets);
    parts.push(partOf(targetsRole, version, expires, targetsPayload(targetsContentOf(roles, version, expires))));
  }
  return parts;
}

function rootDiffers({ root, keys }: Basis): boolean {
  if (root === undefined) return true;
  const published = parseRoot(root.bytes);
  const { version, expires } = published.content;
  return !published.payload.equals(rootPayload(rootContentOf(keys, version, expires)));
}

function targetsDiffer({ targets, roles }: Basis): boolean {
  if (targets === undefined) return true;
  const published = parseTargets(targets.bytes);
  const { version, expires } = published.content;
  return !published.payload.equals(targetsPayload(targetsContentOf(roles, version, expires)));
}

/** The instant at which a file with this expiry and life is renewed: when a third of its life is left. */
export function renewalOf(expiresAt: Date, lifeMs: number): Date {
  return new Date(expiresAt.getTime() - lifeMs / 3);
}

/** Files live shorter by today's settings than by those they were published with: each is due later than was written down. */
async function renewLater(
  tx: Transaction,
  room: PublisherRoom,
  { collection, root, targets }: Basis,
): Promise<Prepared> {
  const { rootLifeMs, targetsLifeMs } = room.settings;
  const due = [
    ...(root === undefined ? [] : [renewalOf(root.expiresAt, rootLifeMs)]),
    ...(targets === undefined ? [] : [renewalOf(targets.expiresAt, targetsLifeMs)]),
  ];
  const renewAt = new Date(Math.min(...due.map((at) => at.getTime())));
  await tx.run("update collections set renew_at = :renewAt where id = :id", { id: collection.id, renewAt });
  return { kind: "NOTHING" };
}

function isDue(part: PublishedPart | undefined, lifeMs: number, now: Date): boolean {
  return part !== undefined && renewalOf(part.expiresAt, lifeMs) <= now;
}

function rootContentOf(keys: readonly CollectionKey[], version: number, expires: Date): RootContent {
  const role = (name: "root" | "targets" | "snapshot" | "timestamp") => ({
    keyIds: [keyOfRole(keys, name).tufKeyId],
    threshold: 1,
  });
  return {
    version,
    expires,
    keys: keys.map((key) => key.key),
    roles: { root: role("root"), targets: role("targets"), snapshot: role("snapshot"), timestamp: role("timestamp") },
  };
}

function partOf(role: RoleName, version: number, expiresAt: Date, payload: Buffer): UploadPart {
  const payloadSha256 = createHash("sha256").update(payload).digest();
  return { role, version, expiresAt, payload, payloadSha256, envelope: null, envelopeSha256: null };
}

function wholeSecond(ms: number): Date {
  return new Date(Math.floor(ms / 1_000) * 1_000);
}

/** Whether the newest REJECTED upload held the same content, apart from versions and expiries. */
async function wasRejected(tx: Transaction, collection: Collection, parts: readonly UploadPart[]): Promise<boolean> {
  const last = (await rejectedUploads(tx, collection.id, collection.incarnation)).at(-1);
  if (last === undefined) return false;
  const refused = await uploadParts(tx, last.id);
  return (
    refused.length === parts.length &&
    parts.every((part) => {
      const same = refused.find((one) => one.role === part.role);
      return same !== undefined && contentOf(same.payload).equals(contentOf(part.payload));
    })
  );
}

/** A payload without its version and expiry; both are top-level fields of canonical JSON. */
function contentOf(payload: Buffer): Buffer {
  const {
    version: _version,
    expires: _expires,
    ...content
  } = JSON.parse(payload.toString()) as Record<string, unknown>;
  return Buffer.from(JSON.stringify(content));
}
