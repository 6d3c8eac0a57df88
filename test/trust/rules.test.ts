import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { ChangeOptions } from "../../src/changes/options.ts";
import { deleteTeam } from "../../src/teams/teams.ts";
import { cancelRollout } from "../../src/trust/rollouts/cancel-rollout.ts";
import { getRollout, type RolloutId } from "../../src/trust/rollouts/rollout-view.ts";
import { createDelegationRule } from "../../src/trust/rules/create-rule.ts";
import { deleteDelegationRule } from "../../src/trust/rules/delete-rule.ts";
import { parseRulePrefix, type RulePrefix } from "../../src/trust/rules/rule-prefix.ts";
import { fenceRules } from "../../src/trust/rules/rule-store.ts";
import { checkInvariants } from "../fault/invariants.ts";
import { recordTypes } from "../fault/publications.ts";
import { until } from "../fault/until.ts";
import { giveKey, undelegateFrom } from "./acts.ts";
import {
  delegateTo,
  type House,
  initialize,
  joinTeam,
  makeCall,
  makeTeam,
  must,
  noOptions,
  openHouse,
  type Replica,
  teamOf,
} from "./house.ts";

let house: House;
before(async () => {
  house = await openHouse();
  for (const team of ["qa", "ops"]) await makeTeam(house.core, team);
});
after(() => house.stop());

type Options = Partial<ChangeOptions>;
const everything = (): Promise<void> => Promise.resolve();
const prefixOf = (name: string): RulePrefix => must(parseRulePrefix(`dtr.example.org/${name}/`));

interface Grant {
  readonly paths?: readonly string[];
  readonly excludeFromReleases?: boolean;
}

async function create(name: string, team: string, grant: Grant = {}, options: Options = {}, by: Replica = house) {
  const request = { gunPrefix: prefixOf(name), team: teamOf(team), paths: [""], excludeFromReleases: false, ...grant };
  return (
    await createDelegationRule(
      by.core.trust,
      makeCall(),
      { ...request, options: { ...noOptions, ...options } },
      everything,
    )
  ).outcome;
}

async function end(name: string, team: string, endDelegations = false, by: Replica = house, options: Options = {}) {
  const request = {
    gunPrefix: prefixOf(name),
    team: teamOf(team),
    endDelegations,
    options: { ...noOptions, ...options },
  };
  return (await deleteDelegationRule(by.core.trust, makeCall(), request, everything)).outcome;
}

/** The teams that may sign as decided, with `*` behind those that a rule brought. */
async function teamsOn(gun: string): Promise<string> {
  const rows = await house.database.rows<{ team: string; ruled: boolean }>(
    `select d.team_id as team, d.rule_id is not null as ruled from delegations d join collections c on c.id = d.collection_id
     where c.gun = :gun and d.valid_to is null order by 1`,
    { gun },
  );
  return rows.map(({ team, ruled }) => team + (ruled ? "*" : "")).join(" ");
}

async function finish(id: string | undefined) {
  const read = () => getRollout(house.database, { id: id as RolloutId, states: [] }, { size: 100, token: "" });
  await until(async () => (await read()).rollout.finishedAt !== undefined, "the rollout to finish", 60_000);
  return (await read()).rollout;
}

test("a rule delegates what is there as a rollout, what comes in its first publication, and nothing beside its prefix", async () => {
  for (const gun of ["dtr.example.org/dev/a", "dtr.example.org/dev/deep/b", "dtr.example.org/devel/c"])
    await initialize(house.core, gun, []);
  await delegateTo(house.core, "dtr.example.org/dev/a", "qa");
  const question = await create("dev", "qa", {}, { validateOnly: true });
  assert.match(question.plan.summary, /1 repository that is there to be delegated now, and each that comes/);
  assert.equal(question.plan.collections, 1);
  assert.equal(await teamsOn("dtr.example.org/dev/deep/b"), "");

  const made = await create("dev", "qa", {}, { planEtag: question.planEtag });
  const rollout = await finish(made.rollout?.id);
  assert.deepEqual([rollout.total, rollout.published, rollout.unchanged], [2, 1, 1]);
  const future = await initialize(house.core, "dtr.example.org/dev/later", ["ops"]);
  assert.equal(future.outcome.state, "PUBLISHED");
  await initialize(house.core, "dtr.example.org/devel/later", []);
  const guns = ["dev/a", "dev/deep/b", "dev/later", "devel/c", "devel/later"].map((name) => `dtr.example.org/${name}`);
  assert.deepEqual(await Promise.all(guns.map(teamsOn)), ["qa", "qa*", "ops qa*", "", ""]);
  const uploads = await house.database.rows(
    "select 1 from uploads u join collections c on c.id = u.collection_id where c.gun = :gun",
    {
      gun: guns[2],
    },
  );
  assert.equal(uploads.length, 1, "one publication");
  for (const gun of guns) await checkInvariants(house, gun);
  assert.ok(future.outcome.plan.roles.some(({ role }) => role === "targets/qa"));

  const again = await create("dev", "qa");
  assert.deepEqual([again.state, again.rollout], ["UNCHANGED", undefined]);
  await assert.rejects(create("dev", "qa", { excludeFromReleases: true }), { reason: "ALREADY_EXISTS" });
  await undelegateFrom(house.core, "dtr.example.org/dev/later", "qa");
  await create("dev", "qa");
  assert.equal(await teamsOn("dtr.example.org/dev/later"), "ops", "an Undelegate of one of them stands");
});

test("the longest prefix counts, and what is named for the repository outweighs rules", async () => {
  await create("near", "qa");
  await create("near/by", "qa", { paths: ["1."], excludeFromReleases: true });
  await initialize(house.core, "dtr.example.org/near/by/a", []);
  await initialize(house.core, "dtr.example.org/near/by/b", ["qa"]);
  const pathsOf = async (gun: string) => {
    const sql =
      "select d.paths from delegations d join collections c on c.id = d.collection_id where c.gun = :gun and d.valid_to is null";
    return (await house.database.rows<{ paths: readonly string[] }>(sql, { gun })).map(({ paths }) => paths);
  };
  assert.deepEqual(await pathsOf("dtr.example.org/near/by/a"), [["1."]]);
  assert.deepEqual(await pathsOf("dtr.example.org/near/by/b"), [[""]]);
  await assert.rejects(create("near/void", "qa", { paths: ["1."] }), { reason: "PATHS_NEED_EXCLUSION" });
  await assert.rejects(create("near/void", "nobody"), { reason: "NOT_FOUND" });
});

test("a rule and the trust that is made meanwhile never miss each other", async () => {
  const before = await initialize(house.core, "dtr.example.org/race/0", []);
  assert.equal(before.outcome.state, "PUBLISHED");
  let coming: Promise<unknown> = Promise.resolve();
  let made: ReturnType<typeof create> | undefined;
  // Both wait here for the fence: whoever comes first is seen by the other.
  await house.database.transaction(async (tx) => {
    await fenceRules(tx);
    coming = Promise.all(
      Array.from({ length: 4 }, (_, at) =>
        initialize(house.core, `dtr.example.org/race/${at + 1}`, [], { noWait: true }),
      ),
    );
    made = create("race", "ops", {}, { noWait: true });
    await until(async () => {
      const row = await house.database.row<{ count: bigint }>(
        "select count(*) as count from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%fence%'",
      );
      return Number(row?.count) >= 5;
    }, "all to wait at the fence");
  });
  const outcome = await made;
  await coming;
  await finish(outcome?.rollout?.id);
  for (let at = 0; at <= 4; at++) assert.equal(await teamsOn(`dtr.example.org/race/${at}`), "ops*", `race/${at}`);
});

test("a rule that ends leaves its delegations and says so, or ends those that are its own still", async () => {
  for (const name of ["a", "b", "c"]) await initialize(house.core, `dtr.example.org/ends/${name}`, []);
  await delegateTo(house.core, "dtr.example.org/ends/c", "ops");
  await finish((await create("ends", "ops")).rollout?.id);
  await delegateTo(house.core, "dtr.example.org/ends/b", "ops", {}, makeCall(), true);
  const stay = await end("ends", "ops");
  assert.match(stay.plan.summary, /Its delegations of 1 repository stay; set end_delegations/);
  await initialize(house.core, "dtr.example.org/ends/later", []);
  const guns = ["a", "b", "c", "later"].map((name) => `dtr.example.org/ends/${name}`);
  assert.deepEqual(await Promise.all(guns.map(teamsOn)), ["ops*", "ops", "ops", ""]);
  assert.equal((await end("ends", "ops")).state, "UNCHANGED");

  const ended = await end("ends", "ops", true);
  const rollout = await finish(ended.rollout?.id);
  assert.deepEqual([rollout.total, rollout.published], [1, 1]);
  assert.deepEqual(await Promise.all(guns.map(teamsOn)), ["", "ops", "ops", ""]);
  assert.equal(
    (await recordTypes(house.database, guns[0] ?? "")).filter((type) => type === "delegation.undelegated.v1").length,
    1,
  );
  for (const gun of guns) await checkInvariants(house, gun);
});

test("a rule's team without a certificate holds up nobody, and may sign once it has one; it cannot be deleted meanwhile", async () => {
  await makeTeam(house.core, "idle", []);
  await joinTeam(house.core, "idle", "idle-ann");
  await create("idle", "idle");
  const { outcome } = await initialize(house.core, "dtr.example.org/idle/a", []);
  assert.equal(outcome.state, "PUBLISHED");
  assert.ok(outcome.plan.warnings.some(({ code }) => code === "TEAM_WITHOUT_SIGNER"));
  await giveKey(house.core, "idle-ann");
  await checkInvariants(house, "dtr.example.org/idle/a");
  const live = await house.database.rows(
    "select 1 from live_keys k join collections c on c.id = k.collection_id where c.gun = :gun and k.role = 'targets/idle'",
    {
      gun: "dtr.example.org/idle/a",
    },
  );
  assert.equal(live.length, 1);
  await makeTeam(house.core, "ruled", []);
  await create("empty", "ruled");
  await assert.rejects(deleteTeam(house.core.teams, makeCall(), { team: teamOf("ruled") }, noOptions), {
    reason: "TEAM_IN_USE",
  });
  await end("empty", "ruled");
  await deleteTeam(house.core.teams, makeCall(), { team: teamOf("ruled") }, noOptions);
});

test("what a rule's batch has not begun is given up when the rule ends, and tried again when the rule is repeated", async () => {
  for (const name of ["a", "b"]) await initialize(house.core, `dtr.example.org/stopped/${name}`, []);
  await house.core.publisher.stop();
  const quiet = house.another();
  const made = await create("stopped", "qa", {}, { noWait: true }, quiet);
  const id = made.rollout?.id as RolloutId;
  await cancelRollout(quiet.core.trust, makeCall(), { id, options: noOptions }, everything);
  const retried = await create("stopped", "qa", {}, { noWait: true }, quiet);
  assert.deepEqual([retried.rollout?.total, retried.rollout?.pending], [2, 2]);
  const gone = await end("stopped", "qa", true, quiet);
  assert.match(gone.plan.summary, /2 repositories that its batch has not begun are given up/);
  await quiet.stop();
  const running = house.another();
  await running.core.publisher.start();
  assert.equal((await finish(retried.rollout?.id)).cancelled, 2);
  await running.stop();
  assert.equal(await teamsOn("dtr.example.org/stopped/a"), "");
});

test("the prefix of a rule ends at a path segment", () => {
  for (const text of ["dtr.example.org/", "dtr.example.org/dev/", "localhost:5000/a-b/c/"])
    assert.ok(parseRulePrefix(text).ok, text);
  for (const text of [
    "",
    "/",
    "dev/",
    "dtr.example.org",
    "dtr.example.org/dev",
    "dtr.example.org/Dev/",
    "dtr.example.org//",
    "dtr.example.org/*/",
    `dtr.example.org/${"a".repeat(250)}/`,
  ])
    assert.equal(parseRulePrefix(text).ok, false, text);
});
