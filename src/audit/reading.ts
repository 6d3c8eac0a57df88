import type { Database } from "../database.ts";
import { appendRecord } from "./append.ts";
import type { Call } from "./call.ts";
import type { RecordDraft } from "./record.ts";
import { callerOf } from "./refusal.ts";

/**
 * Records that a caller read the audit log; it MUST be kept before the caller is answered. It belongs to the history of the
 * caller alone: to read about a thing is not a part of that thing's history. What was asked for stands in the authorization.
 */
export async function recordReading(
  database: Database,
  call: Call,
  eventType: "audit.listed.v1" | "audit.read.v1",
  now: Date,
): Promise<void> {
  const draft: RecordDraft = {
    eventType,
    stage: "RESULT",
    severity: "INFO",
    subject: callerOf(call),
    about: [],
    result: "OK",
    resultReason: "",
    gun: undefined,
    change: undefined,
    publication: undefined,
  };
  await database.transaction((tx) => appendRecord(tx, call, draft, now));
}
