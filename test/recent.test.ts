import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import { keepRecent, ownCopy } from "../src/recent.ts";

describe("a bounded map of recent entries", () => {
  it("forgets the entry that was used longest ago, and no other", () => {
    const recent = keepRecent<string, number>(2);
    recent.set("a", 1);
    recent.set("b", 2);
    assert.equal(recent.get("a"), 1);
    recent.set("c", 3);
    assert.deepEqual([recent.get("a"), recent.get("b"), recent.get("c")], [1, undefined, 3]);
  });

  it("counts an entry that is set again as one", () => {
    const recent = keepRecent<string, number>(2);
    for (const [key, value] of [
      ["a", 1],
      ["b", 2],
      ["b", 3],
    ] as const)
      recent.set(key, value);
    assert.deepEqual([recent.get("a"), recent.get("b")], [1, 3]);
  });

  it("holds as much as its limit says by weight, and nothing that is heavier alone", () => {
    const recent = keepRecent<string, string>(5, (value) => value.length);
    recent.set("a", "aa");
    recent.set("b", "bb");
    recent.set("c", "cc");
    assert.deepEqual([recent.get("a"), recent.get("b"), recent.get("c")], [undefined, "bb", "cc"]);
    recent.set("b", "b");
    recent.set("d", "dd");
    assert.deepEqual([recent.get("b"), recent.get("c"), recent.get("d")], ["b", "cc", "dd"]);
    recent.set("e", "eeeeee");
    assert.deepEqual([recent.get("e"), recent.get("c"), recent.get("d")], [undefined, "cc", "dd"]);
  });
});

test("a copy of one's own keeps no block that others were cut from", () => {
  const small = Buffer.from("a small buffer");
  const copy = ownCopy(small);
  assert.deepEqual(copy, small);
  assert.equal(copy.buffer.byteLength, copy.length);
});
