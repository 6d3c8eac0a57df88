import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { canonicalJson, wireJson } from "../../src/tuf/canonical.ts";
import { type JsonValue, parseJson } from "../../src/tuf/json.ts";
import { MetadataError } from "../../src/tuf/metadata-error.ts";

const parse = (text: string): JsonValue => parseJson(Buffer.from(text));

test("names are sorted by their UTF-8 bytes, not by UTF-16 units", () => {
  const names = ["\u{1f511}", "\uff5e", "é", "z", "a", "Z", ""];
  const value = new Map(names.map((name) => [name, 1]));
  const sorted = [...names].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  assert.deepEqual(sorted, ["", "Z", "a", "z", "é", "\uff5e", "\u{1f511}"]);
  assert.equal(canonicalJson(value), `{${sorted.map((name) => `"${name}":1`).join(",")}}`);
});

test("only backslash and quote are escaped in canonical form", () => {
  assert.equal(canonicalJson('a"b\\c<>&/é\u2028'), '"a\\"b\\\\c<>&/é\u2028"');
});

test("on the wire what HTML and JavaScript trip over is escaped as Go does", () => {
  assert.equal(wireJson('"<>&\u2028\u2029é"'), '"\\u003c\\u003e\\u0026\\u2028\\u2029é"');
});

for (const [name, value] of Object.entries({
  "a control character": "a\tb",
  "a delete character": "a\u007f",
  "half a surrogate pair": "\ud83d",
  "a fraction": 1.5,
  "an integer beyond 2^53": 2 ** 53,
  "a negative zero": -0,
  "a control character in a name": new Map([["\n", 1]]),
})) {
  test(`canonical form refuses ${name}`, () => {
    assert.throws(() => canonicalJson(value), MetadataError);
  });
}

test("names of JavaScript's own are names like any other", () => {
  const text = '{"__proto__":{"constructor":1},"toString":2}';
  const value = parse(text);
  assert.equal(canonicalJson(value), text);
  assert.equal(({} as Record<string, unknown>)["constructor"], Object);
});

const refused = {
  "a name used twice": '{"a":1,"b":2,"a":1}',
  "a name used twice in another spelling": '{"a":1,"\\u0061":2}',
  "a fraction": "1.5",
  "an integer with a fraction": "1.0",
  "an exponent": "1e3",
  "a leading zero": "01",
  "a negative zero": "-0",
  "an integer beyond 2^53": "9007199254740992",
  "an unquoted name": "{a:1}",
  "a trailing comma": "[1,]",
  "a comma alone": "[,]",
  "two documents": "1 2",
  "a raw control character": '"a\tb"',
  "an unknown escape": '"\\x"',
  "half an escape": '"\\u12"',
  "an escape at the end": '"\\',
  "half a surrogate pair": '"\\ud83d"',
  "an open string": '"abc',
  "an open object": '{"a":1',
  "an open array": "[1",
  "a missing colon": '{"a" 1}',
  "a misspelt word": "tru",
  "a comment": "1 // one",
  nothing: "",
  "a byte order mark": "\ufeff1",
};
for (const [name, text] of Object.entries(refused)) {
  test(`${name} is refused`, () => {
    assert.throws(() => parse(text), MetadataError);
  });
}

test("bytes that are no UTF-8 are refused", () => {
  assert.throws(() => parseJson(Buffer.from([0x22, 0xff, 0x22])), MetadataError);
});

test("size and depth are bounded, both exactly", () => {
  assert.equal(parseJson(Buffer.from("1234"), 4), 1234);
  assert.throws(() => parseJson(Buffer.from("12345"), 4), MetadataError);
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  assert.ok(parse(nested(33)));
  assert.throws(() => parse(nested(34)), MetadataError);
  assert.throws(() => parse("[".repeat(1_000_000)), MetadataError);
});

const text = fc.string({ unit: "grapheme" }).map((value) => value.replace(/[\p{Cc}]/gu, "·"));
const { value: document } = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger().filter((number) => !Object.is(number, -0)),
    text,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.uniqueArray(fc.tuple(text, tie("value")), { selector: ([name]) => name, maxLength: 4 }).map((e) => new Map(e)),
  ),
}));

test("what canonical and wire form say is read again as the same", () => {
  fc.assert(
    fc.property(document, (value) => {
      const canonical = canonicalJson(value);
      assert.equal(canonicalJson(parse(canonical)), canonical);
      assert.equal(canonicalJson(parse(wireJson(canonical))), canonical);
      assert.deepEqual(JSON.parse(wireJson(canonical)), JSON.parse(canonical));
    }),
  );
});

test("whatever we accept, JSON.parse accepts and reads the same", () => {
  const sign = fc.constantFrom(...'{}[]",:0123456789.eE+-\\ \n\tabfnrtu/lse\u00e9');
  fc.assert(
    fc.property(fc.array(sign, { maxLength: 12 }), (signs) => {
      const source = signs.join("");
      let value: JsonValue;
      try {
        value = parse(source);
      } catch (error) {
        assert.ok(error instanceof MetadataError);
        return;
      }
      assert.deepEqual(plain(value), JSON.parse(source));
    }),
    { numRuns: 3_000 },
  );
});

function plain(value: JsonValue): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([name, member]) => [name, plain(member)]));
  return Array.isArray(value) ? value.map(plain) : value;
}
