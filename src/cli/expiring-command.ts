import type { Command } from "commander";
import { type Expiring, ExpiringKind, ExpiryServiceService } from "../../gen/imagetrust/v1/expiry.ts";
import { nameOf } from "./json.ts";
import { addPageFlags, list } from "./lists.ts";
import { collectEnum, parseTime } from "./option-values.ts";
import type { Perform } from "./session.ts";
import { table } from "./table.ts";
import { moreText, timeText } from "./words.ts";

interface Filters {
  readonly until: Date | undefined;
  readonly prefix: string;
  readonly team: string;
  readonly kind: readonly ExpiringKind[];
}

/** Adds `expiring` to the command. */
export function addExpiringCommand(program: Command, perform: Perform): void {
  const expiring = program
    .command("expiring")
    .description("what ends, and when: files of repositories, and members' certificates")
    .option("--until <time>", "only what ends at this time or before", parseTime)
    .option("--prefix <prefix>", "only repositories whose name begins so, and certificates that count there", "")
    .option("--team <team>", "only what concerns this team", "")
    .option("--kind <kind>", "root, targets, delegation or certificate (repeatable)", collectEnum(ExpiringKind), []);
  addPageFlags(expiring).action(() =>
    perform(expiring, (session) => {
      const { until, prefix, team, kind } = expiring.opts<Filters>();
      return list(
        session,
        expiring,
        ExpiryServiceService.listExpiring,
        (page) => ({ ...page, untilTime: until, gunPrefix: prefix, team, kinds: kind }),
        "items",
        ({ items, nextPageToken }) => expiringText(items, nextPageToken),
      );
    }),
  );
}

/** What ends, one a row. */
export function expiringText(items: readonly Expiring[], nextPageToken: string): string {
  if (items.length === 0) return "Nothing ends.\n";
  const rows = items.map((item) => [
    timeText(item.expireTime),
    nameOf(ExpiringKind, item.kind),
    item.certificate === "" ? `${item.gun} ${item.role} ${item.version}` : `${item.certificate} of ${item.member}`,
    whoActs(item),
  ]);
  return table(["ENDS", "KIND", "WHAT", "WHO ACTS"], rows) + moreText(nextPageToken);
}

function whoActs({ kind, renewedByService, member }: Expiring): string {
  if (renewedByService) return "the service";
  if (kind === ExpiringKind.CERTIFICATE) return member;
  return kind === ExpiringKind.DELEGATION ? "a member signs again" : "an operator: the collection is blocked";
}
