import type { Commitment, Progress, Publication, PublicationState } from "../../changes/outcome.ts";
import type { Database } from "../../database.ts";
import type { ChangeSignals } from "../change-signals.ts";
import { findCollectionById, findCollectionsById } from "../collection-store.ts";
import { publicationFor, publicationOfItem } from "../publication-view.ts";
import { findRollout, isRolloutPending, listRolloutItems, rolloutTeams } from "./rollout-store.ts";

type Followed = Awaited<ReturnType<Progress["follow"]>>;
type Waiting = Parameters<Progress["follow"]>[1];

/** How many of a rollout's collections an Outcome names. */
const named = 50;
/** A state read just before a signal is looked at again after this long at the latest. */
const lookAgainMs = 1_000;
const firstLookMs = 100;

export interface ProgressParts {
  readonly database: Database;
  readonly signals: ChangeSignals;
  /** Tells the publisher that something is due; a hint. */
  readonly wake: (commitment: Commitment) => void;
  /** The longest a call waits when its deadline is far; ms. */
  readonly longestWaitMs: number;
}

/** Follows commitments by reading rows: in-process signals and one poller only say when to look. */
export function createProgress(parts: ProgressParts): Progress {
  return {
    follow: async (commitment, waiting) => {
      parts.wake(commitment);
      const until = untilOf(waiting, parts.longestWaitMs);
      if (commitment.collection !== undefined) {
        const { id, generation } = commitment.collection;
        return await followCollection(parts, id, generation, until, waiting.signal);
      }
      if (commitment.rolloutId !== undefined) {
        return await followRollout(parts, commitment.rolloutId, until, waiting.signal);
      }
      return { state: "UNCHANGED", publications: [], rollout: undefined, teamRevisions: [] };
    },
  };
}

/** The deadline less 10 %, at least 50 ms, of what is left, and never more than the longest wait. */
function untilOf(waiting: Waiting, longestWaitMs: number): number {
  const now = Date.now();
  if (!waiting.wait) return now;
  const left = waiting.deadline - now;
  return now + Math.min(longestWaitMs, left - Math.max(50, left / 10));
}

async function followCollection(
  { database, signals }: ProgressParts,
  id: bigint,
  generation: bigint,
  until: number,
  signal: AbortSignal,
): Promise<Followed> {
  // What was just decided is hardly live yet: the first look comes after the first signal, or soon.
  if (until > Date.now()) await signals.changed(id, Math.min(until - Date.now(), firstLookMs), signal);
  for (;;) {
    const left = until - Date.now();
    // Watch before reading, so that nothing that happens in between is missed.
    const changed = left > 0 ? signals.changed(id, Math.min(left, lookAgainMs), signal) : undefined;
    const collection = await findCollectionById(database, id);
    if (collection === undefined) throw new Error(`collection ${id} is gone`);
    const publication = await publicationFor(database, collection, generation);
    if (publication.state !== "PENDING" || changed === undefined || signal.aborted) {
      return { state: publication.state, publications: [publication], rollout: undefined, teamRevisions: [] };
    }
    await changed;
  }
}

async function followRollout(
  { database, signals }: ProgressParts,
  id: string,
  until: number,
  signal: AbortSignal,
): Promise<Followed> {
  for (;;) {
    const left = until - Date.now();
    const changed = left > 0 ? signals.anyChanged(Math.min(left, lookAgainMs / 2), signal) : undefined;
    const pending = await isRolloutPending(database, id);
    if (!pending || changed === undefined || signal.aborted) return await rolloutAsOfNow(database, id);
    await changed;
    // Many collections close in a row: look at most twenty times a second.
    await signals.changed(-1n, 50, signal);
  }
}

async function rolloutAsOfNow(database: Database, id: string): Promise<Followed> {
  const [rollout, publications, teamRevisions] = await Promise.all([
    findRollout(database, id),
    rolloutPublications(database, id, [], "", named),
    rolloutTeams(database, id),
  ]);
  if (rollout === undefined) throw new Error(`rollout ${id} is gone`);
  const counts: readonly (readonly [PublicationState, number])[] = [
    ["PENDING", rollout.pending],
    ["BLOCKED", rollout.blocked],
    ["REFUSED", rollout.refused],
    ["CANCELLED", rollout.cancelled],
    ["SUPERSEDED", rollout.superseded],
    ["PUBLISHED", rollout.published],
  ];
  const least = counts.find(([, count]) => count > 0);
  return { state: least?.[0] ?? "UNCHANGED", publications, rollout, teamRevisions };
}

/** A page of a rollout's collections as publications, ascending by GUN. */
export async function rolloutPublications(
  database: Database,
  id: string,
  states: readonly PublicationState[],
  after: string,
  limit: number,
): Promise<readonly Publication[]> {
  const items = await listRolloutItems(database, id, states, after, limit);
  const collections = new Map(
    (
      await findCollectionsById(
        database,
        items.map((item) => item.collectionId),
      )
    ).map((collection) => [collection.id, collection]),
  );
  const publications: Publication[] = [];
  for (const item of items) {
    const collection = collections.get(item.collectionId);
    if (collection === undefined) continue;
    publications.push(await publicationOfItem(database, collection, item));
  }
  return publications;
}
