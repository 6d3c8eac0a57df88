import { type Listing, type Page, type PageRequest, pageOf, readPageToken } from "../../changes/page-token.ts";
import type { Database } from "../../database.ts";
import type { RoleName } from "../../names.ts";
import { type Expiring, type ExpiringFilter, type ExpiringKind, findExpiring } from "./expiring-store.ts";

/** What ends, by when; what has ended already comes first. */
export async function listExpiring(db: Database, filter: ExpiringFilter, page: PageRequest): Promise<Page<Expiring>> {
  const listing: Listing = {
    name: "expiring",
    filter: {
      until: filter.until === undefined ? "" : String(filter.until.getTime()),
      prefix: filter.gunPrefix,
      team: filter.team,
      kinds: filter.kinds,
    },
    key: [
      /^[0-9]{1,15}$/,
      /^(?:ROOT|TARGETS|DELEGATION|CERTIFICATE)$/,
      /^[a-z0-9.:_/-]{1,255}$/,
      /^[a-z0-9_/-]{0,255}$/,
    ],
  };
  const key = readPageToken(listing, page.token);
  const [end = "", kind = "", name = "", role = ""] = key ?? [];
  const after =
    key === undefined
      ? undefined
      : { endsAt: new Date(Number(end)), kind: kind as ExpiringKind, name, role: role as RoleName | "" };
  const found = await findExpiring(db, filter, after, page.size + 1);
  return pageOf(listing, page.size, found, (one) => [String(one.endsAt.getTime()), one.kind, one.name, one.role]);
}
