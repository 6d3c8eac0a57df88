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

/** So many signatures, or so many bytes of their names, stand in one record: a file may hold some forty thousand tags. */
const mostInRecord = 100;
const mostNameBytes = 8_000;
/** A file may be signed by more keys than anybody wants to read of. */
const mostKeys = 32;

/** What a record of a signature says, as it is read back from the log. */
export interface ToldSignatures {
  readonly role: string;
  readonly version: number;
  readonly sha256: string;
  readonly keys: readonly { readonly key_id: string; readonly tuf_key_id: string; readonly member: string }[];
  readonly teams: readonly string[];
  readonly tags: readonly { readonly tag: string; readonly digest: string; readonly length: number }[];
}

/** The signatures that a record tells of; undefined for records of other events. */
export function toldSignatures(record: AuditRecord): ToldSignatures | undefined {
  if (!/^signature\.(?:added|removed)\.v1$/.test(record.event_type)) return undefined;
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

function recordOf(file: TellingFile, event: "added" | "removed", part: readonly TagContent[]): RecordDraft {
  const members = [
    ...new Set(
      file.keys
        .slice(0, mostKeys)
        .map(({ member }) => member)
        .filter((member) => member !== ""),
    ),
  ];
  const state: Json = {
    role: file.role,
    version: file.version,
    sha256: file.sha256,
    keys: file.keys
      .slice(0, mostKeys)
      .map((key) => ({ key_id: key.canonicalKeyId, tuf_key_id: key.tufKeyId, member: key.member })),
    teams: file.teams,
    tags: part.map(({ tag, digest, length }) => ({ tag, digest: digestText(digest), length })),
  };
  const about: readonly Subject[] = [
    ...members.map((id) => ({ type: "member" as const, id })),
    ...file.teams.map((id) => ({ type: "team" as const, id })),
    ...file.keys.slice(0, mostKeys).map(({ canonicalKeyId: id }) => ({ type: "key" as const, id })),
  ];
  const sign = event === "added" ? "+" : "-";
  return {
    eventType: `signature.${event}.v1`,
    stage: "RESULT",
    severity: "NOTICE",
    subject: { type: "gun", id: file.gun },
    about,
    result: "OK",
    resultReason: "",
    gun: file.gun,
    change: {
      before: event === "added" ? null : state,
      after: event === "added" ? state : null,
      diff: part.map(({ tag, digest }) => `${file.role} ${sign}${tag} ${digestText(digest)}`),
    },
    publication: undefined,
  };
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
