import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { getTeam, listTeams } from "../../src/teams/teams.ts";
import { actsOf, assertRefused } from "./acts.ts";
import { displayName, type House, labels, memberId, openHouse, teamId } from "./house.ts";

describe("teams", () => {
  let house: House;
  let act: ReturnType<typeof actsOf>;
  before(async () => {
    house = await openHouse();
    act = actsOf(house);
  });
  after(() => house.close());
  beforeEach(() => house.clear());

  it("are created with name and labels, at revision 1, and recorded", async () => {
    const { team, outcome } = await act.create("qa", {
      displayName: displayName("Quality"),
      labels: labels({ "cost/centre": "42" }),
    });
    assert.equal(outcome.state, "PENDING", "the answer comes from the one who follows the change");
    assert.ok(team);
    assert.equal(team.displayName, "Quality");
    assert.deepEqual([...team.labels], [["cost/centre", "42"]]);
    assert.deepEqual(
      [team.revision, team.memberCount, team.delegationCount, team.deletedAt, team.etag],
      [1n, 0, 0, undefined, "1"],
    );
    assert.deepEqual(team.createdAt, house.now());
    const [record] = await house.records();
    assert.equal(record?.event_type, "team.created.v1");
    assert.deepEqual(record?.subject, { type: "team", id: "qa" });
    assert.equal(record?.stage, "RESULT");
  });

  it("created again with the same attributes are UNCHANGED, and the call is recorded", async () => {
    const attributes = { displayName: displayName("Quality"), labels: labels({ a: "1", b: "2" }) };
    await act.create("qa", attributes);
    const rows = await house.rows();
    const { outcome } = await act.create("qa", { ...attributes, labels: labels({ b: "2", a: "1" }) });
    assert.equal(outcome.state, "UNCHANGED");
    assert.equal(await house.rows(), rows);
    assert.deepEqual(
      (await house.records()).map((record) => record.event_type),
      ["team.created.v1", "team.unchanged.v1"],
    );
  });

  it("created again with another name or other labels are refused", async () => {
    await act.create("qa", { displayName: displayName("Quality"), labels: labels({ a: "1" }) });
    await assertRefused(house, () => act.create("qa", { labels: labels({ a: "1" }) }), "ALREADY_EXISTS");
    const relabelled = { displayName: displayName("Quality"), labels: labels({ a: "2" }) };
    await assertRefused(house, () => act.create("qa", relabelled), "ALREADY_EXISTS");
  });

  it("are found by id with their counts, and those never made are NOT_FOUND", async () => {
    await act.create("qa");
    await act.add("qa", "ann");
    house.effects.delegated.add(teamId("qa"));
    const team = await getTeam(house.room, teamId("qa"));
    assert.deepEqual([team.memberCount, team.delegationCount], [1, 3]);
    await assertRefused(house, () => getTeam(house.room, teamId("nobody")), "NOT_FOUND");
  });

  it("are listed by id in pages, all of them or those of one member, without the deleted", async () => {
    for (const id of ["d", "a", "c", "b", "e"]) await act.create(id);
    for (const id of ["e", "a"]) await act.add(id, "ann");
    await act.drop("c");
    house.effects.delegated.add(teamId("a"));
    const first = await listTeams(house.room, { member: undefined }, { size: 3, token: "" });
    assert.deepEqual(
      first.items.map((team) => [team.id, team.delegationCount]),
      [
        ["a", 3],
        ["b", 0],
        ["d", 0],
      ],
    );
    const second = await listTeams(house.room, { member: undefined }, { size: 3, token: first.nextToken });
    assert.deepEqual(
      second.items.map((team) => team.id),
      ["e"],
    );
    assert.equal(second.nextToken, "");
    const ofAnn = await listTeams(house.room, { member: memberId("ann") }, { size: 3, token: "" });
    assert.deepEqual(
      ofAnn.items.map((team) => team.id),
      ["a", "e"],
    );
    await assertRefused(
      house,
      () => listTeams(house.room, { member: memberId("ann") }, { size: 3, token: first.nextToken }),
      "INVALID_FIELD",
    );
  });

  it("are deleted with their memberships, stay known, and a second deletion is UNCHANGED", async () => {
    await act.create("qa");
    await act.add("qa", "ann");
    house.advance(1_000);
    await act.drop("qa");
    const team = await getTeam(house.room, teamId("qa"));
    assert.deepEqual([team.deletedAt, team.memberCount, team.revision], [house.now(), 0, 1n]);
    const rows = await house.rows();
    assert.equal((await act.drop("qa")).outcome.state, "UNCHANGED");
    assert.equal(await house.rows(), rows);
    const told = (await house.records()).at(-2);
    assert.deepEqual(told?.change.diff, ["team qa deleted", "1 memberships ended"]);
  });

  it("that are delegated cannot be deleted", async () => {
    await act.create("qa");
    house.effects.delegated.add(teamId("qa"));
    await assertRefused(house, () => act.drop("qa"), "TEAM_IN_USE", /undelegate/);
  });

  it("that were deleted leave their id retired for ever, and take no member", async () => {
    await act.create("qa");
    await act.drop("qa");
    await assertRefused(house, () => act.create("qa"), "TEAM_ID_RETIRED");
    await assertRefused(house, () => act.add("qa", "ann"), "NOT_FOUND");
  });

  it("are not deleted when they never were", async () => {
    await assertRefused(house, () => act.drop("qa"), "NOT_FOUND");
  });

  it("created by several callers at once are made once", async () => {
    const outcomes = await Promise.all([1, 2, 3, 4].map(() => act.create("qa")));
    const states = outcomes.map((made) => made.outcome.state).sort();
    assert.deepEqual(states, ["PENDING", "UNCHANGED", "UNCHANGED", "UNCHANGED"]);
  });
});
