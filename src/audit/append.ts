import { randomBytes } from "node:crypto";
import type { Transaction } from "../database.ts";
import { boundRecord } from "./bound-record.ts";
import type { Call } from "./call.ts";
import { composeRecord, subjectOf, thingsOf } from "./compose-record.ts";
import { eventIdOf } from "./event-id.ts";
import type { RecordDraft } from "./record.ts";

/**
 * Appends one record to the audit log: it is kept exactly when the transaction is. It MUST be called when the rows of the
 * change are locked already, so that of two changes of one thing the later has the later record; best as the last statement.
 */
export async function appendRecord(tx: Transaction, call: Call, draft: RecordDraft, now: Date): Promise<void> {
  const identity = { eventId: eventIdOf(now, randomBytes(10)), nonce: randomBytes(16) };
  const subject = subjectOf(draft.subject);
  const things = thingsOf(draft);
  await tx.run(
    `insert into audit.intake(event_id, subject_type, subject_id, about_types, about_ids, occurred_at, record)
     values (:eventId, :subjectType, :subjectId, :aboutTypes, :aboutIds, :now, :record)`,
    {
      eventId: identity.eventId,
      subjectType: subject.type,
      subjectId: subject.id,
      aboutTypes: things.map((thing) => thing.type),
      aboutIds: things.map((thing) => thing.id),
      now,
      record: boundRecord(composeRecord(call, draft, now, identity)),
    },
  );
}
