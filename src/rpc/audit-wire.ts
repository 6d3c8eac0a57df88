import {
  AuditActorType,
  AuditDecision,
  AuditSeverity,
  AuditStage,
  AuditSubjectType,
  type AuditActor as WireActor,
  type AuditAuthorization as WireAuthorization,
  type AuditChange as WireChange,
  type AuditPublication as WirePublication,
  type AuditRecord as WireRecord,
  type AuditSubject as WireSubject,
} from "../../gen/imagetrust/v1/audit.ts";
import type { StoredRecord } from "../audit/query.ts";
import type { AuditRecord, Subject, Truncated } from "../audit/record.ts";

export function recordToWire(stored: StoredRecord): WireRecord {
  const { record } = stored;
  return {
    index: stored.index,
    eventId: stored.eventId,
    subject: subjectToWire(stored.subject),
    subjectSeq: stored.subjectSeq,
    about: listOf(record.about).map(subjectToWire),
    occurTime: stored.occurredAt,
    sequenceTime: stored.sequencedAt,
    actor: actorToWire(record.actor),
    method: record.method,
    stage: AuditStage[record.stage],
    eventType: record.event_type,
    result: record.result.code,
    resultReason: record.result.reason ?? "",
    severity: AuditSeverity[record.severity],
    gun: record.gun ?? "",
    reason: record.reason ?? "",
    change: record.change && changeToWire(record.change),
    publication: record.publication && publicationToWire(record.publication),
    authorization: record.authorization && authorizationToWire(record.authorization),
    requestId: record.request_id ?? "",
    requestDigest: record.request_sha256 ?? "",
    traceId: record.trace_id ?? "",
    spanId: record.span_id ?? "",
    peer: record.peer ?? "",
    userAgent: record.user_agent ?? "",
    leaf: stored.leaf,
  };
}

const typeOfSubject: Readonly<Record<Subject["type"], AuditSubjectType>> = {
  gun: AuditSubjectType.GUN,
  team: AuditSubjectType.TEAM,
  member: AuditSubjectType.MEMBER,
  key: AuditSubjectType.KEY,
  caller: AuditSubjectType.CALLER,
  log: AuditSubjectType.LOG,
};

function subjectToWire({ type, id }: Subject): WireSubject {
  return { type: typeOfSubject[type], id };
}

function actorToWire(actor: AuditRecord["actor"]): WireActor {
  return {
    type: actor.type === "caller" ? AuditActorType.CALLER : AuditActorType.SERVICE,
    id: actor.id,
    authentication: actor.authentication,
    certificateSha256: actor.certificate_sha256 ?? "",
  };
}

function changeToWire({ before, after, diff }: NonNullable<AuditRecord["change"]>): WireChange {
  return {
    beforeJson: JSON.stringify(before),
    afterJson: JSON.stringify(after),
    diff: isTruncated(diff) ? [wordsOn(diff)] : diff,
  };
}

function publicationToWire(publication: NonNullable<AuditRecord["publication"]>): WirePublication {
  const { team_revisions: revisions, detail = "" } = publication;
  return {
    uploadId: publication.upload_id,
    kind: publication.kind,
    fromGeneration: BigInt(publication.from_generation),
    toGeneration: BigInt(publication.to_generation),
    teamRevisions: isTruncated(revisions)
      ? {}
      : Object.fromEntries(Object.entries(revisions).map(([team, revision]) => [team, BigInt(revision)])),
    roles: listOf(publication.roles).map(({ role, version, payload_sha256, sha256 }) => ({
      role,
      version,
      payloadSha256: payload_sha256,
      sha256: sha256 ?? "",
    })),
    signed: publication.signed,
    detail: isTruncated(detail) ? wordsOn(detail) : detail,
  };
}

function authorizationToWire(authorization: NonNullable<AuditRecord["authorization"]>): WireAuthorization {
  const { action, resource, decision, policies } = authorization;
  return { action, resource, decision: AuditDecision[decision], policies: listOf(policies) };
}

/** What was too long for a record is left out here as well; the leaf tells its hash and length. */
function listOf<T>(list: readonly T[] | Truncated | undefined): readonly T[] {
  return list === undefined || isTruncated(list) ? [] : list;
}

function isTruncated(value: unknown): value is Truncated {
  return typeof value === "object" && value !== null && (value as Partial<Truncated>).truncated === true;
}

function wordsOn({ length, sha256 }: Truncated): string {
  return `too long to be kept: ${length} bytes with the SHA-256 ${sha256}`;
}
