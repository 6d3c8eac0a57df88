import {
  AuditActorType,
  AuditDecision,
  AuditSeverity,
  AuditStage,
  AuditSubjectType,
} from "../../gen/imagetrust/v1/audit.ts";
import {
  BlockReason,
  PendingReason,
  PublicationState,
  RolloutKind,
  WarningCode,
} from "../../gen/imagetrust/v1/change.ts";
import { SignatureState } from "../../gen/imagetrust/v1/signature.ts";
import { CertificateState, MemberKind, RevocationReason } from "../../gen/imagetrust/v1/team.ts";
import { CollectionState } from "../../gen/imagetrust/v1/trust.ts";

type Names = Readonly<Record<string, number>>;

/** The fields that hold enum numbers: the field, another field of its message that tells same-named ones apart, the names. */
const enumFields: readonly (readonly [field: string, beside: string, names: Names])[] = [
  ["state", "pendingReason", PublicationState],
  ["state", "validatedOnly", PublicationState],
  ["state", "excludeFromReleases", PublicationState],
  ["state", "rootPin", CollectionState],
  ["state", "introducedBy", SignatureState],
  ["state", "notAfter", CertificateState],
  ["pendingReason", "state", PendingReason],
  ["blockReason", "state", BlockReason],
  ["revocationReason", "notAfter", RevocationReason],
  ["code", "dueTime", WarningCode],
  ["kind", "superseded", RolloutKind],
  ["kind", "teams", MemberKind],
  ["type", "authentication", AuditActorType],
  ["type", "id", AuditSubjectType],
  ["stage", "subjectSeq", AuditStage],
  ["severity", "subjectSeq", AuditSeverity],
  ["decision", "policies", AuditDecision],
];

/**
 * A response as JSON, indented: field names as in proto JSON, 64-bit integers as strings, times as ISO 8601, bytes as base64,
 * enum values by name without their prefix.
 */
export function jsonOf(response: unknown): string {
  return `${JSON.stringify(response, replace, 2)}\n`;
}

/** The same on one line, for answers that come one after another. */
export function jsonLineOf(response: unknown): string {
  return `${JSON.stringify(response, replace)}\n`;
}

/** The name of an enum value without its prefix; an unknown number stays a number. */
export function nameOf(names: Names, value: number): string {
  return Object.keys(names).find((name) => names[name] === value) ?? String(value);
}

function replace(this: unknown, field: string, shown: unknown): unknown {
  const holder = this as Readonly<Record<string, unknown>>;
  const value = holder[field];
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (typeof value === "number") {
    const found = enumFields.find(([name, beside]) => name === field && beside in holder);
    if (found !== undefined) return Object.keys(found[2]).find((name) => found[2][name] === value) ?? value;
  }
  return shown;
}
