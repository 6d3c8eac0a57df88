import type { TestEvent } from "node:test/reporters";

/** A node:test reporter that prints one line at the end of a run: how many tests passed, failed and were skipped. */
export default async function* testCounts(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of events) {
    // One summary comes per file as well; the one of the whole run names none.
    if (event.type !== "test:summary" || event.data.file !== undefined) continue;
    const { tests, passed, skipped, todo } = event.data.counts;
    // Cancelled tests are failed ones: they never came to an end.
    yield `${passed} ${tests - passed - skipped - todo} ${skipped + todo}\n`;
  }
}
