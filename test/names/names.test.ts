import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Parsed, parseGun, parseKeyId, parseMemberId, parseTeamId, registryHostOf } from "../../src/names.ts";

const faultOf = (parsed: Parsed<unknown>): string => (parsed.ok ? "" : parsed.fault);

const guns: readonly string[] = [
  "dtr.example.org/dev/nginx",
  "localhost/dev/nginx",
  "localhost:5000/nginx",
  "registry:5000/nginx",
  "127.0.0.1:5000/a/b/c",
  "dtr.example.org/a__b/c.d/e-f--g/h_i",
  `dtr.example.org/${"a".repeat(239)}`,
];
for (const gun of guns) {
  test(`${gun.slice(0, 60)} (${gun.length} bytes) is a GUN`, () => assert.ok(parseGun(gun).ok));
}

const refused: readonly (readonly [string, RegExp])[] = [
  ["", /empty/],
  [`dtr.example.org/${"a".repeat(240)}`, /255 bytes/],
  ["dtr.example.org/*", /\*/],
  ["dtr.example.org/dev\u0000/nginx", /control/],
  ["dtr.example.org/dev\n", /control/],
  ["DTR.example.org/dev", /lower case/],
  ["dtr.example.org/Dev", /lower case/],
  ["dtr.example.org/../nginx", /`\.\.`/],
  ["dtr.example.org/./nginx", /`\.`/],
  ["dtr.example.org//nginx", /empty path/],
  ["dtr.example.org/nginx/", /empty path/],
  ["/nginx", /empty path/],
  ["dev/nginx", /registry host/],
  ["nginx", /registry host/],
  ["dtr.example.org", /repository behind/],
  ["dtr.example.org/dev nginx", /segment/],
  ["dtr.example.org/dev/ngïnx", /segment/],
  ["dtr.example.org/-nginx", /segment/],
  ["dtr.example.org/a..b", /segment/],
  ["dtr..example.org/a", /registry host/],
  ["user@dtr.example.org/a", /registry host/],
];
for (const [gun, fault] of refused) {
  test(`${JSON.stringify(gun.slice(0, 40))} is no GUN`, () => assert.match(faultOf(parseGun(gun)), fault));
}

test("the registry host of a GUN keeps its port", () => {
  const gun = parseGun("localhost:5000/nginx");
  assert.ok(gun.ok);
  assert.equal(registryHostOf(gun.value), "localhost:5000");
});

test("team ids are role names, and releases belongs to nobody", () => {
  for (const id of ["qa", "a", "0", "a-b_c", "a".repeat(64)]) assert.ok(parseTeamId(id).ok, id);
  for (const id of ["", "releases", "QA", "a".repeat(65), "-a", "a/b", "a.b", "ä", "a\n"])
    assert.ok(!parseTeamId(id).ok, id);
});

test("member ids may be names of a directory or mail addresses", () => {
  for (const id of ["alice", "alice@example.org", "a.b-c_d"]) assert.ok(parseMemberId(id).ok, id);
  for (const id of ["", "Alice", "a".repeat(65), "@a", "a b", "a/b"]) assert.ok(!parseMemberId(id).ok, id);
});

test("key ids are 64 lower-case hex digits", () => {
  assert.ok(parseKeyId("0a".repeat(32)).ok);
  for (const id of ["", "0A".repeat(32), "0a".repeat(31), `${"0a".repeat(32)}0`]) assert.ok(!parseKeyId(id).ok, id);
});

test("no text makes a parser throw, and what it accepts is bounded, printable and lower case", () => {
  const parsers = [parseGun, parseTeamId, parseMemberId];
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.string({ maxLength: 300 })), (text) => {
      for (const parse of parsers) {
        const parsed = parse(text);
        if (!parsed.ok) continue;
        assert.equal(parsed.value, text);
        assert.match(text, /^[a-z0-9._/:@-]{1,255}$/);
      }
    }),
    { numRuns: 2_000 },
  );
});
