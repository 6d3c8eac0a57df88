import type { Gun } from "../names.ts";

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
