import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Listing, pageOf, parsePageSize, readPageToken } from "../../src/changes/page-token.ts";
import { Fault } from "../../src/errors.ts";

const listing: Listing = {
  name: "things",
  filter: { owner: "ann", states: ["A", "B"] },
  key: [/^[a-z]+$/, /^[0-9]+$/],
};
const tokenOf = (of: Listing): string => pageOf(of, 1, ["a", "b"], (item) => [item, "7"]).nextToken;
const assertForeign = (of: Listing, token: string): void => {
  assert.throws(
    () => readPageToken(of, token),
    (error) => error instanceof Fault && error.reason === "INVALID_FIELD" && error.fields[0]?.field === "page_token",
    token,
  );
};

describe("a page", () => {
  it("ends with a token exactly when more was found than it holds", () => {
    assert.deepEqual(
      pageOf(listing, 2, ["a", "b"], (item) => [item, "1"]),
      { items: ["a", "b"], nextToken: "" },
    );
    assert.deepEqual(
      pageOf(listing, 2, [], () => []),
      { items: [], nextToken: "" },
    );
    const page = pageOf(listing, 2, ["a", "b", "c"], (item) => [item, "1"]);
    assert.deepEqual(page.items, ["a", "b"]);
    assert.deepEqual(readPageToken(listing, page.nextToken), ["b", "1"]);
    assert.equal(readPageToken(listing, ""), undefined);
  });

  it("has 50 items unless asked otherwise, and 1,000 at most", () => {
    const sizes = [0, 1, 1_000, 1_001, 2_147_483_647].map(parsePageSize);
    assert.deepEqual(
      sizes.map((size) => size.ok && size.value),
      [50, 1, 1_000, 1_000, 1_000],
    );
    assert.ok(!parsePageSize(-1).ok);
    assert.ok(!parsePageSize(Number.NaN).ok);
  });
});

describe("a page token", () => {
  it("belongs to one list and one filter", () => {
    const token = tokenOf(listing);
    assert.deepEqual(readPageToken({ ...listing, filter: { states: ["B", "A"], owner: "ann" } }, token), ["a", "7"]);
    assertForeign({ ...listing, name: "others" }, token);
    assertForeign({ ...listing, filter: { owner: "bob", states: ["A", "B"] } }, token);
    assertForeign({ ...listing, filter: { owner: "ann", states: ["A"] } }, token);
    assertForeign({ ...listing, key: [/^[a-z]+$/] }, token);
  });

  it("cannot carry anything but a key of the listing's form", () => {
    const [digest] = JSON.parse(Buffer.from(tokenOf(listing), "base64url").toString()) as string[];
    const forged = (parts: unknown): string => Buffer.from(JSON.stringify(parts)).toString("base64url");
    assert.deepEqual(readPageToken(listing, forged([digest, "b", "8"])), ["b", "8"]);
    for (const parts of [
      [digest, "b", "x"],
      [digest, "b"],
      [digest, "b", 8],
      [digest, "b\u0000", "8"],
      digest,
      null,
      {},
    ]) {
      assertForeign(listing, forged(parts));
    }
    assertForeign(listing, forged([digest, "b".repeat(2_000), "8"]));
  });

  it("that nobody gave is refused, whatever it is", () => {
    fc.assert(fc.property(fc.string({ unit: "binary", minLength: 1 }), (text) => assertForeign(listing, text)));
    fc.assert(fc.property(fc.base64String({ minLength: 1 }), (text) => assertForeign(listing, text)));
    fc.assert(fc.property(fc.json(), (text) => assertForeign(listing, Buffer.from(text).toString("base64url") || "x")));
  });
});
