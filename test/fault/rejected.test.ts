import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { undelegate } from "../../src/trust/delegate.ts";
import { getTrust } from "../../src/trust/trust-view.ts";
import { delegateTo, gunOf, initialize, joinTeam, makeCall, makeTeam, noOptions, teamOf } from "../trust/house.ts";
import { checkInvariants } from "./invariants.ts";
import { badTargets, type Deed, versionTaken } from "./notary-proxy.ts";
import { openProxiedHouse, type ProxiedHouse } from "./proxied-house.ts";
import { isLive, recordTypes, standingOf, uploadStates, uploadsOf } from "./publications.ts";
import { until } from "./until.ts";

let proxied: ProxiedHouse;
before(async () => {
  proxied = await openProxiedHouse();
  for (const team of ["qa", "ops", "dev"]) await makeTeam(proxied.replica.core, team);
});
after(() => proxied.stop());
beforeEach(() => {
  proxied.proxy.rule = () => "forward";
});

/** Answers every upload of the GUN so; counts them. */
function answerUploads(gun: string, deed: Deed): { readonly count: () => number } {
  let count = 0;
  proxied.proxy.rule = (asked) => {
    if (asked.gun !== gun || !asked.isUpload) return "forward";
    count += 1;
    return deed;
  };
  return { count: () => count };
}

const undelegateFrom = (gun: string, team: string) =>
  undelegate(proxied.replica.core.trust, makeCall(), { gun: gunOf(gun), team: teamOf(team), options: noOptions });

/** A collection whose delegation of ops was refused until it was blocked. */
async function refuseOps(gun: string): Promise<void> {
  await initialize(proxied.replica.core, gun, ["qa"]);
  const began = Date.now();
  const uploads = answerUploads(gun, badTargets);
  const { outcome } = await delegateTo(proxied.replica.core, gun, "ops");
  assert.equal(outcome.state, "BLOCKED");
  assert.equal(outcome.publications[0]?.blockReason, "REJECTED");
  assert.match(outcome.publications[0]?.detail ?? "", /ErrBadTargets/);
  assert.ok(uploads.count() >= 3, `${uploads.count()} refusals`);
  assert.ok(Date.now() - began >= 300, "refused over the set time");
  const [, refused] = await uploadsOf(proxied.house.database, gun);
  assert.equal(refused?.state, "REJECTED");
  assert.equal(refused?.refusals, uploads.count());
}

/** The teams that Notary's published targets name. */
async function liveTeams(gun: string): Promise<readonly string[]> {
  const trust = await getTrust(proxied.house.database, gunOf(gun));
  return trust.publishedDelegations.map((role) => role.version.role.slice("targets/".length)).sort();
}

test("a refused upload blocks the collection, and the correction goes out in its place", async () => {
  const { house } = proxied;
  const gun = "dtr.example.org/refused/corrected";
  await refuseOps(gun);
  proxied.proxy.rule = () => "forward";
  const { outcome } = await undelegateFrom(gun, "ops");
  assert.equal(outcome.state, "PUBLISHED", outcome.publications[0]?.detail);
  const [, refused, corrected] = await uploadsOf(house.database, gun);
  assert.equal(corrected?.state, "LANDED", "the correction takes a slot above that of the refused upload");
  assert.deepEqual(await liveTeams(gun), ["qa", "releases"]);
  const told = (await recordTypes(house.database, gun)).filter((type) => type.includes("blocked"));
  assert.deepEqual(told, ["trust.blocked.v1", "trust.unblocked.v1"]);
  // The next turn finds that the slots have decided over the refused upload.
  assert.equal((await delegateTo(proxied.replica.core, gun, "dev")).outcome.state, "PUBLISHED");
  assert.equal((await uploadsOf(house.database, gun)).find((upload) => upload.id === refused?.id)?.state, "LOST");
  await checkInvariants(house, gun);
});

test("a refusal that changes its mind lands what it refused, late, and the correction stays in force", async () => {
  const { house } = proxied;
  const gun = "dtr.example.org/refused/late";
  await refuseOps(gun);
  // Somebody who slept since it was armed sends the refused bytes after the collection was corrected in the database.
  await undelegateHeld(gun);
  await postRefused(gun);
  proxied.proxy.rule = () => "forward";
  await until(() => isLive(house.database, gun), "the correction to go live");
  assert.deepEqual(await liveTeams(gun), ["qa", "releases"], "nobody is delegated whom nobody wants");
  assert.deepEqual(await uploadStates(house.database, gun), ["LANDED", "LANDED", "LANDED"]);
  await checkInvariants(house, gun);
});

test("a refused upload that lands after its correction changes only its own row", async () => {
  const { house } = proxied;
  const gun = "dtr.example.org/refused/overtaken";
  await refuseOps(gun);
  let sleeper: (() => Promise<void>) | undefined = () => postRefused(gun);
  proxied.proxy.rule = async (asked): Promise<Deed> => {
    const wake = asked.gun === gun && asked.isUpload ? sleeper : undefined;
    sleeper = wake === undefined ? sleeper : undefined;
    await wake?.();
    return "forward";
  };
  assert.equal((await undelegateFrom(gun, "ops")).outcome.state, "PUBLISHED");
  const before = await standingOf(house.database, gun);
  assert.equal((await delegateTo(proxied.replica.core, gun, "dev")).outcome.state, "PUBLISHED");
  const after = await standingOf(house.database, gun);
  assert.deepEqual([before.targetsVersion, after.targetsVersion], [3, 4]);
  assert.deepEqual(await uploadStates(house.database, gun), ["LANDED", "LANDED", "LANDED", "LANDED"]);
  assert.deepEqual(await liveTeams(gun), ["dev", "qa", "releases"]);
  await checkInvariants(house, gun);
});

/** Undelegates while the publisher cannot reach Notary. */
async function undelegateHeld(gun: string): Promise<void> {
  proxied.proxy.rule = (asked) => (asked.gun === gun ? "drop" : "forward");
  await undelegate(proxied.replica.core.trust, makeCall(), {
    gun: gunOf(gun),
    team: teamOf("ops"),
    options: { ...noOptions, noWait: true, acceptOrphaned: true },
  });
}

/** Posts the refused upload's stored bytes to Notary itself. */
async function postRefused(gun: string): Promise<void> {
  const { house } = proxied;
  const parts = await house.database.rows<{ role: never; bytes: Buffer }>(
    `select p.role, p.envelope as bytes from upload_parts p join uploads u on u.id = p.upload_id
     join collections c on c.id = u.collection_id where c.gun = :gun and u.state = 'REJECTED'`,
    { gun },
  );
  assert.equal(parts.length, 1);
  const answer = await house.core.trust.notaries.byName("main").upload(gunOf(gun), parts, new AbortController().signal);
  assert.equal(answer.kind, "ACCEPTED");
}

test("a change that leaves the refused content as it is does not send it again", async () => {
  const { house } = proxied;
  const gun = "dtr.example.org/refused/same";
  await refuseOps(gun);
  const uploads = answerUploads(gun, badTargets);
  // A member without a certificate changes no key.
  await joinTeam(proxied.replica.core, "ops", "without-key");
  const { outcome } = await delegateTo(proxied.replica.core, gun, "ops");
  assert.equal(outcome.state, "BLOCKED");
  assert.equal(uploads.count(), 0);
  const blocked = (await recordTypes(house.database, gun)).filter((type) => type === "trust.blocked.v1");
  assert.equal(blocked.length, 1, "said once");
});

test("the first publication is made anew with other server keys when Notary lost those it gave", async () => {
  const { house, replica } = proxied;
  const gun = "dtr.example.org/refused/keys";
  const lost: Deed = {
    status: 400,
    body: JSON.stringify({
      errors: [
        {
          code: "INVALID_UPDATE",
          message: "Update sent by the client is invalid.",
          detail: { Name: "ErrBadRoot", Error: { Msg: "no timestamp keys exist on the server" } },
        },
      ],
    }),
  };
  const first = JSON.stringify({
    keytype: "ecdsa",
    keyval: { private: null, public: (await strangerKey()).toString("base64") },
  });
  let keysGiven = 0;
  let refused = 0;
  proxied.proxy.rule = (asked) => {
    if (asked.gun !== gun) return "forward";
    if (asked.what === "GET timestamp.key" && keysGiven++ === 0) return { status: 200, body: first };
    if (asked.isUpload && refused++ === 0) return lost;
    return "forward";
  };
  const { outcome } = await initialize(replica.core, gun, ["qa"]);
  assert.equal(outcome.state, "PUBLISHED", outcome.publications[0]?.detail);
  assert.equal(keysGiven, 2);
  const states = await uploadStates(house.database, gun);
  assert.deepEqual(states, ["REJECTED", "LANDED"]);
  assert.equal((await standingOf(house.database, gun)).rootVersion, 1);
  assert.equal((await delegateTo(replica.core, gun, "ops")).outcome.state, "PUBLISHED");
  await checkInvariants(house, gun);
});

async function strangerKey(): Promise<Buffer> {
  const { makeSigner } = await import("../notary/collection.ts");
  return makeSigner().key.public;
}

test("answers of VERSION that nothing explains are waited out, and the change goes live", async () => {
  const { house, replica } = proxied;
  const gun = "dtr.example.org/refused/version";
  await initialize(replica.core, gun, ["qa"]);
  const uploads = answerUploads(gun, versionTaken);
  const told = await delegateTo(replica.core, gun, "ops", {}, makeCall({ deadline: Date.now() + 1_500 }));
  assert.equal(told.outcome.state, "PENDING");
  assert.match(told.outcome.publications[0]?.detail ?? "", /VERSION/);
  await until(() => uploads.count() >= 4, "four answers");
  assert.equal((await standingOf(house.database, gun)).blockReason, null);
  proxied.proxy.rule = () => "forward";
  await until(() => isLive(house.database, gun), "the change to go live");
  await checkInvariants(house, gun);
});
