import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { PublicationState } from "../../../gen/imagetrust/v1/change.ts";
import { type Delegation, DelegationServiceService } from "../../../gen/imagetrust/v1/delegation.ts";
import type { Certificate } from "../../../gen/imagetrust/v1/team.ts";
import { CollectionState, TrustServiceService } from "../../../gen/imagetrust/v1/trust.ts";
import { runStatements } from "../../stack/postgres.ts";
import type { Wish } from "./client.ts";
import { type House, openHouse } from "./house.ts";
import { delegate, initialize, makeTeam, submit } from "./story.ts";

const { initializeTrust, getTrust, listTrusts, deleteTrust } = TrustServiceService;
const { getDelegation, listDelegations } = DelegationServiceService;

/** One GUN in each state, and a second one in sync. */
const gunOf = {
  blocked: "dtr.example.org/dev/blocked",
  deleted: "dtr.example.org/dev/deleted",
  initializing: "dtr.example.org/dev/initializing",
  live: "dtr.example.org/dev/live",
  pending: "dtr.example.org/dev/pending",
  revised: "dtr.example.org/dev/revised",
  other: "dtr.example.org/prod/live",
} as const;
const stateOf: Readonly<Record<keyof typeof gunOf, keyof typeof CollectionState>> = {
  blocked: "BLOCKED",
  deleted: "DELETED",
  initializing: "INITIALIZING",
  live: "IN_SYNC",
  pending: "PENDING",
  revised: "PENDING",
  other: "IN_SYNC",
};

let house: House;
let qaKeys: readonly Certificate[];

before(async () => {
  house = await openHouse({ publishing: true });
  const { admin } = house;
  qaKeys = await makeTeam(admin, "qa", ["ann", "bob"]);
  await makeTeam(admin, "ops", ["oli"]);
  await makeTeam(admin, "rev", ["rex"]);
  for (const [gun, ...teams] of [
    [gunOf.blocked, "qa"],
    [gunOf.live, "qa", "ops"],
    [gunOf.pending, "qa"],
    [gunOf.revised, "rev"],
    [gunOf.other],
  ] as const) {
    const grants = teams.map((team) => ({ team, paths: [], excludeFromReleases: team === "ops" }));
    const { outcome } = await admin.send(initializeTrust, { gun, teams: grants });
    assert.equal(outcome?.state, PublicationState.PUBLISHED, gun);
  }
  await wedge(gunOf.blocked);
  const { delegate } = DelegationServiceService;
  const { outcome } = await admin.send(delegate, { gun: gunOf.blocked, team: "ops" });
  assert.equal(outcome?.state, PublicationState.BLOCKED, outcome?.publications[0]?.detail);
  // From here on what is decided stays as it is.
  await house.core.publisher.stop();
  await leavePending();
});
after(() => house.stop());

/** Leaves Notary with a snapshot that no timestamp names, as a timestamp lost at a crash does: it takes no upload any more. */
async function wedge(gun: string): Promise<void> {
  await runStatements(house.notary.databaseUrl, [
    `insert into tuf_files(created_at, updated_at, gun, role, version, data, sha256)
     select now(), now(), gun, role, version + 1, data, repeat('ab', 32) from tuf_files
     where gun = '${gun}' and role = 'snapshot' order by version desc limit 1`,
  ]);
}

async function leavePending(): Promise<void> {
  const { admin } = house;
  await delegate(admin, gunOf.pending, "ops");
  await submit(admin, "rex");
  await initialize(admin, gunOf.initializing, ["qa"]);
  await initialize(admin, gunOf.deleted, ["qa"]);
  await admin.send(deleteTrust, { gun: gunOf.deleted });
}

/** All pages of a list of trusts, and how many they were. */
async function listed(wish: Wish<Parameters<typeof listTrusts.requestSerialize>[0]>) {
  const guns: string[] = [];
  let pages = 0;
  let pageToken = "";
  do {
    const page = await house.viewer.send(listTrusts, { ...wish, pageToken });
    guns.push(...page.trusts.map(({ gun }) => gun));
    pageToken = page.nextPageToken;
    pages += 1;
  } while (pageToken !== "");
  return { guns, pages };
}

const gunsIn = (...states: readonly string[]) =>
  (Object.keys(gunOf) as (keyof typeof gunOf)[])
    .filter((name) => states.includes(stateOf[name]))
    .map((name) => gunOf[name]);

for (const [name, state] of Object.entries(stateOf)) {
  test(`a trust that is ${name} reads as ${state}, by itself and in a list`, async () => {
    const gun = gunOf[name as keyof typeof gunOf];
    const { trust } = await house.viewer.send(getTrust, { gun });
    assert.equal(trust?.state, CollectionState[state]);
    const { trusts } = await house.viewer.send(listTrusts, { gunPrefix: gun, states: [CollectionState[state]] });
    assert.deepEqual(
      trusts.map((one) => [one.gun, one.state]),
      [[gun, CollectionState[state]]],
    );
    assert.deepEqual(trusts[0]?.etag, trust?.etag);
  });
}

test("trusts are listed ascending, the deleted ones only when asked for", async () => {
  const alive = Object.values(gunOf).filter((gun) => gun !== gunOf.deleted);
  assert.deepEqual(await listed({}), { guns: alive, pages: 1 });
  const states = [CollectionState.DELETED, CollectionState.BLOCKED];
  assert.deepEqual((await listed({ states })).guns, [gunOf.blocked, gunOf.deleted]);
});

const filters: readonly (readonly [string, Parameters<typeof listed>[0], readonly string[]])[] = [
  ["a prefix that ends at a slash", { gunPrefix: "dtr.example.org/prod/" }, [gunOf.other]],
  ["a prefix within a name", { gunPrefix: "dtr.example.org/dev/li" }, [gunOf.live]],
  ["a prefix that is no GUN's", { gunPrefix: "dtr.example.org/dev/live/" }, []],
  ["a state", { states: [CollectionState.PENDING] }, gunsIn("PENDING")],
  ["two states", { states: [CollectionState.IN_SYNC, CollectionState.BLOCKED] }, gunsIn("IN_SYNC", "BLOCKED")],
  ["a team", { team: "qa" }, [gunOf.blocked, gunOf.initializing, gunOf.live, gunOf.pending]],
  ["a team that may sign nothing", { team: "none" }, []],
  ["a team and a state", { team: "qa", states: [CollectionState.PENDING] }, [gunOf.pending]],
  [
    "prefix, state and team",
    { gunPrefix: "dtr.example.org/dev/", states: [CollectionState.IN_SYNC, CollectionState.PENDING], team: "ops" },
    [gunOf.live, gunOf.pending],
  ],
];

for (const [name, wish, expected] of filters) {
  test(`trusts by ${name} are found, all at once and page by page`, async () => {
    assert.deepEqual((await listed(wish)).guns, expected);
    assert.deepEqual(await listed({ ...wish, pageSize: 1 }), { guns: expected, pages: Math.max(1, expected.length) });
  });
}

async function delegationsOf(wish: Wish<Parameters<typeof listDelegations.requestSerialize>[0]>, pageSize: number) {
  const found: Delegation[] = [];
  let pageToken = "";
  do {
    const page = await house.viewer.send(listDelegations, { ...wish, pageSize, pageToken });
    assert.ok(page.delegations.length <= pageSize);
    found.push(...page.delegations);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return found.map(({ gun, team }) => `${gun} ${team}`);
}

for (const pageSize of [50, 1]) {
  test(`delegations are listed by GUN, by team and by both, in pages of ${pageSize}`, async () => {
    const ofGun = [`${gunOf.live} ops`, `${gunOf.live} qa`];
    const ofTeam = [gunOf.blocked, gunOf.live, gunOf.pending].map((gun) => `${gun} ops`);
    assert.deepEqual(await delegationsOf({ gun: gunOf.live }, pageSize), ofGun);
    assert.deepEqual(await delegationsOf({ team: "ops" }, pageSize), ofTeam);
    assert.deepEqual(await delegationsOf({ gun: gunOf.live, team: "ops" }, pageSize), [`${gunOf.live} ops`]);
    assert.deepEqual(await delegationsOf({ gun: gunOf.deleted }, pageSize), []);
  });
}

test("a delegation tells its keys, its paths, and how far it is live", async () => {
  const read = async (gun: string, team: string) => {
    const { delegation } = await house.viewer.send(getDelegation, { gun, team });
    assert.ok(delegation);
    return delegation;
  };
  const live = await read(gunOf.live, "qa");
  assert.deepEqual(new Set(live.keys), new Set(qaKeys.map(({ key }) => key)));
  assert.deepEqual(new Set(live.keys.map(({ member }) => member)), new Set(["ann", "bob"]));
  assert.deepEqual([live.gun, live.team, live.paths, live.excludeFromReleases], [gunOf.live, "qa", [""], false]);
  assert.equal(live.state, PublicationState.PUBLISHED);
  assert.deepEqual([live.publishedTeamRevision, live.teamRevision > 0n], [live.teamRevision, true]);
  assert.ok((live.publishTime ?? 0) >= (live.createTime ?? Number.NaN));
  assert.equal((await read(gunOf.live, "ops")).excludeFromReleases, true);

  const pending = await read(gunOf.pending, "ops");
  assert.deepEqual([pending.state, pending.publishTime], [PublicationState.PENDING, undefined]);
  const revised = await read(gunOf.revised, "rev");
  assert.deepEqual(
    [revised.state, revised.teamRevision],
    [PublicationState.PENDING, revised.publishedTeamRevision + 1n],
  );
  assert.equal(revised.keys.length, 2, "as decided, not as live");
  assert.equal((await read(gunOf.blocked, "ops")).state, PublicationState.BLOCKED);
  const gone = await house.viewer.refused(getDelegation, { gun: gunOf.deleted, team: "qa" });
  assert.equal(gone.reason, "NOT_FOUND");
});

test("a read that waits for what a blocked trust cannot become is answered at once", async () => {
  const began = Date.now();
  const wish = { gun: gunOf.blocked, minPublishedGeneration: 99n };
  const { trust } = await house.viewer.send(getTrust, wish, { deadlineMs: 60_000 });
  assert.equal(trust?.state, CollectionState.BLOCKED);
  assert.ok(Date.now() - began < 30_000);
});

test("a read that waits for a team's revision in vain is answered in time, with what is live", async () => {
  const { delegation } = await house.viewer.send(getDelegation, { gun: gunOf.revised, team: "rev" });
  const minTeamRevisions = [{ team: "rev", revision: delegation?.teamRevision ?? 0n }];
  const began = Date.now();
  const { trust } = await house.viewer.send(getTrust, { gun: gunOf.revised, minTeamRevisions }, { deadlineMs: 4_000 });
  assert.ok(Date.now() - began > 3_000, "it waited for as long as it could");
  assert.equal(trust?.state, CollectionState.PENDING);
  const [held] = trust.desiredDelegations;
  assert.equal(held?.publishedTeamRevision, (held?.teamRevision ?? 0n) - 1n);
  const live = [{ team: "rev", revision: held?.publishedTeamRevision ?? 0n }];
  const reached = await house.viewer.send(
    getTrust,
    { gun: gunOf.revised, minTeamRevisions: live },
    { deadlineMs: 60_000 },
  );
  assert.deepEqual(reached.trust, trust);
});
