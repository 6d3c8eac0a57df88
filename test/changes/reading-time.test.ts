import assert from "node:assert/strict";
import { test } from "node:test";
import { withinReadingTime } from "../../src/changes/reading-time.ts";

const never = new AbortController().signal;
const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;

test("a reading that is over leaves no timer behind, however long the call may still take", async () => {
  const before = timers();
  const call = { deadline: Date.now() + 60_000, signal: never };
  assert.equal(await withinReadingTime(call, async () => "read"), "read");
  await assert.rejects(
    withinReadingTime(call, async () => {
      throw new Error("cannot be read");
    }),
    /cannot be read/,
  );
  assert.equal(timers(), before);
});

test("a reading ends after half of the call's time, and at once with its call", async () => {
  const untilAborted = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      if (signal.aborted) reject(signal.reason);
    });
  const began = Date.now();
  await assert.rejects(withinReadingTime({ deadline: began + 200, signal: never }, untilAborted), {
    reason: "NOTARY_UNAVAILABLE",
  });
  const tookMs = Date.now() - began;
  assert.ok(tookMs >= 90, `${tookMs} ms`);
  const gone = new Error("the client went away");
  const call = { deadline: began + 60_000, signal: AbortSignal.abort(gone) };
  await assert.rejects(withinReadingTime(call, untilAborted), gone);
});
