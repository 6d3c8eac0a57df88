import type { TestEvent } from "node:test/reporters";

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly skipped: number;
  readonly todo: number;
}

/** A node:test reporter that prints one line at the end of a run: how many tests passed, failed and were skipped. */
export default async function* testCounts(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of events) {
    // One summary comes per file as well; the one of the whole run names none.
    if (event.type !== "test:summary" || event.data.file !== undefined) continue;
    const counts = event.data.counts as Counts;
    yield `${counts.passed} ${counts.failed + counts.cancelled} ${counts.skipped + counts.todo}\n`;
  }
}
