import assert from "node:assert/strict";
import { test } from "node:test";
import { createLane, type Lane } from "../../src/notary/lane.ts";

const never = new AbortController().signal;

/** Work that ends when told to, and notes that it began. */
function job(name: string, begun: string[]) {
  const finished = Promise.withResolvers<void>();
  return {
    end: () => finished.resolve(),
    begin: () => {
      begun.push(name);
      return { result: finished.promise.then(() => name), finished: finished.promise };
    },
  };
}

async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

test("entries begin one at a time in the order in which they came", async () => {
  const depths: number[] = [];
  const lane = createLane(1, (depth) => depths.push(depth));
  const begun: string[] = [];
  const jobs = ["a", "b", "c"].map((name) => job(name, begun));
  const results = jobs.map(({ begin }) => lane.run(never, begin));
  await settle();
  assert.deepEqual(begun, ["a"]);
  assert.equal(lane.depth, 2);
  for (const { end } of jobs) {
    end();
    await settle();
  }
  assert.deepEqual(await Promise.all(results), ["a", "b", "c"]);
  assert.deepEqual(begun, ["a", "b", "c"]);
  assert.deepEqual(depths, [1, 2, 1, 0]);
});

test("no more than the width runs at once", async () => {
  const lane = createLane(2);
  const begun: string[] = [];
  const jobs = ["a", "b", "c", "d"].map((name) => job(name, begun));
  const results = jobs.map(({ begin }) => lane.run(never, begin));
  await settle();
  assert.deepEqual(begun, ["a", "b"]);
  jobs[1]?.end();
  await settle();
  assert.deepEqual(begun, ["a", "b", "c"]);
  for (const { end } of jobs) end();
  await Promise.all(results);
});

test("an entry that gives up while it waits leaves the lane and never begins", async () => {
  const lane = createLane(1);
  const begun: string[] = [];
  const [first, second, third] = [job("a", begun), job("b", begun), job("c", begun)];
  const results = [lane.run(never, first.begin)];
  const tired = new AbortController();
  const given = lane.run(tired.signal, second.begin);
  results.push(lane.run(never, third.begin));
  await settle();
  tired.abort(new Error("tired"));
  await assert.rejects(given, /tired/);
  assert.equal(lane.depth, 1);
  first.end();
  third.end();
  await Promise.all(results);
  assert.deepEqual(begun, ["a", "c"]);
});

test("an entry that was given up beforehand never begins", async () => {
  const lane: Lane = createLane(1);
  const begun: string[] = [];
  await assert.rejects(lane.run(AbortSignal.abort(new Error("tired")), job("a", begun).begin), /tired/);
  assert.deepEqual(begun, []);
});

test("the next begins when the work is finished, not when its result is given up", async () => {
  const lane = createLane(1);
  const begun: string[] = [];
  const finished = Promise.withResolvers<void>();
  const givenUp = lane.run(never, () => ({
    result: Promise.reject(new Error("given up")),
    finished: finished.promise,
  }));
  await assert.rejects(givenUp, /given up/);
  const next = job("b", begun);
  const result = lane.run(never, next.begin);
  await settle();
  assert.deepEqual(begun, []);
  finished.resolve();
  next.end();
  assert.equal(await result, "b");
});

test("work that throws before it begins frees its place", async () => {
  const lane = createLane(1);
  const begun: string[] = [];
  const broken = lane.run(never, () => {
    throw new Error("broken");
  });
  const next = job("b", begun);
  next.end();
  await assert.rejects(broken, /broken/);
  assert.equal(await lane.run(never, next.begin), "b");
});
