import {
  AuditDecision,
  type AuditRecord,
  AuditSeverity,
  AuditStage,
  AuditSubjectType,
} from "../../gen/imagetrust/v1/audit.ts";
import { nameOf } from "./json.ts";
import { details, table } from "./table.ts";
import { printable } from "./terminal.ts";
import { moreText, timeText } from "./words.ts";

/** Records, one a row. */
export function recordsText(records: readonly AuditRecord[], nextPageToken: string): string {
  if (records.length === 0) return "No records.\n";
  const rows = records.map((record) => [
    String(record.index),
    timeText(record.occurTime),
    record.actor?.id ?? "",
    record.eventType,
    resultText(record),
    subjectText(record.subject),
  ]);
  return table(["INDEX", "TIME", "ACTOR", "EVENT", "RESULT", "ABOUT"], rows) + moreText(nextPageToken);
}

/** One record with what changed and what was published. */
export function recordText(record: AuditRecord): string {
  const { actor, authorization, publication } = record;
  const head = details([
    ["Index", String(record.index)],
    ["Event id", record.eventId],
    ["Event", record.eventType],
    ["Result", resultText(record)],
    ["Stage", nameOf(AuditStage, record.stage)],
    ["Severity", nameOf(AuditSeverity, record.severity)],
    ["About", [record.subject, ...record.about].map(subjectText).join(", ")],
    ["In its history", String(record.subjectSeq)],
    ["Happened", timeText(record.occurTime)],
    ["Sequenced", timeText(record.sequenceTime)],
    ["Actor", actor === undefined ? "" : `${actor.id} (${actor.authentication})`],
    ["Certificate", actor?.certificateSha256 ?? ""],
    ["Method", record.method],
    ["Decision", authorization === undefined ? "" : decisionText(authorization)],
    ["Reason", record.reason],
    ["Request id", record.requestId],
    ["Trace id", record.traceId],
    ["Peer", record.peer],
    ["User agent", record.userAgent],
    ["Upload", publication === undefined ? "" : publicationText(publication)],
    ["Detail", publication?.detail ?? ""],
  ]);
  const diff = (record.change?.diff ?? []).map((line) => `  ${printable(line)}\n`).join("");
  const roles = publication?.roles ?? [];
  const published = roles.map((role) => [role.role, String(role.version), role.sha256, role.payloadSha256]);
  return [
    head,
    diff === "" ? "" : `\nChange\n${diff}`,
    published.length === 0 ? "" : `\n${table(["ROLE", "VERSION", "SHA-256", "PAYLOAD SHA-256"], published)}`,
  ].join("");
}

function resultText(record: AuditRecord): string {
  return record.resultReason === "" ? record.result : `${record.result} (${record.resultReason})`;
}

function subjectText(subject: AuditRecord["subject"]): string {
  return subject === undefined ? "" : `${nameOf(AuditSubjectType, subject.type).toLowerCase()} ${subject.id}`;
}

function decisionText(authorization: NonNullable<AuditRecord["authorization"]>): string {
  const policies = authorization.policies.length === 0 ? "no policy" : authorization.policies.join(", ");
  const decision = nameOf(AuditDecision, authorization.decision);
  return `${decision} ${authorization.action} on ${authorization.resource} by ${policies}`;
}

function publicationText(publication: NonNullable<AuditRecord["publication"]>): string {
  const { uploadId, kind, fromGeneration, toGeneration, signed } = publication;
  const generations =
    fromGeneration === toGeneration ? `generation ${toGeneration}` : `generations ${fromGeneration} to ${toGeneration}`;
  return `${uploadId} (${kind}, ${generations}, ${signed ? "signed" : "not signed"})`;
}
