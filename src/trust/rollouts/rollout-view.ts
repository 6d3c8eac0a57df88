import type { Publication, PublicationState, Rollout } from "../../changes/outcome.ts";
import { type Listing, type Page, type PageRequest, pageOf, readPageToken } from "../../changes/page-token.ts";
import type { Database } from "../../database.ts";
import { Fault } from "../../errors.ts";
import type { Parsed } from "../../names.ts";
import { gunKey } from "../page-keys.ts";
import { rolloutPublications } from "./progress.ts";
import { findRollout, listRolloutRows, type RolloutFilter } from "./rollout-store.ts";

declare const brand: unique symbol;
/** The id of a rollout: a UUID. */
export type RolloutId = string & { readonly [brand]: "RolloutId" };

const rolloutForm = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Parses the id of a rollout, as an Outcome gave it. */
export function parseRolloutId(text: string): Parsed<RolloutId> {
  if (!rolloutForm.test(text)) {
    return { ok: false, fault: "must be the id of a rollout: a UUID in lower case" };
  }
  return { ok: true, value: text as RolloutId };
}

export interface RolloutQuery {
  readonly id: RolloutId;
  /** Only publications in these states; empty: in any. */
  readonly states: readonly PublicationState[];
}

/** A rollout with its counts as of now, and a page of what became of its collections, ascending by GUN. */
export async function getRollout(
  db: Database,
  { id, states }: RolloutQuery,
  page: PageRequest,
): Promise<{ readonly rollout: Rollout; readonly publications: Page<Publication> }> {
  const listing: Listing = { name: "rollout", filter: { id, states }, key: [gunKey] };
  const [after = ""] = readPageToken(listing, page.token) ?? [];
  const [rollout, found] = await Promise.all([
    findRollout(db, id),
    rolloutPublications(db, id, states, after, page.size + 1),
  ]);
  if (rollout === undefined) throw noSuchRollout(id);
  return { rollout, publications: pageOf(listing, page.size, found, (publication) => [publication.gun]) };
}

/** Rollouts without the counts of their collections, the newest first. */
export async function listRollouts(db: Database, filter: RolloutFilter, page: PageRequest): Promise<Page<Rollout>> {
  const { kind, actor, unfinished } = filter;
  const listing: Listing = {
    name: "rollouts",
    filter: { kind, actor, unfinished: String(unfinished) },
    key: [/^[0-9]{1,18}$/, rolloutForm],
  };
  const [micros = "", id = ""] = readPageToken(listing, page.token) ?? [];
  const after = id === "" ? undefined : { createdMicros: BigInt(micros), id };
  const found = await listRolloutRows(db, filter, after, page.size + 1);
  return pageOf(listing, page.size, found, (row) => [String(row.createdMicros), row.id]);
}

export function noSuchRollout(id: RolloutId): Fault {
  return new Fault("NOT_FOUND", `There is no rollout ${id}; the outcome of a team's change or of a batch names it.`, {
    metadata: { rollout: id },
  });
}
