import { AuditServiceService } from "../../gen/imagetrust/v1/audit.ts";
import type { Call } from "../audit/call.ts";
import { getRecord, listRecords } from "../audit/query.ts";
import { recordReading } from "../audit/reading.ts";
import type { Sequencer } from "../audit/sequencer.ts";
import type { Database } from "../database.ts";
import { Fault } from "../errors.ts";
import { parseGetAuditRecord, parseListAuditRecords } from "./audit-requests.ts";
import { recordToWire } from "./audit-wire.ts";
import type { Edge } from "./edge.ts";
import { implement } from "./implement.ts";
import { listFitting } from "./page.ts";
import type { ServedService } from "./served-service.ts";

export interface AuditServiceParts {
  readonly database: Database;
  readonly sequencer: Pick<Sequencer, "catchUp" | "wake">;
  readonly now: () => Date;
}

/** Serves imagetrust.v1.AuditService. Whoever is answered has been recorded as a reader before. */
export function auditService(edge: Edge, { database, sequencer, now }: AuditServiceParts): ServedService {
  const record = async (call: Call, eventType: "audit.listed.v1" | "audit.read.v1") => {
    await recordReading(database, call, eventType, now());
    sequencer.wake();
  };
  return implement(edge, AuditServiceService, {
    listAuditRecords: async (request, call) => {
      const { filter, page } = parseListAuditRecords(request);
      await sequencer.catchUp(call.signal);
      const response = await listFitting(AuditServiceService.listAuditRecords, page, async (fitting) => {
        const { records, nextToken } = await listRecords(database, filter, fitting);
        return { records: records.map(recordToWire), nextPageToken: nextToken };
      });
      await record(call, "audit.listed.v1");
      return response;
    },
    getAuditRecord: async (request, call) => {
      const id = parseGetAuditRecord(request);
      await sequencer.catchUp(call.signal);
      const found = await getRecord(database, id);
      if (found === undefined) {
        throw new Fault("NOT_FOUND", "There is no such record in the log; list records for their index and event_id.");
      }
      await record(call, "audit.read.v1");
      return { record: recordToWire(found) };
    },
  });
}
