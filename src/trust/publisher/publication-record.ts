import type { RecordDraft, Severity } from "../../audit/record.ts";
import type { Gun } from "../../names.ts";
import type { Upload, UploadPart } from "./upload-store.ts";

export type PublicationEvent = "intended" | "landed" | "lost" | "rejected" | "cancelled" | "no_change";

const severities: Readonly<Record<PublicationEvent, Severity>> = {
  intended: "INFO",
  landed: "NOTICE",
  lost: "WARNING",
  rejected: "WARNING",
  cancelled: "NOTICE",
  no_change: "INFO",
};

export interface RecordedUpload {
  readonly id: string;
  readonly kind: string;
  readonly fromGeneration: bigint;
  readonly toGeneration: bigint;
  readonly parts: readonly Pick<UploadPart, "role" | "version" | "payloadSha256" | "envelopeSha256">[];
  readonly delegations: readonly { readonly team: string; readonly revision: bigint }[];
}

/** What a record says about an upload: which bytes, which decisions they hold, and what became of them. */
export function publicationRecord(gun: Gun, event: PublicationEvent, upload: RecordedUpload, detail = ""): RecordDraft {
  return {
    eventType: `publication.${event}.v1`,
    stage: event === "intended" ? "INTENT" : "RESULT",
    severity: severities[event],
    subject: { type: "gun", id: gun },
    about: upload.delegations.map((delegation) => ({ type: "team" as const, id: delegation.team })),
    result: event === "lost" || event === "rejected" ? "ABORTED" : "OK",
    resultReason: "",
    gun,
    change: undefined,
    publication: {
      uploadId: upload.id,
      kind: upload.kind,
      fromGeneration: String(upload.fromGeneration),
      toGeneration: String(upload.toGeneration),
      teamRevisions: Object.fromEntries(upload.delegations.map(({ team, revision }) => [team, String(revision)])),
      roles: upload.parts.map((part) => ({
        role: part.role,
        version: part.version,
        payloadSha256: part.payloadSha256.toString("hex"),
        sha256: part.envelopeSha256?.toString("hex") ?? "",
      })),
      signed: upload.parts.some((part) => part.envelopeSha256 !== null),
      detail,
    },
  };
}

/** An upload row as records show it. */
export function recordedUpload(
  upload: Upload,
  parts: readonly UploadPart[],
  delegations: RecordedUpload["delegations"],
): RecordedUpload {
  return { ...upload, id: String(upload.id), parts, delegations };
}
