import type { GetAuditRecordRequest, ListAuditRecordsRequest } from "../../gen/imagetrust/v1/audit.ts";
import { everyRecord, type RecordFilter } from "../audit/query.ts";
import type { PageRequest } from "../changes/page-token.ts";
import { kindOfReason } from "../errors.ts";
import { type Parsed, parseGun, parseMemberId, parseTeamId } from "../names.ts";
import { parseFilter, parseInstant, parseLine, type Read, readEach, readFields, right, wrong } from "./fields.ts";
import { readPage } from "./page.ts";

export interface ListAuditRecords {
  readonly filter: RecordFilter;
  readonly page: PageRequest;
}

const mostValues = 100;

export function parseListAuditRecords(request: ListAuditRecordsRequest): ListAuditRecords {
  return readFields((read) => ({
    filter: {
      ...everyRecord,
      gun: read("gun", parseFilter(request.gun, parseGun, "" as const)),
      team: read("team", parseFilter(request.team, parseTeamId, "" as const)),
      member: read("member", parseFilter(request.member, parseMemberId, "" as const)),
      actor: read("actor", parseLine(request.actor, 255)),
      eventTypes: readEach(read, "event_types", request.eventTypes, mostValues, (type, path) =>
        read(path, parseEventType(type)),
      ),
      results: readEach(read, "results", request.results, mostValues, (result, path) =>
        read(path, parseResult(result)),
      ),
      ...readTimes(read, request),
    },
    page: readPage(read, request),
  }));
}

function parseEventType(text: string): Parsed<string> {
  if (/^[a-z_]{1,64}\.[a-z_]{1,64}\.v[0-9]{1,3}$/.test(text)) return right(text);
  return wrong("must be the name of an event type, such as delegation.delegated.v1");
}

const results: ReadonlySet<string> = new Set(["OK", "REFUSED", ...Object.values(kindOfReason)]);

function parseResult(text: string): Parsed<string> {
  return results.has(text) ? right(text) : wrong(`must be one of ${[...results].join(", ")}`);
}

function readTimes(
  read: Read,
  { startTime, endTime }: { readonly startTime: Date | undefined; readonly endTime: Date | undefined },
): Pick<RecordFilter, "from" | "until"> {
  const from = read("start_time", parseInstant(startTime));
  const until = read("end_time", parseInstant(endTime));
  if (from !== undefined && until !== undefined && until < from) {
    read("end_time", wrong("must not be before start_time"));
  }
  return { from, until };
}

/** One record's name: its place in the log, or the UUID it was written under. */
export type RecordId = { readonly index: bigint } | { readonly eventId: string };

export function parseGetAuditRecord({ id }: GetAuditRecordRequest): RecordId {
  return readFields((read): RecordId => {
    if (id?.$case === "index") return { index: read("index", parseIndex(id.value)) };
    if (id?.$case === "eventId") return { eventId: read("event_id", parseEventId(id.value)) };
    read("index", wrong("must be given, or event_id must"));
    read("event_id", wrong("must be given, or index must"));
    return { index: 0n };
  });
}

function parseIndex(index: bigint): Parsed<bigint> {
  return index < 0n ? wrong("must not be negative") : right(index);
}

function parseEventId(text: string): Parsed<string> {
  if (/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)) return right(text);
  return wrong("must be the event_id of a record: a UUID in lower case");
}
