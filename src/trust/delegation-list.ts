import { type Listing, type Page, type PageRequest, pageOf, readPageToken } from "../changes/page-token.ts";
import type { Database } from "../database.ts";
import { Fault } from "../errors.ts";
import type { Gun, TeamId } from "../names.ts";
import { listDelegationRows } from "./delegation-store.ts";
import { type Delegation, viewDelegations } from "./delegation-view.ts";
import { gunKey, teamKey } from "./page-keys.ts";
import type { TrustReader } from "./trust-reading.ts";

/** Delegations by repository, by team, or both, ascending by GUN and team. */
export async function listDelegations(
  db: Database,
  reader: TrustReader,
  filter: { readonly gun: Gun | ""; readonly team: TeamId | "" },
  page: PageRequest,
): Promise<Page<Delegation>> {
  if (filter.gun === "" && filter.team === "") {
    const fault = "at least one of gun and team must be given";
    throw new Fault("INVALID_FIELD", "The list needs a gun or a team.", {
      fields: [
        { field: "gun", fault },
        { field: "team", fault },
      ],
    });
  }
  const listing: Listing = { name: "delegations", filter: { ...filter }, key: [gunKey, teamKey] };
  const [gun = "", team = ""] = readPageToken(listing, page.token) ?? [];
  if (filter.gun !== "") {
    const all = (await reader.find(filter.gun))?.desiredDelegations ?? [];
    const found = all.filter((one) => (filter.team === "" || one.team === filter.team) && isAfter(one, { gun, team }));
    return pageOf(listing, page.size, found, (one) => [one.gun, one.team]);
  }
  const rows = await listDelegationRows(db, filter.team, { gun, team }, page.size + 1);
  const { items, nextToken } = pageOf(listing, page.size, rows, (row) => [row.gun, row.team]);
  return { items: await viewDelegations(db, items), nextToken };
}

/** In the order of the database, whose collation of both is by bytes; both are ASCII. */
function isAfter(one: Delegation, { gun, team }: { readonly gun: string; readonly team: string }): boolean {
  return one.gun > gun || (one.gun === gun && one.team > team);
}
