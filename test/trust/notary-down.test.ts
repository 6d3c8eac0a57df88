import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import type { ChangeOptions } from "../../src/changes/options.ts";
import type { Outcome } from "../../src/changes/outcome.ts";
import type { Core } from "../../src/core.ts";
import { getTrust } from "../../src/trust/trust-view.ts";
import { checkInvariants } from "../fault/invariants.ts";
import { openProxiedHouse, type ProxiedHouse } from "../fault/proxied-house.ts";
import { isLive, standingOf } from "../fault/publications.ts";
import { until } from "../fault/until.ts";
import { removeFrom, revokeKeyOf, undelegateFrom } from "./acts.ts";
import { createGate } from "./gate.ts";
import { delegateTo, gunOf, initialize, makeCall, makeTeam } from "./house.ts";
import { keyIdOf, signersOnNotary } from "./signers.ts";

let proxied: ProxiedHouse;
let core: Core;
const gate = createGate();
before(async () => {
  proxied = await openProxiedHouse({ atStep: gate.atStep });
  core = proxied.replica.core;
  await makeTeam(core, "others");
});
after(() => proxied.stop());

/** Cuts every connection to Notary until the test ends, or this is asked to end it. */
function takeNotaryAway(t: TestContext): () => void {
  const back = (): void => {
    proxied.proxy.rule = () => "forward";
  };
  t.after(back);
  proxied.proxy.rule = () => "drop";
  return back;
}

/** How many rows there are of everything that a change could write. */
async function written(): Promise<unknown> {
  return await proxied.house.database.row(
    `select (select count(*) from collections) as collections, (select count(*) from delegations) as delegations,
       (select count(*) from requests) as requests, (select count(*) from collection_keys) as keys,
       (select sum(revision) from teams) as revisions, (select count(*) from rollouts) as rollouts,
       (select count(*) from audit.intake) + (select count(*) from audit.entry) as records`,
  );
}

test("trust is not initialized while Notary is down: UNAVAILABLE, nothing is written, and a repeat succeeds", async (t) => {
  const gun = "dtr.example.org/down/first";
  const call = () => makeCall({ requestId: "first", requestDigest: "ab".repeat(32) });
  const back = takeNotaryAway(t);
  const before = await written();
  const refused = { kind: "UNAVAILABLE", reason: "NOTARY_UNAVAILABLE" };
  await assert.rejects(initialize(core, gun, ["others"], {}, call()), refused);
  await assert.rejects(initialize(core, gun, ["others"], { noWait: true, validateOnly: true }), refused);
  assert.deepEqual(await written(), before);
  back();
  assert.equal((await initialize(core, gun, ["others"], {}, call())).outcome.state, "PUBLISHED");
});

test("a delegation is accepted while Notary is down, says why it is pending, and goes live by itself", async (t) => {
  const gun = "dtr.example.org/down/pending";
  await makeTeam(core, "late");
  await initialize(core, gun, ["others"]);
  const back = takeNotaryAway(t);
  assert.equal((await delegateTo(core, gun, "late", { noWait: true })).outcome.state, "PENDING");
  const publication = async () => (await getTrust(core.changing.database, gunOf(gun))).publication;
  await until(async () => (await publication()).attempts > 0, "an attempt to have failed");
  const { state, pendingReason, detail } = await publication();
  assert.deepEqual([state, pendingReason], ["PENDING", "NOTARY_UNREACHABLE"]);
  assert.match(detail, /goes live when it does/);
  back();
  await until(() => isLive(proxied.house.database, gun), "the delegation to go live");
  await checkInvariants(proxied.house, gun);
});

test("a caller who goes away after the commit takes nothing back", async (t) => {
  const gun = "dtr.example.org/down/cancelled";
  t.after(gate.open);
  const looked = gate.close("looked");
  const caller = new AbortController();
  const told = initialize(core, gun, ["others"], {}, makeCall({ signal: caller.signal }));
  await looked();
  caller.abort();
  assert.equal((await told).outcome.state, "PENDING");
  gate.open();
  await until(() => isLive(proxied.house.database, gun), "the change to go live without its caller");
  await checkInvariants(proxied.house, gun);
});

interface Blind {
  readonly gun: string;
  readonly team: string;
  readonly member: string;
}

type Options = Partial<ChangeOptions>;

const removals: readonly {
  readonly name: string;
  readonly act: (of: Blind, options?: Options) => Promise<{ readonly outcome: Outcome }>;
}[] = [
  { name: "removing a member", act: ({ team, member }, options) => removeFrom(core, team, member, options) },
  { name: "revoking a key", act: ({ member }, options) => revokeKeyOf(core, member, options) },
  { name: "undelegating a team", act: ({ gun, team }, options) => undelegateFrom(core, gun, team, options) },
];

/** A live collection of two teams, one of them with two members. */
async function begin(name: string) {
  const of = { gun: `dtr.example.org/down/${name}`, team: name, member: `${name}-leaver` };
  const [leaver] = await makeTeam(core, name, [of.member, `${name}-colleague`]);
  assert.ok(leaver);
  await initialize(core, of.gun, [name, "others"]);
  return { ...of, keyId: keyIdOf(leaver) };
}

/** Asserts that the change, made while Notary was away, goes live when it is back, and with it the key is gone. */
async function goesLive(back: () => void, of: Blind & { readonly keyId: string }): Promise<void> {
  back();
  await until(() => isLive(proxied.house.database, of.gun), "the removal to go live");
  const signers = Object.values(await signersOnNotary(core, of.gun)).flat();
  assert.equal(signers.includes(of.keyId), false);
  await checkInvariants(proxied.house, of.gun);
}

for (const [at, { name, act }] of removals.entries()) {
  test(`${name} is refused while nobody can say what it would orphan, unless that is accepted`, async (t) => {
    const of = await begin(`blind-${at}`);
    const back = takeNotaryAway(t);
    const before = [await written(), await standingOf(proxied.house.database, of.gun)];
    await assert.rejects(act(of), {
      kind: "FAILED_PRECONDITION",
      reason: "GUARD_UNAVAILABLE",
      metadata: { gun: of.gun, collections: "1" },
    });
    assert.deepEqual([await written(), await standingOf(proxied.house.database, of.gun)], before);
    const { outcome } = await act(of, { acceptOrphaned: true, noWait: true });
    assert.equal(outcome.state, "PENDING");
    await goesLive(back, of);
  });
}

test("a compromised key is revoked also while nobody can say what that orphans", async (t) => {
  const of = await begin("compromised");
  const back = takeNotaryAway(t);
  const { outcome } = await revokeKeyOf(core, of.member, { reason: "stolen laptop", noWait: true }, "COMPROMISED");
  assert.equal(outcome.state, "PENDING");
  await goesLive(back, of);
});
