import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { ErrorReason } from "../gen/imagetrust/v1/change.ts";
import { kindOfReason } from "../src/errors.ts";

test("the reasons are those of the API, in the same order, their numbers ascending", () => {
  const numbers = Object.entries(ErrorReason).filter(([name]) => name !== "UNSPECIFIED");
  assert.deepEqual(
    numbers.map(([name]) => name),
    Object.keys(kindOfReason),
  );
  const given = numbers.map(([, number]) => number);
  assert.deepEqual(
    given,
    [...new Set(given)].sort((a, b) => a - b),
  );
});

test("the API's comment on each reason begins with the status it travels under", async () => {
  const proto = await readFile(new URL("../proto/imagetrust/v1/change.proto", import.meta.url), "utf8");
  const lines = proto.split("\n");
  for (const [reason, kind] of Object.entries(kindOfReason)) {
    const value = lines.findIndex((line) => line.startsWith(`  ERROR_REASON_${reason} = `));
    const first = lines.findLastIndex((line, place) => place < value && !line.startsWith("  //")) + 1;
    assert.equal(/^ {2}\/\/ ([A-Z_]+): /.exec(lines[first] ?? "")?.[1], kind, reason);
  }
});
