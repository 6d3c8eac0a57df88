import type { AuditRecord, Json, RecordDraft, Subject } from "../../audit/record.ts";
import type { CanonicalKeyId, Gun, MemberId, RoleName, TeamId, TufKeyId } from "../../names.ts";
import type { SignatureChange, TagContent } from "./signature-store.ts";

/** The file whose appearance is told of, and who stands behind it. */
export interface TellingFile {
  readonly gun: Gun;
  readonly role: RoleName;
  readonly version: number;
  /** Hex. */
  readonly sha256: string;
  readonly keys: readonly SigningKey[];
  readonly teams: readonly TeamId[];
}

/** A key that signed a file; the member is empty where nobody we know holds it. */
export interface SigningKey {
  readonly tufKeyId: TufKeyId;
  readonly canonicalKeyId: CanonicalKeyId;
  readonly member: MemberId | "";
}

/** What a publication of ours made of the tags of a file. */
export type FateEvent = "orphaned" | "revived" | "survived";

/** The publication behind it, with the keys that left the role and joined it. */
export interface FateCause {
  readonly targetsVersion: number;
  readonly uploadId: string;
  readonly keysRemoved: readonly SigningKey[];
  readonly keysAdded: readonly SigningKey[];
}

/** So many signatures, or so many bytes of their names, stand in one record: a file may hold some forty thousand tags. */
const mostInRecord = 100;
const mostNameBytes = 8_000;
/** A file may be signed by more keys than anybody wants to read of. */
const mostKeys = 32;

export type ToldKey = { readonly key_id: string; readonly tuf_key_id: string; readonly member: string };

/** What a record of a signature says, as it is read back from the log. */
export interface ToldSignatures {
  readonly role: string;
  readonly version: number;
  readonly sha256: string;
  readonly keys: readonly ToldKey[];
  readonly teams: readonly string[];
  /** Of tags whose worth changed: what changed it. */
  readonly cause?: {
    readonly targets_version: number;
    readonly upload_id: string;
    readonly keys_removed: readonly ToldKey[];
    readonly keys_added: readonly ToldKey[];
  };
  readonly tags: readonly { readonly tag: string; readonly digest: string; readonly length: number }[];
}

/** The signatures that a record tells of; undefined for records of other events. */
export function toldSignatures(record: AuditRecord): ToldSignatures | undefined {
  if (!/^signature\.(?:added|removed|orphaned|revived|survived)\.v1$/.test(record.event_type)) return undefined;
  const told = (record.change?.after ?? record.change?.before) as Partial<ToldSignatures> | null | undefined;
  return { role: "", version: 0, sha256: "", keys: [], teams: [], tags: [], ...told };
}

/** The records of what a file brought and of what it took away; none where it changed nothing. */
export function signatureRecords(file: TellingFile, { added, removed }: SignatureChange): readonly RecordDraft[] {
  return [
    ...inParts(removed).map((part) => recordOf(file, "removed", part)),
    ...inParts(added).map((part) => recordOf(file, "added", part)),
  ];
}

/** The records of tags of a file whose worth a publication of ours changed, or that outlived the removal of a key. */
export function fateRecords(
  file: TellingFile,
  event: FateEvent,
  tags: readonly TagContent[],
  cause: FateCause,
): readonly RecordDraft[] {
  return inParts(tags).map((part) => recordOf(file, event, part, cause));
}

/** What each event is told as, of what severity, and whether it tells of a state that ended. */
const events = {
  added: { sign: "+", severity: "NOTICE", isEnd: false },
  removed: { sign: "-", severity: "NOTICE", isEnd: true },
  orphaned: { sign: "orphaned ", severity: "WARNING", isEnd: true },
  revived: { sign: "revived ", severity: "WARNING", isEnd: false },
  survived: { sign: "survived ", severity: "NOTICE", isEnd: false },
} as const;

function recordOf(
  file: TellingFile,
  event: keyof typeof events,
  part: readonly TagContent[],
  cause?: FateCause,
): RecordDraft {
  const { sign, severity, isEnd } = events[event];
  const state: Json = {
    role: file.role,
    version: file.version,
    sha256: file.sha256,
    keys: toldKeys(file.keys),
    teams: file.teams,
    ...(cause === undefined ? {} : { cause: toldCause(cause) }),
    tags: part.map(({ tag, digest, length }) => ({ tag, digest: digestText(digest), length })),
  };
  return {
    eventType: `signature.${event}.v1`,
    stage: "RESULT",
    severity,
    subject: { type: "gun", id: file.gun },
    about: aboutOf(file, cause),
    result: "OK",
    resultReason: "",
    gun: file.gun,
    change: {
      before: isEnd ? state : null,
      after: isEnd ? null : state,
      diff: part.map(({ tag, digest }) => `${file.role} ${sign}${tag} ${digestText(digest)}`),
    },
    publication: undefined,
  };
}

function toldKeys(keys: readonly SigningKey[]): ToldKey[] {
  return keys
    .slice(0, mostKeys)
    .map((key) => ({ key_id: key.canonicalKeyId, tuf_key_id: key.tufKeyId, member: key.member }));
}

function toldCause({ targetsVersion, uploadId, keysRemoved, keysAdded }: FateCause) {
  return {
    targets_version: targetsVersion,
    upload_id: uploadId,
    keys_removed: toldKeys(keysRemoved),
    keys_added: toldKeys(keysAdded),
  };
}

/** Everybody's list finds it: those of the members and keys that signed, left or joined, and of the teams. */
function aboutOf(file: TellingFile, cause: FateCause | undefined): readonly Subject[] {
  const keys = [file.keys, cause?.keysRemoved ?? [], cause?.keysAdded ?? []].flatMap((some) => some.slice(0, mostKeys));
  const members = new Set(keys.flatMap(({ member }) => (member === "" ? [] : [member])));
  return [
    ...[...members].map((id) => ({ type: "member" as const, id })),
    ...file.teams.map((id) => ({ type: "team" as const, id })),
    ...[...new Set(keys.map(({ canonicalKeyId }) => canonicalKeyId))].map((id) => ({ type: "key" as const, id })),
  ];
}

/** A digest as registries spell it. */
export function digestText(digest: Buffer): string {
  return `sha256:${digest.toString("hex")}`;
}

function inParts(all: readonly TagContent[]): readonly (readonly TagContent[])[] {
  const parts: TagContent[][] = [];
  let bytes = 0;
  for (const one of all) {
    const part = parts.at(-1);
    bytes += Buffer.byteLength(one.tag);
    if (part === undefined || part.length >= mostInRecord || bytes > mostNameBytes) {
      parts.push([one]);
      bytes = Buffer.byteLength(one.tag);
    } else part.push(one);
  }
  return parts;
}
