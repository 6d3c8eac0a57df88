/** Does the work for every item, so many at once, and answers the results in the items' order. The first error ends it. */
export async function inParallel<Item, Result>(
  items: readonly Item[],
  atOnce: number,
  work: (item: Item, at: number) => Promise<Result>,
): Promise<readonly Result[]> {
  const results = new Array<Result>(items.length);
  const turns = items.entries();
  const lane = async (): Promise<void> => {
    for (const [at, item] of turns) results[at] = await work(item, at);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, lane));
  return results;
}
