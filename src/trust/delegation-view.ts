import type { PublicationState } from "../changes/outcome.ts";
import type { KeyRef } from "../changes/plan.ts";
import type { Database, Queryable } from "../database.ts";
import { Fault } from "../errors.ts";
import type { Gun, TeamId } from "../names.ts";
import { signingCertificatesOf } from "../teams/signing-certificates-store.ts";
import { type Collection, findCollection, findCollectionsById } from "./collection-store.ts";
import { delegationEtag } from "./delegation-etag.ts";
import { currentDelegations, type DelegationRow } from "./delegation-store.ts";
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
  /** The id of the rule that made it; empty where somebody did. */
  readonly rule: string;
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
    rule: row.ruleId ?? "",
  }));
}

function stateOf(row: DelegationRow, collection: Collection | undefined): Delegation["state"] {
  const isLive =
    row.publishedRevision >= row.teamRevision && (collection?.publishedGeneration ?? 0n) >= row.sinceGeneration;
  if (isLive) return "PUBLISHED";
  return collection?.blockReason ? "BLOCKED" : "PENDING";
}
