import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { before, test } from "node:test";
import { promisify } from "node:util";
import { projectRoot } from "../stack/folder.ts";
import { measures } from "./main.ts";
import { median } from "./pairs.ts";

const bench = (...args: readonly string[]) => promisify(execFile)(join(projectRoot, "scripts/bench"), args);

let lines: readonly Record<string, unknown>[] = [];

before(async () => {
  const { stdout } = await bench("--short", "--json");
  lines = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
});

test("every measure of the specification is there and prints one line", () => {
  const wanted = [
    "story-vs-cli-1",
    "story-vs-cli-4",
    "delegate-vs-bare",
    "coalesce",
    "team-change-vs-bare",
    "offboard-vs-cli",
    "follow",
    "rollout-vs-bare",
    "read-vs-echo",
    "authority",
    "idle",
    "memory",
  ];
  assert.deepEqual(
    lines.map((line) => line["name"]),
    wanted,
  );
  assert.deepEqual(
    measures.map((measure) => measure.name),
    wanted,
  );
});

test("a line holds both figures, their ratio, the unit and the conditions, and nothing else", () => {
  for (const line of lines) {
    assert.deepEqual(Object.keys(line), ["name", "ours", "peer", "ratio", "unit", "conditions"]);
    for (const figure of ["ours", "peer", "ratio"]) assert.ok(Number.isFinite(line[figure]), JSON.stringify(line));
    assert.ok(Number(line["peer"]) > 0 && Number(line["ratio"]) >= 0);
    assert.match(String(line["unit"]), /^\S/);
    assert.match(String(line["conditions"]), /\d cores .*Node 2\d.*\d{4}-\d\d-\d\d$/);
  }
});

test("both stories print the bare-upload ceiling beside them", () => {
  for (const line of lines.slice(0, 2)) assert.match(String(line["conditions"]), /ceiling: bare uploads .* \d+\.\d\/s/);
});

test("coalescing answers are held against Notary", () => {
  assert.match(String(lines[3]?.["conditions"]), /4 of 4 calls were told PUBLISHED, each checked/);
});

test("an unknown measure is refused with the names there are", async () => {
  await assert.rejects(bench("speed"), (error: { code: number; stderr: string }) => {
    assert.equal(error.code, 2);
    for (const { name } of measures) assert.match(error.stderr, new RegExp(name));
    return true;
  });
});

test("the median of an even number of values lies between the two in the middle", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(median([7]), 7);
});
