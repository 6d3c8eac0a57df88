import type { PublicationState } from "../changes/outcome.ts";
import { type Listing, type Page, type PageRequest, pageOf, readPageToken } from "../changes/page-token.ts";
import type { KeyRef } from "../changes/plan.ts";
import type { Database, Queryable } from "../database.ts";
import { Fault } from "../errors.ts";
import type { Gun, TeamId } from "../names.ts";
import { signingCertificatesOf } from "../teams/signing-certificates-store.ts";
import { type Collection, findCollection, findCollectionsById } from "./collection-store.ts";
import { currentDelegations, type DelegationRow, listDelegationRows } from "./delegation-store.ts";
import { delegationEtag } from "./guard-reading.ts";
import { gunKey, teamKey } from "./page-keys.ts";
import { keyRefOf } from "./planner.ts";

/** A delegation as decided, with how far it is live; see imagetrust.v1.Delegation. */
export interface Delegation {
  readonly gun: Gun;
  readonly team: TeamId;
  readonly paths: readonly string[];
  readonly excludeFromReleases: boolean;
  readonly keys: readonly KeyRef[];
  readonly etag: string;
  readonly state: Extract<PublicationState, "PUBLISHED" | "PENDING" | "BLOCKED">;
  readonly teamRevision: bigint;
  readonly publishedTeamRevision: bigint;
  readonly createdAt: Date;
  readonly publishedAt: Date | undefined;
}

/** The delegation of one repository to one team. */
export async function getDelegation(db: Database, gun: Gun, team: TeamId): Promise<Delegation> {
  const collection = await findCollection(db, gun);
  const rows = collection === undefined ? [] : await currentDelegations(db, [collection.id]);
  const row = rows.find((one) => one.team === team);
  if (row === undefined) {
    throw new Fault("NOT_FOUND", `${gun} is not delegated to team ${team}.`, { metadata: { gun, team } });
  }
  const [delegation] = await viewDelegations(db, [row]);
  if (delegation === undefined) throw new Error("a delegation was not viewed");
  return delegation;
}

/** Delegations by repository, by team, or both, ascending by GUN and team. */
export async function listDelegations(
  db: Database,
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
  const rows = await listDelegationRows(db, filter, { gun, team }, page.size + 1);
  const { items, nextToken } = pageOf(listing, page.size, rows, (row) => [row.gun, row.team]);
  return { items: await viewDelegations(db, items), nextToken };
}

/** Joins decided delegations with the keys of their teams and the states of their collections: two queries for any number. */
export async function viewDelegations(db: Queryable, rows: readonly DelegationRow[]): Promise<readonly Delegation[]> {
  const certificates = await signingCertificatesOf(db, [...new Set(rows.map((row) => row.team))]);
  const ids = [...new Set(rows.map((row) => row.collectionId))];
  const collections = new Map((await findCollectionsById(db, ids)).map((one) => [one.id, one]));
  return rows.map((row) => ({
    gun: row.gun,
    team: row.team,
    paths: row.paths,
    excludeFromReleases: !row.inReleases,
    keys: (certificates.get(row.team) ?? []).map(keyRefOf),
    etag: delegationEtag(row),
    state: stateOf(row, collections.get(row.collectionId)),
    teamRevision: row.teamRevision,
    publishedTeamRevision: row.publishedRevision,
    createdAt: row.validFrom,
    publishedAt: row.liveFrom ?? undefined,
  }));
}

function stateOf(row: DelegationRow, collection: Collection | undefined): Delegation["state"] {
  const isLive =
    row.publishedRevision >= row.teamRevision && (collection?.publishedGeneration ?? 0n) >= row.sinceGeneration;
  if (isLive) return "PUBLISHED";
  return collection?.blockReason ? "BLOCKED" : "PENDING";
}
