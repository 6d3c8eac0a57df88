import type { Command } from "commander";
import { AuditServiceService, type GetAuditRecordRequest } from "../../gen/imagetrust/v1/audit.ts";
import { recordsText, recordText } from "./audit-text.ts";
import { UsageError } from "./exit-code.ts";
import { addPageFlags, list } from "./lists.ts";
import { collect, parseTime } from "./option-values.ts";
import { type Perform, show } from "./session.ts";

interface Filters {
  readonly gun: string;
  readonly team: string;
  readonly member: string;
  readonly actor: string;
  readonly type: readonly string[];
  readonly result: readonly string[];
  readonly since: Date | undefined;
  readonly until: Date | undefined;
}

/** Adds `audit` to the command. */
export function addAuditCommands(program: Command, perform: Perform): void {
  const audit = program.command("audit").description("who asked for what, and what became of it");
  addList(audit, perform);
  const get = audit.command("get <index|event-id>").description("show one record");
  get.action((id: string) =>
    perform(get, async (session) => {
      const request = parseRecordId(id);
      const response = await session.api.call(AuditServiceService.getAuditRecord, request, session.deadline);
      show(session, response, ({ record }) => (record === undefined ? "" : recordText(record)));
      return 0;
    }),
  );
}

function addList(audit: Command, perform: Perform): void {
  const several = audit
    .command("list")
    .description("list records, newest first")
    .option("--gun <gun>", "only about this repository", "")
    .option("--team <team>", "only about this team", "")
    .option("--member <member>", "only about this member", "")
    .option("--actor <id>", "only what this caller did", "")
    .option("--type <event-type>", "only this event type, such as delegation.delegated.v1 (repeatable)", collect, [])
    .option("--result <result>", "only this result, such as OK or PERMISSION_DENIED (repeatable)", collect, [])
    .option("--since <time>", "only from this time on", parseTime)
    .option("--until <time>", "only before this time", parseTime);
  addPageFlags(several).action(() =>
    perform(several, (session) => {
      const { gun, team, member, actor, type, result, since, until } = several.opts<Filters>();
      return list(
        session,
        several,
        AuditServiceService.listAuditRecords,
        (page) => ({
          ...page,
          gun,
          team,
          member,
          actor,
          eventTypes: type,
          results: result,
          startTime: since,
          endTime: until,
        }),
        "records",
        ({ records, nextPageToken }) => recordsText(records, nextPageToken),
      );
    }),
  );
}

function parseRecordId(text: string): GetAuditRecordRequest {
  if (/^[0-9]{1,18}$/.test(text)) return { id: { $case: "index", value: BigInt(text) } };
  if (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) {
    return { id: { $case: "eventId", value: text.toLowerCase() } };
  }
  throw new UsageError("Give a record's index, such as 17, or its event id, a UUID.");
}
