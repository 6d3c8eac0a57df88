import type { Call } from "./call.ts";
import { cleanText } from "./free-text.ts";
import type {
  AuditedRole,
  AuditRecord,
  PublishedRole,
  RecordDraft,
  RecordedChange,
  RecordedPublication,
  Subject,
} from "./record.ts";

/** What makes a record unlike every other one; made by whoever appends it. */
export interface RecordIdentity {
  readonly eventId: string;
  /** 16 random bytes. */
  readonly nonce: Buffer;
}

/**
 * Puts together what a use case says happened and what is known of its call. Only named fields are taken over: neither
 * the request nor any key ever comes near a record. Free text is bounded and made printable.
 */
export function composeRecord(call: Call, draft: RecordDraft, now: Date, identity: RecordIdentity): AuditRecord {
  return {
    schema_version: 1,
    event_id: identity.eventId,
    nonce: identity.nonce.toString("hex"),
    event_type: draft.eventType,
    stage: draft.stage,
    severity: draft.severity,
    occurred_at: now.toISOString(),
    method: cleanText(call.method, 256),
    result: { code: draft.result, ...some("reason", draft.resultReason) },
    subject: subjectOf(draft.subject),
    ...(draft.about.length === 0 ? {} : { about: draft.about.map(subjectOf) }),
    ...whoOf(call),
    ...some("gun", draft.gun ?? ""),
    ...(draft.change === undefined ? {} : { change: changeOf(draft.change) }),
    ...(draft.publication === undefined ? {} : { publication: publicationOf(draft.publication) }),
    ...some("request_id", cleanText(call.requestId, 128)),
    ...some("request_sha256", call.requestDigest),
    ...some("reason", cleanText(call.reason, 1_024)),
    ...some("peer", cleanText(call.peer, 128)),
    ...some("user_agent", cleanText(call.userAgent, 256)),
    ...some("trace_id", cleanText(call.traceId, 32)),
    ...some("span_id", cleanText(call.spanId, 16)),
  };
}

/** Everything that lists by subject, GUN, team, member or key find a record through: its subject and GUN included, each once. */
export function thingsOf(draft: RecordDraft): readonly Subject[] {
  const gun = draft.gun === undefined ? [] : [{ type: "gun" as const, id: draft.gun }];
  const things = [draft.subject, ...gun, ...draft.about].map(subjectOf);
  return [...new Map(things.map((thing) => [`${thing.type} ${thing.id}`, thing])).values()];
}

/** The form in which a subject is stored and looked for. */
export function subjectOf(subject: Subject): Subject {
  return { type: subject.type, id: cleanText(subject.id, 512) };
}

function whoOf(call: Call): Pick<AuditRecord, "actor" | "authorization"> {
  const { actor, authorization } = call;
  return {
    actor: {
      type: actor.type,
      id: cleanText(actor.id, 512),
      authentication: actor.authentication,
      ...some("certificate_sha256", actor.certificateSha256),
    },
    ...(authorization === undefined
      ? {}
      : {
          authorization: {
            action: cleanText(authorization.action, 256),
            resource: cleanText(authorization.resource, 512),
            decision: authorization.decision,
            policies: authorization.policies,
          },
        }),
  };
}

function changeOf({ before, after, diff }: RecordedChange): NonNullable<AuditRecord["change"]> {
  return { before, after, diff };
}

function publicationOf(publication: RecordedPublication): NonNullable<AuditRecord["publication"]> {
  return {
    upload_id: publication.uploadId,
    kind: publication.kind,
    from_generation: publication.fromGeneration,
    to_generation: publication.toGeneration,
    team_revisions: publication.teamRevisions,
    roles: publication.roles.map(roleOf),
    signed: publication.signed,
    ...some("detail", publication.detail),
  };
}

function roleOf({ role, version, payloadSha256, sha256 }: PublishedRole): AuditedRole {
  return { role, version, payload_sha256: payloadSha256, ...some("sha256", sha256) };
}

function some<N extends string>(name: N, value: string): { readonly [K in N]?: string } {
  return value === "" ? {} : ({ [name]: value } as { readonly [K in N]: string });
}
