import type { Gun } from "../names.ts";
import type { Actor, Authorization } from "./call.ts";

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** What a record is about. The history of one subject is gapless and linked. */
export interface Subject {
  readonly type: "gun" | "team" | "member" | "key" | "caller" | "log";
  readonly id: string;
}

export type Stage = "INTENT" | "RESULT" | "DENIED" | "QUESTION";
export type Severity = "INFO" | "NOTICE" | "WARNING" | "ALERT";

/** The exact bytes of one role on their way to, or on, Notary. */
export interface PublishedRole {
  readonly role: string;
  readonly version: number;
  readonly payloadSha256: string;
  /** Empty while unsigned. */
  readonly sha256: string;
}

/** What a use case says happened; the call, times, nonce and chain are added when it is appended and sequenced. */
export interface RecordDraft {
  /** `<subject>.<past participle>.v<n>`, such as `delegation.delegated.v1`. */
  readonly eventType: string;
  readonly stage: Stage;
  readonly severity: Severity;
  readonly subject: Subject;
  /** Further things the record is about; the lists by team, member and GUN find it through them. */
  readonly about: readonly Subject[];
  /** `OK`, or the gRPC status name of a refusal or failure. */
  readonly result: string;
  /** The reason behind a refusal, empty for OK. */
  readonly resultReason: string;
  readonly gun: Gun | undefined;
  readonly change: RecordedChange | undefined;
  readonly publication: RecordedPublication | undefined;
}

/** State before and after in plain JSON, and the difference in words a person understands. Ids, paths and fingerprints; never secrets. */
export interface RecordedChange {
  readonly before: Json;
  readonly after: Json;
  readonly diff: readonly string[];
}

export interface RecordedPublication {
  readonly uploadId: string;
  readonly kind: string;
  readonly fromGeneration: string;
  readonly toGeneration: string;
  readonly teamRevisions: Readonly<Record<string, string>>;
  readonly roles: readonly PublishedRole[];
  readonly signed: boolean;
  /** What happened, for a person; empty where the event type says it all. */
  readonly detail: string;
}

/** Stands in a record for a value that would have made it too long: what the value's canonical JSON hashes to, and its length in bytes. */
export type Truncated = { readonly sha256: string; readonly length: number; readonly truncated: true };

/** A record as it stands in the log: canonical JSON (RFC 8785), absent where there is nothing to say. Hashes are hex, times ISO 8601. */
export type AuditRecord = {
  readonly schema_version: 1;
  /** UUIDv7. */
  readonly event_id: string;
  /** 16 random bytes in hex: a published hash of the record tells nobody what it says. */
  readonly nonce: string;
  readonly event_type: string;
  readonly stage: Stage;
  readonly severity: Severity;
  readonly occurred_at: string;
  readonly method: string;
  readonly result: { readonly code: string; readonly reason?: string };
  readonly subject: { readonly type: Subject["type"]; readonly id: string };
  readonly about?: readonly { readonly type: Subject["type"]; readonly id: string }[] | Truncated;
  readonly actor: {
    readonly type: Actor["type"];
    readonly id: string;
    readonly authentication: Actor["authentication"];
    readonly certificate_sha256?: string;
  };
  readonly authorization?: {
    readonly action: string;
    readonly resource: string;
    readonly decision: Authorization["decision"];
    readonly policies: readonly string[] | Truncated;
  };
  readonly gun?: string;
  readonly change?: {
    readonly before: Json;
    readonly after: Json;
    readonly diff: readonly string[] | Truncated;
  };
  readonly publication?: {
    readonly upload_id: string;
    readonly kind: string;
    readonly from_generation: string;
    readonly to_generation: string;
    readonly team_revisions: Readonly<Record<string, string>> | Truncated;
    readonly roles: readonly AuditedRole[] | Truncated;
    readonly signed: boolean;
    readonly detail?: string | Truncated;
  };
  readonly request_id?: string;
  readonly request_sha256?: string;
  readonly reason?: string;
  readonly peer?: string;
  readonly user_agent?: string;
  readonly trace_id?: string;
  readonly span_id?: string;
};

export type AuditedRole = {
  readonly role: string;
  readonly version: number;
  readonly payload_sha256: string;
  readonly sha256?: string;
};
