import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { FeedRow } from "../../src/notary/feed.ts";
import {
  askAfter,
  type FeedPosition,
  feedBeginning,
  isSameFeed,
  readOn,
} from "../../src/trust/follower/feed-position.ts";

const gapMs = 1_000;
const row = (id: number, gun = "dtr.example.org/dev/a"): FeedRow => ({
  id: BigInt(id),
  gun,
  version: id,
  sha256: `${id}`,
});
const idsOf = (rows: readonly FeedRow[]): readonly number[] => rows.map(({ id }) => Number(id));

/** What a server answers that shows these rows. */
function answer(position: FeedPosition, shown: readonly FeedRow[]): readonly FeedRow[] {
  return shown.filter(({ id }) => id > askAfter(position)).sort((one, other) => Number(one.id - other.id));
}

test("rows without a gap move the base on, and are new once", () => {
  const first = readOn(feedBeginning, [row(1), row(2)], 0, gapMs);
  assert.deepEqual(idsOf(first.fresh), [1, 2]);
  assert.equal(first.position.base?.id, 2n);
  const second = readOn(first.position, answer(first.position, [row(1), row(2), row(3)]), 1, gapMs);
  assert.deepEqual(idsOf(second.fresh), [3]);
});

test("a row that commits late is read, though rows above it were read before", () => {
  const { position } = readOn(feedBeginning, [row(1), row(3), row(4)], 0, gapMs);
  assert.equal(position.base?.id, 1n);
  const late = readOn(position, answer(position, [row(1), row(2), row(3), row(4)]), 500, gapMs);
  assert.deepEqual(idsOf(late.fresh), [2]);
  assert.equal(late.position.base?.id, 4n);
  assert.equal(late.position.ahead.size, 0);
});

test("an id that never comes is given up after its time", () => {
  const { position } = readOn(feedBeginning, [row(1), row(3)], 0, gapMs);
  assert.equal(readOn(position, answer(position, [row(1), row(3)]), 999, gapMs).position.base?.id, 1n);
  assert.equal(readOn(position, answer(position, [row(1), row(3)]), 1_000, gapMs).position.base?.id, 3n);
});

test("a feed that does not begin with the last row read is another one", () => {
  const { position } = readOn(feedBeginning, [row(1), row(2)], 0, gapMs);
  assert.ok(isSameFeed(position, answer(position, [row(1), row(2)])));
  assert.ok(!isSameFeed(position, []));
  assert.ok(!isSameFeed(position, answer(position, [row(1), row(2, "dtr.example.org/dev/b")])));
  assert.ok(!isSameFeed(position, [row(7)]));
  assert.ok(isSameFeed(feedBeginning, []));
});

test("whatever the order of commits, every row is new exactly once", () => {
  const feeds = fc.integer({ min: 0, max: 30 }).chain((length) =>
    fc.shuffledSubarray(
      Array.from({ length }, (_, index) => index + 1),
      { minLength: length, maxLength: length },
    ),
  );
  fc.assert(
    fc.property(feeds, fc.integer({ min: 1, max: 5 }), (order, atOnce) => {
      let position = feedBeginning;
      const told: number[] = [];
      for (let shown = 0; shown < order.length; ) {
        shown += atOnce;
        const visible = order.slice(0, shown).map((id) => row(id));
        assert.ok(isSameFeed(position, answer(position, visible)));
        const read = readOn(position, answer(position, visible), 0, gapMs);
        told.push(...idsOf(read.fresh));
        position = read.position;
      }
      assert.deepEqual(
        [...told].sort((one, other) => one - other),
        [...order].sort((one, other) => one - other),
      );
      assert.equal(Number(position.base?.id ?? 0n), order.length);
    }),
  );
});
