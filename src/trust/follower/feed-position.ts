import type { FeedRow } from "../../notary/server.ts";

/** A row of a changefeed that was read, and what it said. */
export interface FeedMark {
  readonly id: bigint;
  readonly mark: string;
}

/**
 * How far a changefeed was read. Transactions that draw their ids early may commit late, so a row can appear below others: ids that are
 * missing are waited for, and what lies above them is remembered meanwhile.
 */
export interface FeedPosition {
  /** The last row before which none is missing; undefined: the beginning. This is what is kept over a restart. */
  readonly base: FeedMark | undefined;
  /** Rows above it that were read, by id, with the time they were first seen. */
  readonly ahead: ReadonlyMap<bigint, { readonly mark: string; readonly since: number }>;
}

export const feedBeginning: FeedPosition = { base: undefined, ahead: new Map() };

/** The id to ask after. The base itself is asked for once more: an answer that does not begin with it is of another feed. */
export function askAfter({ base }: FeedPosition): bigint {
  return base === undefined ? 0n : base.id - 1n;
}

/** Whether the first rows asked for by `askAfter` come from the feed that was read before. */
export function isSameFeed({ base }: FeedPosition, rows: readonly FeedRow[]): boolean {
  const [first] = rows;
  return base === undefined || (first !== undefined && first.id === base.id && markOf(first) === base.mark);
}

/**
 * Takes in rows of the same feed: which of them are new, and how far it is read now. A missing id is given up when what follows it
 * has waited for `gapMs`: a transaction that was rolled back leaves one for ever.
 */
export function readOn(
  position: FeedPosition,
  rows: readonly FeedRow[],
  nowMs: number,
  gapMs: number,
): { readonly position: FeedPosition; readonly fresh: readonly FeedRow[] } {
  const from = position.base?.id ?? 0n;
  const fresh = rows.filter(({ id }) => id > from && !position.ahead.has(id));
  const ahead = new Map(position.ahead);
  for (const row of fresh) ahead.set(row.id, { mark: markOf(row), since: nowMs });
  let { base } = position;
  for (const [id, { mark, since }] of [...ahead].sort(([one], [other]) => (one < other ? -1 : 1))) {
    if (id !== (base?.id ?? 0n) + 1n && nowMs - since < gapMs) break;
    base = { id, mark };
    ahead.delete(id);
  }
  return { position: { base, ahead }, fresh };
}

function markOf({ gun, version, sha256 }: FeedRow): string {
  return `${version} ${sha256} ${gun}`.toWellFormed().replaceAll("\0", "");
}
