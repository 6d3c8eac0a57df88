import assert from "node:assert/strict";
import { test } from "node:test";
import { createGathering, type Gathering } from "../../src/trust/publisher/gathering.ts";

const going = new AbortController().signal;
const one = 1n;

/** Whether there is nothing to wait for, not so much as a timer. */
async function settlesAtOnce(gathering: Gathering, signal = going): Promise<boolean> {
  let settled = false;
  const settling = gathering.settle(one, signal).then(() => {
    settled = true;
  });
  await Promise.resolve();
  await Promise.resolve();
  const atOnce = settled;
  await settling;
  return atOnce;
}

test("a collection that nobody touched is not waited for", async () => {
  const gathering = createGathering();
  gathering.touch(2n);
  assert.ok(await settlesAtOnce(gathering));
  assert.equal(gathering.wasTouched(one), false);
});

test("a touched collection is waited for until it was left alone for 20 ms, once", async () => {
  const gathering = createGathering();
  const touchedAt = performance.now();
  gathering.touch(one);
  assert.ok(gathering.wasTouched(one));
  await gathering.settle(one, going);
  assert.ok(performance.now() - touchedAt >= 20);
  assert.equal(gathering.wasTouched(one), false);
  assert.ok(await settlesAtOnce(gathering), "what was gathered is forgotten");
});

test("a touch while it is waited for begins the 20 ms anew", async () => {
  const gathering = createGathering();
  let touchedAt = 0;
  const touch = (): void => {
    touchedAt = performance.now();
    gathering.touch(one);
  };
  touch();
  setTimeout(touch, 18);
  await gathering.settle(one, going);
  assert.ok(performance.now() - touchedAt >= 20);
});

test("a collection that never rests is waited for 150 ms and no longer", { timeout: 10_000 }, async (t) => {
  const gathering = createGathering();
  const began = performance.now();
  gathering.touch(one);
  const touching = setInterval(() => gathering.touch(one), 1);
  t.after(() => clearInterval(touching));
  await gathering.settle(one, going);
  assert.ok(performance.now() - began >= 20);
});

test("a publisher that stops waits for nobody", async () => {
  const gathering = createGathering();
  gathering.touch(one);
  assert.ok(await settlesAtOnce(gathering, AbortSignal.abort()));
});
