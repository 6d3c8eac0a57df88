import type { Site } from "./site.ts";

/** Does one side's work and answers its rate; `round` is another number each time, also when a pair is repeated. */
export type Side = (round: number) => Promise<number>;

export interface Pairs {
  readonly ours: number;
  readonly peer: number;
  /** Medians of what the further sides found, in their order. */
  readonly others: readonly number[];
  /** Medians of the pairwise ratios, ours to the peer's. */
  readonly ratio: number;
  /** How many pairs, and how far their ratios lie apart. */
  readonly conditions: string;
}

/** Rounds of pairs that a server's death spoiled; more are a fault of their own. */
const mostSpoiled = 5;

/** How many rounds a run of so many pairs may take, the one that warms up included. */
export function roundsOf(pairs: number): number {
  return 1 + pairs + mostSpoiled;
}

/**
 * Lets both sides work in turn, once to warm up and then `pairs` times. A pair in which notary-server died by itself, as it may under
 * concurrent uploads, is repeated and counted.
 */
export async function runPairs(site: Site, pairs: number, ours: Side, peer: Side, ...others: Side[]): Promise<Pairs> {
  const sides = [ours, peer, ...others];
  const kept: number[][] = [];
  let spoiled = 0;
  for (let round = 0; kept.length <= pairs; round++) {
    const figures = await site.unlessNotaryDies(() => inTurn(sides, round));
    if (figures !== undefined) kept.push(figures);
    else if (++spoiled > mostSpoiled) throw new Error("notary-server dies in every round");
  }
  const counted = kept.slice(1);
  const ratios = counted.map(([our = 0, their = 0]) => our / their);
  const deaths = spoiled === 0 ? "" : `, ${spoiled} more spoiled by a death of notary-server`;
  return {
    ours: median(counted.map((figures) => figures[0] ?? 0)),
    peer: median(counted.map((figures) => figures[1] ?? 0)),
    others: others.map((_, index) => median(counted.map((figures) => figures[index + 2] ?? 0))),
    ratio: median(ratios),
    conditions: `${pairs} interleaved pairs, ratios ${rangeOf(ratios)}${deaths}`,
  };
}

async function inTurn(sides: readonly Side[], round: number): Promise<number[]> {
  const figures: number[] = [];
  for (const side of sides) figures.push(await side(round));
  return figures;
}

/** The middle value; of an even number of values the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2;
}

/** Smallest and greatest, such as `0.91-1.02`. */
export function rangeOf(values: readonly number[]): string {
  return `${Math.min(...values).toFixed(2)}-${Math.max(...values).toFixed(2)}`;
}

/** How many of `count` things the work did in a second. */
export async function rateOf(count: number, work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return (count * 1_000) / (performance.now() - began);
}

/** Lets workers share the items, each taking the next as soon as it is through with one. */
export async function share<Item, Worker>(
  items: readonly Item[],
  workers: readonly Worker[],
  work: (worker: Worker, item: Item) => Promise<unknown>,
): Promise<void> {
  const left = items.values();
  await Promise.all(
    workers.map(async (worker) => {
      for (const item of left) await work(worker, item);
    }),
  );
}
