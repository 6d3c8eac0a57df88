import type { Publication, PublicationState, Rollout } from "../changes/outcome.ts";
import { type Listing, type Page, type PageRequest, pageOf, readPageToken } from "../changes/page-token.ts";
import type { Database } from "../database.ts";
import { Fault } from "../errors.ts";
import type { Parsed } from "../names.ts";
import { gunKey } from "./page-keys.ts";
import { rolloutPublications } from "./progress.ts";
import { findRollout } from "./rollout-store.ts";

declare const brand: unique symbol;
/** The id of a rollout: a UUID. */
export type RolloutId = string & { readonly [brand]: "RolloutId" };

/** Parses the id of a rollout, as an Outcome gave it. */
export function parseRolloutId(text: string): Parsed<RolloutId> {
  if (!/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)) {
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
  if (rollout === undefined) {
    throw new Fault("NOT_FOUND", `There is no rollout ${id}; the outcome of a team's change names it.`, {
      metadata: { rollout: id },
    });
  }
  return { rollout, publications: pageOf(listing, page.size, found, (publication) => [publication.gun]) };
}
