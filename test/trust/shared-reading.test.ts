import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { shareReading } from "../../src/trust/shared-reading.ts";

/** A source whose readings are answered by hand, each with the value that the source had when the reading began. */
function source() {
  const begun: {
    readonly keys: readonly string[];
    readonly answer: () => void;
    readonly fail: (why: Error) => void;
  }[] = [];
  const state = { value: 0 };
  const ask = shareReading<string, number>((keys) => {
    const { promise, resolve, reject } = Promise.withResolvers<ReadonlyMap<string, number>>();
    const { value } = state;
    begun.push({ keys, answer: () => resolve(new Map(keys.map((key) => [key, value]))), fail: reject });
    return promise;
  });
  return { begun, state, ask };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("a shared reading", () => {
  it("answers questions of one turn with one reading", async () => {
    const { begun, ask } = source();
    const asked = ["a", "b", "a"].map(ask);
    await turn();
    assert.deepEqual(
      begun.map(({ keys }) => keys),
      [["a", "b"]],
    );
    begun[0]?.answer();
    assert.deepEqual(await Promise.all(asked), [0, 0, 0]);
  });

  it("never answers a question with a reading that began before it, but with the next for all that wait", async () => {
    const { begun, state, ask } = source();
    const early = ask("a");
    await turn();
    state.value = 1;
    const late = ["a", "b"].map(ask);
    await turn();
    late.push(ask("c"));
    await turn();
    assert.equal(begun.length, 1);
    begun[0]?.answer();
    assert.equal(await early, 0);
    assert.deepEqual(begun[1]?.keys, ["a", "b", "c"]);
    begun[1]?.answer();
    assert.deepEqual(await Promise.all(late), [1, 1, 1]);
  });

  it("that is slow holds up nobody for long, and is not waited for by the next", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const { begun, ask } = source();
    const slow = ask("a");
    await turn();
    const next = ask("a");
    await turn();
    t.mock.timers.tick(20);
    assert.equal(begun.length, 2);
    begun[0]?.answer();
    await slow;
    const third = ask("a");
    await turn();
    assert.equal(begun.length, 2, "the end of the slow one lets nothing go beside the next");
    begun[1]?.answer();
    await next;
    begun[2]?.answer();
    assert.equal(await third, 0);
  });

  it("that fails, fails for those in it and for nobody else", async () => {
    const { begun, ask } = source();
    const lost = ask("a");
    await turn();
    begun[0]?.fail(new Error("lost"));
    await assert.rejects(lost, /lost/);
    const next = ask("a");
    await turn();
    begun[1]?.answer();
    assert.equal(await next, 0);
  });
});
