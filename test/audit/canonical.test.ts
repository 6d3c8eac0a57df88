import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { canonicalBytes } from "../../src/audit/canonical.ts";

const canonical = (value: unknown): string => canonicalBytes(value).toString();

test("canonical JSON writes RFC 8785's sample as the RFC does", () => {
  const sample = {
    // biome-ignore lint/correctness/noPrecisionLoss: the RFC's own number
    numbers: [333333333.33333329, 4.5, 2e-3, 0.000000000000000000000000001],
    string: "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"/",
    literals: [null, true, false],
  };
  const expected =
    '{"literals":[null,true,false],"numbers":[333333333.3333333,4.5,0.002,1e-27],' +
    '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}';
  assert.equal(canonical(sample), expected);
});

test("canonical JSON sorts members by UTF-16 code units, as in RFC 8785 3.2.3", () => {
  const names = ["\u20ac", "\r", "\ufb33", "1", "\ud83d\ude00", "\u0080", "\u00f6"];
  const sorted = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\ud83d\ude00", "\ufb33"];
  assert.deepEqual(Object.keys(JSON.parse(canonical(Object.fromEntries(names.map((name) => [`k${name}`, 0]))))), [
    ...sorted.map((name) => `k${name}`),
  ]);
});

/** RFC 8785, Appendix B: the double's bits, and how it is written. Integers beyond 2^53 are left to the test below. */
const doubles: readonly (readonly [string, string])[] = [
  ["0000000000000000", "0"],
  ["8000000000000000", "0"],
  ["0000000000000001", "5e-324"],
  ["8000000000000001", "-5e-324"],
  ["41b3de4355555553", "333333333.3333332"],
  ["41b3de4355555554", "333333333.33333325"],
  ["41b3de4355555555", "333333333.3333333"],
  ["41b3de4355555556", "333333333.3333334"],
  ["41b3de4355555557", "333333333.33333343"],
  ["becbf647612f3696", "-0.0000033333333333333333"],
  ["3eb0c6f7a0b5ed8d", "0.000001"],
  ["3eb0c6f7a0b5ed8c", "9.999999999999997e-7"],
  ["43143ff3c1cb0959", "1424953923781206.2"],
];
for (const [bits, written] of doubles) {
  test(`canonical JSON writes the double ${bits} as ${written}`, () => {
    assert.equal(canonical(Buffer.from(bits, "hex").readDoubleBE()), written);
  });
}

test("canonical JSON turns integers beyond 2^53 - 1 into strings, and refuses what JSON has not", () => {
  assert.equal(canonical([9007199254740991, -9007199254740991n]), "[9007199254740991,-9007199254740991]");
  assert.equal(canonical([9007199254740992, 9007199254740993n]), '["9007199254740992","9007199254740993"]');
  assert.equal(canonical([-(2n ** 63n)]), '["-9223372036854775808"]');
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, [Number.NEGATIVE_INFINITY]]) {
    assert.throws(() => canonicalBytes(value));
  }
});

test("canonical JSON survives broken text and members named like a prototype", () => {
  assert.equal(canonical("a\ud800b"), '"a\ufffdb"');
  assert.equal(canonical(JSON.parse('{"__proto__":{"b":1,"a":2}}')), '{"__proto__":{"a":2,"b":1}}');
});

test("canonical JSON says the same as any JSON value, and is the same for its own parse", () => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
      const written = canonical(value);
      assert.equal(canonical(JSON.parse(written)), written);
    }),
  );
});
