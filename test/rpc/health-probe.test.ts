import assert from "node:assert/strict";
import { after, test } from "node:test";
import { type Conditions, createHealth } from "../../src/rpc/health.ts";
import { startProbing } from "../../src/rpc/health-probe.ts";
import { collectedLog } from "./fixtures.ts";

test("what the probes find is reported at once, and every change is logged once", async () => {
  const { log, lines } = collectedLog();
  const reports: Conditions[] = [];
  const health = { ...createHealth([]), report: (conditions: Conditions) => void reports.push(conditions) };
  let signing: Promise<unknown> = new Promise(() => undefined);
  const probing = await startProbing(health, { database: () => Promise.resolve(), signing: () => signing }, log, {
    everyMs: 3_600_000,
    timeoutMs: 30,
  });
  after(() => probing.stop());
  await probing.probe();
  signing = Promise.resolve();
  await probing.probe();
  assert.deepEqual(reports, [
    { database: true, signing: false },
    { database: true, signing: false },
    { database: true, signing: true },
  ]);
  assert.deepEqual(
    lines.map((line) => [JSON.parse(line).dependency, JSON.parse(line).message]),
    [
      ["signing", "a dependency does not answer"],
      ["signing", "a dependency answers again"],
    ],
  );
});

test("nothing that is reported during a shutdown makes it SERVING again", () => {
  const health = createHealth([{ name: "a", changes: true }]);
  health.report({ database: true, signing: true });
  assert.equal(health.isServing, true);
  health.beginShutdown();
  health.report({ database: true, signing: true });
  assert.equal(health.isServing, false);
});
