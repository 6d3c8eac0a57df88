import assert from "node:assert/strict";
import { test } from "node:test";
import { boundLog } from "../../src/rpc/bounded-log.ts";
import { collectedLog } from "./fixtures.ts";

test("each message is written a limited number of times per minute, and the rest is counted", () => {
  const { log, lines } = collectedLog();
  let now = 0;
  const bounded = boundLog(log, () => now, 3);
  for (let index = 0; index < 50; index++) bounded.warn({ index }, "one");
  bounded.warn({}, "another");
  now = 60_000;
  bounded.warn({ index: 50 }, "one");
  const written = lines
    .map((line) => JSON.parse(line))
    .map(({ message, index, suppressed }) => [message, index, suppressed]);
  assert.deepEqual(written, [
    ["one", 0, undefined],
    ["one", 1, undefined],
    ["one", 2, undefined],
    ["another", undefined, undefined],
    ["one", 50, 47],
  ]);
});
