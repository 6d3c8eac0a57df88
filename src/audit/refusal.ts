import type { Database, Queryable } from "../database.ts";
import type { ErrorReason, Fault } from "../errors.ts";
import { appendRecord } from "./append.ts";
import type { Call } from "./call.ts";
import { subjectOf } from "./compose-record.ts";
import type { RecordDraft, Severity, Subject } from "./record.ts";

/**
 * Records that a call was refused, in a transaction of its own. `meant` is the thing the call was about: the record joins
 * its history if it has one, else that of the caller, so that names made up by callers start no histories. Nothing of a
 * request that held a private key is recorded: not its digest, its id, nor its free text.
 */
export async function recordRefusal(
  database: Database,
  call: Call,
  fault: Fault,
  now: Date,
  meant?: Subject,
): Promise<void> {
  const subject = await subjectOfRefusal(database, call, meant);
  const draft: RecordDraft = {
    eventType: "call.refused.v1",
    stage: "DENIED",
    severity: severityOf(fault.reason),
    subject,
    about: [],
    result: fault.kind,
    resultReason: fault.reason,
    gun: undefined,
    change: undefined,
    publication: undefined,
  };
  const told = fault.reason === "PRIVATE_KEY_PRESENTED" ? withoutWords(call) : call;
  await database.transaction((tx) => appendRecord(tx, told, draft, now));
}

/** The caller as the subject of a record. */
export function callerOf(call: Call): Subject {
  return { type: "caller", id: call.actor.id };
}

/** How much a refusal for this reason should worry somebody who watches. */
export function severityOf(reason: ErrorReason): Severity {
  if (reason === "PRIVATE_KEY_PRESENTED") return "ALERT";
  return reason === "NOT_PERMITTED" || reason === "UNAUTHENTICATED" ? "WARNING" : "NOTICE";
}

/** The call without anything that its request said. */
export function withoutWords(call: Call): Call {
  return { ...call, authorization: undefined, requestId: "", requestDigest: "", reason: "", userAgent: "" };
}

async function subjectOfRefusal(db: Queryable, call: Call, meant: Subject | undefined): Promise<Subject> {
  if (meant === undefined) return callerOf(call);
  const subject = subjectOf(meant);
  const head = await db.row("select from audit.subjects where type = :type and id = :id", { ...subject });
  return head === undefined ? callerOf(call) : subject;
}
