import {
  SignatureState,
  type SignedTag as WireSignedTag,
  type TagSignature as WireTagSignature,
  type WatchTrustResponse as WireWatched,
} from "../../gen/imagetrust/v1/signature.ts";
import type { StoredRecord } from "../audit/query.ts";
import type { AuditedRole } from "../audit/record.ts";
import { type ToldKey, type ToldSignatures, toldSignatures } from "../trust/follower/signature-record.ts";
import type { SignedTag, TagSignature } from "../trust/signed/signed-tags.ts";
import type { Watched } from "../trust/signed/watch-trust.ts";
import { keyRefToWire } from "./outcome-wire.ts";

export function signedTagToWire(tag: SignedTag): WireSignedTag {
  const { firstPublishedAt, lastPublishedAt, signatures, length, ...same } = tag;
  return {
    ...same,
    length: BigInt(length),
    signatures: signatures.map(tagSignatureToWire),
    firstPublishTime: firstPublishedAt,
    lastPublishTime: lastPublishedAt,
  };
}

function tagSignatureToWire({ role, state, digest, length, version, ...rest }: TagSignature): WireTagSignature {
  return {
    role,
    state: SignatureState[state],
    digest,
    length: BigInt(length),
    version,
    signedBy: rest.signedBy.map(keyRefToWire),
    introducedBy: rest.introducedBy.map(keyRefToWire),
    publishTime: rest.publishedAt,
  };
}

export function watchedToWire({ next, record }: Watched): WireWatched {
  return { cursor: String(next), event: record === undefined ? undefined : eventOf(record) };
}

function eventOf({ eventId, occurredAt, record }: StoredRecord): WireWatched["event"] {
  const told = toldSignatures(record);
  const { change, publication } = record;
  return {
    gun: record.gun ?? "",
    eventType: record.event_type,
    time: occurredAt,
    eventId,
    changes: listOf(change?.diff),
    signatures: told === undefined ? undefined : changeOf(told),
    roles: listOf<AuditedRole>(publication?.roles).map(({ role, version, sha256 }) => ({
      role,
      version,
      sha256: sha256 ?? "",
      expireTime: undefined,
    })),
  };
}

type WireChange = NonNullable<NonNullable<WireWatched["event"]>["signatures"]>;

function changeOf({ keys, tags, cause, ...file }: ToldSignatures): WireChange {
  return {
    ...file,
    tags: tags.map(({ tag, digest, length }) => ({ tag, digest, length: BigInt(length) })),
    keys: keys.map(keyOf),
    cause: cause && {
      targetsVersion: cause.targets_version,
      uploadId: cause.upload_id,
      keysRemoved: cause.keys_removed.map(keyOf),
      keysAdded: cause.keys_added.map(keyOf),
    },
  };
}

function keyOf({ key_id: canonicalKeyId, tuf_key_id: tufKeyId, member }: ToldKey): WireChange["keys"][number] {
  return { tufKeyId, canonicalKeyId, algorithm: "", backend: "", member, certificate: "" };
}

/** A list that a record holds; what was too long to be kept is told by its digest there, and is no list. */
function listOf<T>(value: readonly T[] | object | undefined): readonly T[] {
  return Array.isArray(value) ? (value as readonly T[]) : [];
}
