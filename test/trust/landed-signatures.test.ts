import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { claimedKeys } from "../../migrations/0007_landed_signatures.ts";
import type { Outcome } from "../../src/changes/outcome.ts";
import type { Core } from "../../src/core.ts";
import { delegate } from "../../src/trust/delegate.ts";
import type { TagState } from "../../src/trust/signed/tag-view.ts";
import { openProxiedHouse, type ProxiedHouse } from "../fault/proxied-house.ts";
import { until } from "../fault/until.ts";
import { addTo, removeFrom, replaceKeyOf, revokeAllOf, submitFor, undelegateFrom } from "./acts.ts";
import { delegateTo, gunOf, initialize, joinTeam, makeCall, makeTeam, noOptions, teamOf } from "./house.ts";
import { type Identity, makeIdentity } from "./identity.ts";
import { signatureRecordsOf, type ToldChange } from "./signature-records.ts";
import { pushSigned } from "./signers.ts";

let proxied: ProxiedHouse;
let core: Core;
before(async () => {
  proxied = await openProxiedHouse({ follow: {} });
  core = proxied.replica.core;
  core.follower.start();
});
after(() => proxied.stop());

const accepted = { acceptOrphaned: true, acceptWithoutSigner: true };

/** Two members of a team with trust; the first has signed `1.0` in both roles, and the second released `2.0` on top of it. */
async function makeSigned(team: string) {
  const gun = `dtr.example.org/landed/${team}`;
  const [ann, bob] = await makeTeam(core, team, [`${team}-ann`, `${team}-bob`]);
  assert.ok(ann && bob);
  await initialize(core, gun, [team]);
  const own = `targets/${team}`;
  await pushSigned(core, [ann], { gun, role: own, version: 1, tags: ["1.0"] });
  await pushSigned(core, [ann], { gun, role: "targets/releases", version: 1, tags: ["1.0"] });
  await pushSigned(core, [bob], { gun, role: "targets/releases", version: 2, tags: ["1.0", "2.0"] });
  await told(gun, ["added", "added", "added"]);
  return { gun, team, own, ann, bob };
}

/** The records of a GUN's signatures once there are as many as expected of just these kinds. */
async function told(gun: string, kinds: readonly string[]): Promise<readonly ToldChange[]> {
  const read = () => signatureRecordsOf(proxied.house.database, gun);
  await until(async () => (await read()).length >= kinds.length, `records ${kinds.join()} of ${gun}`);
  const records = await read();
  assert.deepEqual(records.map(({ what }) => what).sort(), [...kinds].sort());
  return records;
}

const warningsOf = ({ plan }: Outcome) => plan.warnings.map(({ code, role, tags }) => [code, role, tags]);

/** Whether every timestamp of the GUN that is known was followed. */
async function isFollowed(gun: string): Promise<boolean> {
  const row = await proxied.house.database.row(
    `select 1 from collections c join followed f on f.collection_id = c.id and f.incarnation = c.incarnation
     join seen_files s on s.collection_id = c.id and s.incarnation = c.incarnation and s.role = 'timestamp'
     where c.gun = :gun and f.timestamp_version >= s.version`,
    { gun },
  );
  return row !== undefined;
}

test("what a landing orphaned, left trusted and revived is recorded per role with its cause, once", async () => {
  const { gun, team, own } = await makeSigned("told");
  const asked = await removeFrom(core, team, "told-ann", { ...accepted, validateOnly: true });
  const expected = [
    ["SIGNATURES_ORPHANED", own, ["1.0"]],
    ["SIGNATURES_TO_REVIEW", "targets/releases", ["1.0"]],
  ];
  assert.deepEqual(warningsOf(asked.outcome), expected, "the plan knows whose image lives on under whose signature");
  await told(gun, ["added", "added", "added"]);
  const { outcome } = await removeFrom(core, team, "told-ann", { ...accepted, planEtag: asked.outcome.planEtag });
  assert.equal(outcome.state, "PUBLISHED");
  const removal = { targets: 2, left: ["told-ann"], joined: [] };
  const [survived, orphaned] = (await told(gun, ["added", "added", "added", "orphaned", "survived"])).slice(3);
  assert.deepEqual(orphaned, {
    ...{ what: "orphaned", role: own, version: 1, tags: ["1.0"], members: ["told-ann"], teams: [team] },
    cause: removal,
  });
  assert.deepEqual(survived, {
    ...{ what: "survived", role: "targets/releases", version: 2, tags: ["1.0"], members: ["told-bob"], teams: [team] },
    cause: removal,
  });

  // A landing that changes no role tells nothing, and does not tell the last one's effect again.
  await makeTeam(core, "told-others");
  await delegateTo(core, gun, "told-others", {}, undefined, true);
  const back = await addTo(core, team, "told-ann", { acceptRevived: true });
  assert.deepEqual(warningsOf(back.outcome), [["SIGNATURES_REVIVED", own, ["1.0"]]]);
  const all = await told(gun, ["added", "added", "added", "orphaned", "survived", "revived"]);
  assert.deepEqual(all.at(-1)?.cause, { targets: 4, left: [], joined: ["told-ann"] });
  await until(() => isFollowed(gun), "all to be followed");
  await told(gun, ["added", "added", "added", "orphaned", "survived", "revived"]);
});

test("while Notary cannot be read a compromise is judged by what was kept, at once, and names who can act", async (t) => {
  const { gun, own } = await makeSigned("dark");
  await until(() => isFollowed(gun), "all to be followed");
  t.after(() => {
    proxied.proxy.rule = () => "forward";
  });
  proxied.proxy.rule = () => "drop";
  await assert.rejects(revokeAllOf(core, "dark-ann", "LEFT"), { reason: "GUARD_UNAVAILABLE" });
  const began = Date.now();
  const { outcome } = await revokeAllOf(core, "dark-ann", "COMPROMISED", { reason: "laptop stolen", noWait: true });
  assert.deepEqual(warningsOf(outcome), [
    ["SIGNATURES_ORPHANED", own, ["1.0"]],
    ["SIGNATURES_TO_REVIEW", "targets/releases", ["1.0"]],
    ["SIGNATURES_UNKNOWN", "", []],
  ]);
  for (const { readAt, members, code } of outcome.plan.warnings) {
    assert.ok(readAt !== undefined && readAt.getTime() <= began && began - readAt.getTime() < 60_000);
    assert.deepEqual(members, code === "SIGNATURES_UNKNOWN" ? [] : ["dark-bob"]);
  }
  assert.match(outcome.plan.warnings.at(-1)?.message ?? "", /what is named of it is as of 20/);
  proxied.proxy.rule = () => "forward";
  await told(gun, ["added", "added", "added", "orphaned", "survived"]);
  assert.ok((await core.signedTags.get(gunOf(gun), "1.0" as never)).released);
});

test("Delegate and Undelegate plan with the same warnings, and narrower paths orphan what they leave out", async () => {
  const { gun, team, own } = await makeSigned("plan");
  const narrow = { gun: gunOf(gun), team: teamOf(team), paths: ["2"], excludeFromReleases: true };
  await assert.rejects(delegate(core.trust, makeCall(), { ...narrow, options: noOptions }), (error: never) => {
    const { reason, metadata } = error as { reason: string; metadata: Record<string, string> };
    assert.equal(reason, "WOULD_ORPHAN");
    assert.deepEqual(metadata, { [`${gun} ${own}`]: "1.0", [`${gun} targets/releases`]: "1.0,2.0", roles: "2" });
    return true;
  });
  await makeTeam(core, "plan-too", []);
  await joinTeam(core, "plan-too", "plan-bob");
  await delegateTo(core, gun, "plan-too");
  const asked = await undelegateFrom(core, gun, team, { ...accepted, validateOnly: true });
  const { outcome } = await undelegateFrom(core, gun, team, { ...accepted, planEtag: asked.outcome.planEtag });
  assert.deepEqual(warningsOf(outcome), [
    ["SIGNATURES_ORPHANED", own, ["1.0"]],
    ["SIGNATURES_TO_REVIEW", "targets/releases", ["1.0"]],
  ]);
  const again = await delegateTo(core, gun, team, { acceptRevived: true });
  assert.deepEqual(warningsOf(again.outcome), [["SIGNATURES_REVIVED", own, ["1.0"]]]);
});

/** A role's file that a member and a stranger signed together, and that the member's leaving has orphaned. */
async function makeCosigned(team: string): Promise<{ readonly gun: string; readonly stranger: Identity }> {
  const gun = `dtr.example.org/cosigned/${team}`;
  const [ann] = await makeTeam(core, team, [`${team}-ann`, `${team}-bob`]);
  assert.ok(ann);
  const stranger = await makeIdentity(`${team}-eve`);
  await initialize(core, gun, [team]);
  await pushSigned(core, [ann, stranger], { gun, role: "targets/releases", version: 1, tags: ["evil"] });
  await told(gun, ["added"]);
  await removeFrom(core, team, `${team}-ann`, accepted);
  await told(gun, ["added", "orphaned"]);
  return { gun, stranger };
}

test("a newcomer whose key had co-signed a file revives nothing unasked, on whichever way the key comes in", async () => {
  const refused = { reason: "WOULD_REVIVE" };
  const { gun, stranger } = await makeCosigned("newcomer");
  await assert.rejects(replaceKeyOf(core, "newcomer-bob", stranger), refused);
  await joinTeam(core, "newcomer", "newcomer-eve");
  await assert.rejects(submitFor(core, "newcomer-eve", stranger), refused);
  await removeFrom(core, "newcomer", "newcomer-eve");
  await makeTeam(core, "elsewhere", []);
  await joinTeam(core, "elsewhere", "newcomer-eve");
  await submitFor(core, "newcomer-eve", stranger);
  await assert.rejects(addTo(core, "newcomer", "newcomer-eve"), refused);
  await assert.rejects(delegateTo(core, gun, "elsewhere"), refused);
  await told(gun, ["added", "orphaned"]);
  await addTo(core, "newcomer", "newcomer-eve", { acceptRevived: true });
  const revived = (await told(gun, ["added", "orphaned", "revived"])).at(-1);
  assert.deepEqual([revived?.tags, revived?.members], [["evil"], ["newcomer-eve"]]);
});

test("the files of an older database get the signers that they name as the follower would have kept them", async () => {
  const files = await proxied.house.database.rows<{ claimed: readonly string[]; filled: readonly string[] }>(
    `select f.claimed_by as claimed, ${claimedKeys} as filled from delegation_files f join kept_files k on k.sha256 = f.sha256`,
  );
  assert.ok(files.some(({ claimed }) => claimed.length === 2));
  for (const { claimed, filled } of files) assert.deepEqual(new Set(filled), new Set(claimed));
});

test("tags are listed by state, page by page", async () => {
  const { gun, team, own, bob } = await makeSigned("states");
  await pushSigned(core, [bob], { gun, role: own, version: 2, tags: ["2.0", "3.0"], image: "another" });
  await until(async () => (await listed([])).length === 3, "three tags");
  async function listed(states: readonly TagState[], size = 1): Promise<readonly string[]> {
    const found: string[] = [];
    for (let token = ""; ; ) {
      const page = await core.signedTags.list(gunOf(gun), { prefix: "", states }, { size, token });
      found.push(...page.items.map(({ tag }) => tag));
      token = page.nextToken;
      if (token === "") return found;
    }
  }
  assert.deepEqual(await listed(["RELEASED"]), ["1.0", "2.0"]);
  assert.deepEqual(await listed(["DISPUTED"]), ["2.0"]);
  assert.deepEqual(await listed(["NOT_RELEASED", "ORPHANED"]), ["3.0"]);
  await undelegateFrom(core, gun, team, accepted);
  assert.deepEqual(await listed(["ORPHANED"]), ["1.0", "2.0", "3.0"]);
  assert.deepEqual(await listed(["RELEASED", "DISPUTED"]), []);
});
