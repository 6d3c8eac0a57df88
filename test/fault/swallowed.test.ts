import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { delegateTo, initialize, makeCall, makeTeam } from "../trust/house.ts";
import { checkInvariants } from "./invariants.ts";
import type { Deed } from "./notary-proxy.ts";
import { openProxiedHouse, type ProxiedHouse } from "./proxied-house.ts";
import { isLive, standingOf, uploadsOf } from "./publications.ts";
import { until } from "./until.ts";

let proxied: ProxiedHouse;
before(async () => {
  proxied = await openProxiedHouse();
  for (const team of ["qa", "ops"]) await makeTeam(proxied.replica.core, team);
});
after(() => proxied.stop());
beforeEach(() => {
  proxied.proxy.rule = () => "forward";
});

/** Does these deeds, one after another, to what fits; everything else is passed on. */
function meddle(gun: string, fits: (what: string) => boolean, deeds: readonly Deed[]): { readonly left: () => number } {
  const waiting = [...deeds];
  proxied.proxy.rule = (asked) => (asked.gun === gun && fits(asked.what) ? (waiting.shift() ?? "forward") : "forward");
  return { left: () => waiting.length };
}

const isUpload = (what: string): boolean => what === "POST";

const losses: readonly { readonly name: string; readonly deeds: readonly Deed[] }[] = [
  { name: "whose answer is swallowed", deeds: ["swallow"] },
  { name: "whose connection breaks once it was passed on", deeds: ["cut"] },
  { name: "that never arrives", deeds: ["drop"] },
  { name: "that is lost three times in different ways", deeds: ["drop", "cut", "swallow"] },
];

for (const [index, { name, deeds }] of losses.entries()) {
  test(`an upload ${name} is one landed publication`, async () => {
    const { house, replica } = proxied;
    const gun = `dtr.example.org/swallow/answer-${index}`;
    for (const change of [() => initialize(replica.core, gun, ["qa"]), () => delegateTo(replica.core, gun, "ops")]) {
      const meddling = meddle(gun, isUpload, deeds);
      const { outcome } = await change();
      assert.equal(outcome.state, "PUBLISHED", outcome.publications[0]?.detail);
      // A swallowed upload is found by reading back, so the deeds behind it are never met.
      assert.ok(meddling.left() < deeds.length, "the upload was met");
    }
    assert.deepEqual(
      (await uploadsOf(house.database, gun)).map((upload) => upload.state),
      ["LANDED", "LANDED"],
    );
    await checkInvariants(house, gun);
  });
}

test("a read-back that breaks leaves the change pending, and one publication in the end", async () => {
  const { house, replica } = proxied;
  const gun = "dtr.example.org/swallow/read-back";
  await initialize(replica.core, gun, ["qa"]);
  let posted = false;
  let broken = 0;
  proxied.proxy.rule = (asked) => {
    if (asked.gun !== gun) return "forward";
    if (asked.isUpload) posted = true;
    if (!posted || asked.isUpload || broken >= 12) return "forward";
    broken += 1;
    return "drop";
  };
  const { outcome } = await delegateTo(replica.core, gun, "ops");
  assert.equal(outcome.state, "PUBLISHED", outcome.publications[0]?.detail);
  assert.equal(broken, 12);
  await checkInvariants(house, gun);
});

test("a Notary that says 200 and stores nothing is never believed", async () => {
  const { house, proxy, replica } = proxied;
  const gun = "dtr.example.org/swallow/liar";
  await initialize(replica.core, gun, ["qa"]);
  let lies = 0;
  proxy.rule = (asked) => {
    if (asked.gun !== gun || !asked.isUpload) return "forward";
    lies += 1;
    return { status: 200, body: "" };
  };
  const told = await delegateTo(replica.core, gun, "ops", {}, makeCall({ deadline: Date.now() + 1_500 }));
  assert.equal(told.outcome.state, "PENDING");
  assert.equal(told.outcome.publications[0]?.pendingReason, "BACK_OFF");
  await until(() => lies >= 3, "three lies");
  const held = await standingOf(house.database, gun);
  assert.deepEqual([held.published, held.targetsVersion, held.blockReason], [1n, 1, null]);
  proxy.rule = () => "forward";
  await until(() => isLive(house.database, gun), "the change to go live by itself");
  await checkInvariants(house, gun);
});
