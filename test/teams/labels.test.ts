import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Parsed } from "../../src/names.ts";
import { parseCertificateId } from "../../src/teams/certificate.ts";
import { parseDisplayName } from "../../src/teams/display-name.ts";
import { areSameLabels, labelsFromJson, labelsToJson, parseLabels } from "../../src/teams/labels.ts";

const faultOf = (result: Parsed<unknown>): string => (result.ok ? "" : result.fault);
const labelsOf = (entries: Readonly<Record<string, string>>): Parsed<unknown> => parseLabels(Object.entries(entries));

describe("a display name", () => {
  it("may be empty, in any language, and 200 characters long", () => {
    for (const text of ["", "Quality", "Prüfung 品質", "👩‍🔬".slice(0, 2).repeat(200)]) {
      assert.ok(parseDisplayName(text).ok, text);
    }
  });

  it("is refused when it is too long or cannot be shown as it is", () => {
    assert.match(faultOf(parseDisplayName("a".repeat(201))), /at most 200/);
    for (const text of ["a\nb", "a\u0000", "\u202eevil", "a\u2028b", "\ud800", "\u0085"]) {
      assert.match(faultOf(parseDisplayName(text)), /control or text direction/, JSON.stringify(text));
    }
    assert.match(faultOf(parseDisplayName(" a")), /white space/);
  });
});

describe("labels", () => {
  it("are at most 32, with bounded keys and values", () => {
    const many = (n: number): Record<string, string> =>
      Object.fromEntries([...Array(n).keys()].map((k) => [`k${k}`, ""]));
    assert.ok(labelsOf(many(32)).ok);
    assert.match(faultOf(labelsOf(many(33))), /at most 32/);
    assert.ok(labelsOf({ "team.example.org/cost_centre": "v".repeat(256), [`k${"a".repeat(63)}`]: "" }).ok);
  });

  it("are refused with every fault at once", () => {
    const fault = faultOf(
      parseLabels([
        ["Upper", ""],
        ["fine", "a\u0000b"],
        ["long", "v".repeat(257)],
        ["__proto__", "x"],
        ["k".repeat(65), ""],
        ["", ""],
      ]),
    );
    for (const part of [/key "Upper"/, /value of "fine"/, /value of "long"/, /"__proto__"/, /at most 64/, /key ""/]) {
      assert.match(fault, part);
    }
  });

  it("survive the database's form, whatever was accepted", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.string(), fc.string({ unit: "binary" })), { maxLength: 40 }), (entries) => {
        const result = parseLabels(entries);
        if (!result.ok) return;
        assert.ok(areSameLabels(result.value, labelsFromJson(JSON.parse(labelsToJson(result.value)))));
        assert.ok(!labelsToJson(result.value).includes("\\u0000"), "PostgreSQL keeps no NUL");
      }),
    );
  });

  it("are the same in another order, and not with another value", () => {
    const [one, other, third] = [
      { a: "1", b: "2" },
      { b: "2", a: "1" },
      { a: "1", b: "3" },
    ].map(labelsFromJson);
    assert.ok(one && other && third);
    assert.ok(areSameLabels(one, other));
    assert.ok(!areSameLabels(one, third));
  });
});

describe("the id of a certificate", () => {
  it("is a UUID in lower case", () => {
    assert.ok(parseCertificateId("0d9488ff-0000-4000-8000-00000000000a").ok);
    for (const text of ["", "qa", "0D9488FF-0000-4000-8000-00000000000A", "0d9488ff-0000-4000-8000-00000000000a\n"]) {
      assert.ok(!parseCertificateId(text).ok, text);
    }
  });
});
