import type { Queryable, Transaction } from "../../database.ts";
import type { RoleName } from "../../names.ts";

export type UploadState = "PREPARED" | "READY" | "SENT" | "LANDED" | "LOST" | "REJECTED" | "CANCELLED";
export type UploadKind = "PUBLISH" | "RENEW" | "ROTATE" | "REPAIR";

/** One set of exact bytes on its way to Notary. */
export interface Upload {
  readonly id: bigint;
  readonly collectionId: bigint;
  readonly incarnation: number;
  readonly kind: UploadKind;
  readonly fromGeneration: bigint;
  readonly toGeneration: bigint;
  readonly state: UploadState;
  readonly claim: bigint;
  readonly claimOwner: string | null;
  readonly createdAt: Date;
  readonly sentAt: Date | null;
  /** The newest timestamp and snapshot versions known when it was prepared. */
  readonly seenTimestamp: number;
  readonly seenSnapshot: number;
  readonly attempts: number;
  readonly refusals: number;
  readonly firstRefusedAt: Date | null;
  readonly versionAnswers: number;
}

export interface UploadPart {
  readonly role: RoleName;
  readonly version: number;
  readonly payload: Buffer;
  readonly payloadSha256: Buffer;
  readonly expiresAt: Date;
  /** Null until signed. */
  readonly envelope: Buffer | null;
  readonly envelopeSha256: Buffer | null;
}

const columns = `u.id, u.collection_id as "collectionId", u.incarnation, u.kind, u.from_generation as "fromGeneration",
  u.to_generation as "toGeneration", u.state, u.claim, u.claim_owner as "claimOwner", u.created_at as "createdAt", u.sent_at as "sentAt", u.seen_timestamp as "seenTimestamp",
  u.seen_snapshot as "seenSnapshot", u.attempts, u.refusals, u.first_refused_at as "firstRefusedAt",
  u.version_answers as "versionAnswers"`;

/** The collection's one open upload. */
export function openUpload(db: Queryable, collectionId: bigint): Promise<Upload | undefined> {
  return db.row(
    `select ${columns} from uploads u where u.collection_id = :collectionId and u.state in ('PREPARED', 'READY', 'SENT')`,
    { collectionId },
  );
}

/** Uploads that Notary refused and whose slots may still decide otherwise, oldest first. */
export function rejectedUploads(db: Queryable, collectionId: bigint, incarnation: number): Promise<readonly Upload[]> {
  return db.rows(
    `select ${columns} from uploads u where u.collection_id = :collectionId and u.incarnation = :incarnation
     and u.state = 'REJECTED' order by u.id`,
    { collectionId, incarnation },
  );
}

export function uploadParts(db: Queryable, uploadId: bigint): Promise<readonly UploadPart[]> {
  return db.rows(
    `select role, version, payload, payload_sha256 as "payloadSha256", expires_at as "expiresAt", envelope,
       envelope_sha256 as "envelopeSha256" from upload_parts where upload_id = :uploadId order by role`,
    { uploadId },
  );
}

/** A part with the exact bytes that are, or were, sent. */
export interface SignedPart extends UploadPart {
  readonly envelope: Buffer;
  readonly envelopeSha256: Buffer;
}

/** The parts of an upload that was signed. */
export async function signedParts(db: Queryable, uploadId: bigint): Promise<readonly SignedPart[]> {
  return (await uploadParts(db, uploadId)).map((part) => {
    const { envelope, envelopeSha256 } = part;
    if (envelope === null || envelopeSha256 === null) throw new Error(`upload ${uploadId} is not signed`);
    return { ...part, envelope, envelopeSha256 };
  });
}

export interface NewUpload {
  readonly id: bigint;
  readonly collectionId: bigint;
  readonly incarnation: number;
  readonly kind: UploadKind;
  readonly fromGeneration: bigint;
  readonly toGeneration: bigint;
  readonly owner: string;
  readonly claimMs: number;
  readonly seenTimestamp: number;
  readonly seenSnapshot: number;
  readonly parts: readonly Pick<UploadPart, "role" | "version" | "payload" | "payloadSha256" | "expiresAt">[];
  readonly delegations: readonly { readonly id: bigint; readonly revision: bigint }[];
}

/** Opens an upload with its payloads and the team revisions they hold; one_open_upload refuses a second. */
export async function insertUpload(tx: Transaction, fresh: NewUpload, now: Date): Promise<Upload> {
  const upload = await tx.row<Upload>(
    `with u as (
       insert into uploads(id, collection_id, incarnation, kind, from_generation, to_generation, state, claim_owner, claim_until,
         created_at, seen_timestamp, seen_snapshot)
       values (:id, :collectionId, :incarnation, :kind, :fromGeneration, :toGeneration, 'PREPARED', :owner,
         clock_timestamp() + cast(:claimMs as int) * interval '1 millisecond', :now, :seenTimestamp, :seenSnapshot) returning *
     ), parts as (
       insert into upload_parts(upload_id, role, version, payload, payload_sha256, expires_at)
       select u.id, p.role, p.version, p.payload, p.sha256, p.expires_at
       from u, unnest(cast(:roles as text[]), cast(:versions as int[]), cast(:payloads as bytea[]), cast(:sha256s as bytea[]),
         cast(:expiries as timestamptz[])) as p(role, version, payload, sha256, expires_at)
     ), held as (
       insert into upload_delegations(upload_id, delegation_id, revision)
       select u.id, d.id, d.revision from u, unnest(cast(:delegationIds as bigint[]), cast(:revisions as bigint[])) as d(id, revision)
     )
     select ${columns} from u`,
    {
      id: fresh.id,
      collectionId: fresh.collectionId,
      incarnation: fresh.incarnation,
      kind: fresh.kind,
      fromGeneration: fresh.fromGeneration,
      toGeneration: fresh.toGeneration,
      owner: fresh.owner,
      claimMs: fresh.claimMs,
      seenTimestamp: fresh.seenTimestamp,
      seenSnapshot: fresh.seenSnapshot,
      roles: fresh.parts.map((part) => part.role),
      versions: fresh.parts.map((part) => part.version),
      payloads: fresh.parts.map((part) => part.payload),
      sha256s: fresh.parts.map((part) => part.payloadSha256),
      expiries: fresh.parts.map((part) => part.expiresAt),
      delegationIds: fresh.delegations.map((delegation) => delegation.id),
      revisions: fresh.delegations.map((delegation) => delegation.revision),
      now,
    },
  );
  if (upload === undefined) throw new Error("an upload was not inserted");
  return upload;
}

/** Takes an open upload over: its claim moves on, so that the former holder can write no more. Undefined when its holder is alive. */
export function claimUpload(db: Queryable, id: bigint, owner: string, claimMs: number): Promise<Upload | undefined> {
  return db.row(
    `update uploads u set claim = claim + 1, claim_owner = :owner, claim_until = clock_timestamp() + :claimMs * interval '1 millisecond'
     where id = :id and state in ('PREPARED', 'READY', 'SENT')
       and (claim_owner is null or claim_owner = :owner or claim_until < clock_timestamp()) returning ${columns}`,
    { id, owner, claimMs },
  );
}

/** Stores the signed envelopes: PREPARED to READY, if the claim still holds. */
export async function storeEnvelopes(
  db: Queryable,
  upload: Upload,
  parts: readonly SignedPart[],
  now: Date,
): Promise<boolean> {
  const stored = await db.run(
    `with u as (
       update uploads set state = 'READY', ready_at = :now where id = :id and claim = :claim and state = 'PREPARED' returning id
     )
     update upload_parts p set envelope = s.envelope, envelope_sha256 = s.sha256
     from u, unnest(cast(:roles as text[]), cast(:envelopes as bytea[]), cast(:sha256s as bytea[])) as s(role, envelope, sha256)
     where p.upload_id = u.id and p.role = s.role`,
    {
      id: upload.id,
      claim: upload.claim,
      now,
      roles: parts.map((part) => part.role),
      envelopes: parts.map((part) => part.envelope),
      sha256s: parts.map((part) => part.envelopeSha256),
    },
  );
  return stored > 0;
}

/** Arms an upload: READY to SENT, if the claim still holds and the collection is not blocked. Bytes may leave only after this committed. */
export async function armUpload(db: Queryable, upload: Upload, claimMs: number, now: Date): Promise<boolean> {
  const moved = await db.run(
    `update uploads u set state = 'SENT', sent_at = :now, claim_until = clock_timestamp() + :claimMs * interval '1 millisecond'
     where u.id = :id and u.claim = :claim and u.state = 'READY'
       and exists (select from collections c where c.id = u.collection_id and c.block_reason is null and c.state = 'ACTIVE')`,
    { id: upload.id, claim: upload.claim, claimMs, now },
  );
  return moved === 1;
}

/** Keeps what Notary answered, for people and for the rules that count answers; undefined when the upload was closed meanwhile. */
export async function noteAnswer(
  db: Queryable,
  id: bigint,
  answer: { readonly text: string; readonly refused: boolean; readonly version: boolean },
  now: Date,
): Promise<Upload | undefined> {
  return await db.row(
    `update uploads u set attempts = attempts + 1, last_answer = :text, refusals = refusals + :refused,
       first_refused_at = case when :refused = 1 then coalesce(first_refused_at, :now) else first_refused_at end,
       version_answers = version_answers + :version where id = :id and state = 'SENT' returning ${columns}`,
    { id, text: answer.text, refused: answer.refused ? 1 : 0, version: answer.version ? 1 : 0, now },
  );
}

/** Closes an upload in a final or refused state, from one of the states named; false when it was closed already. */
export async function closeUpload(
  tx: Transaction,
  id: bigint,
  to: "LANDED" | "LOST" | "REJECTED" | "CANCELLED",
  from: readonly UploadState[],
  now: Date,
): Promise<boolean> {
  const moved = await tx.run("update uploads set state = :to, closed_at = :now where id = :id and state = any(:from)", {
    id,
    to,
    from,
    now,
  });
  return moved === 1;
}

/** A delegation as an upload's bytes hold it: with the keys of that revision of its team. */
export interface HeldDelegation {
  readonly id: bigint;
  readonly team: string;
  readonly revision: bigint;
}

/** The delegations an upload holds, with the team revision each was computed from. */
export function uploadDelegations(db: Queryable, uploadId: bigint): Promise<readonly HeldDelegation[]> {
  return db.rows(
    `select d.id, d.team_id as team, ud.revision from upload_delegations ud join delegations d on d.id = ud.delegation_id
     where ud.upload_id = :uploadId order by d.team_id`,
    { uploadId },
  );
}
