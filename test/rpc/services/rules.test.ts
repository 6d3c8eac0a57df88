import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { DelegationServiceService, type ListDelegationRulesRequest } from "../../../gen/imagetrust/v1/delegation.ts";
import { type House, openHouse } from "./house.ts";
import { bad, invalid, testRefusals } from "./refusals.ts";
import { createTeam, initialize, makeTeam } from "./story.ts";

const { createDelegationRule, deleteDelegationRule, listDelegationRules, getDelegation } = DelegationServiceService;
const dev = "dtr.example.org/dev/";
const prod = "dtr.example.org/prod/";
let house: House;
before(async () => {
  house = await openHouse({ publishing: false });
  await makeTeam(house.admin, "qa", ["ann"]);
  await createTeam(house.admin, "idle");
  await initialize(house.admin, `${dev}nginx`);
  await initialize(house.admin, `${prod}nginx`);
});
after(() => house.stop());

testRefusals(
  () => house,
  [
    invalid(
      "everything that can be wrong with a rule",
      createDelegationRule,
      { gunPrefix: "dtr.example.org/dev", team: "QA", paths: ["\n"], options: { etag: "x" } },
      ...["gun_prefix", "team", "paths", "options.etag"],
    ),
    invalid("a rule over everything", createDelegationRule, { gunPrefix: "", team: "qa" }, "gun_prefix"),
    invalid("ending a rule under no prefix", deleteDelegationRule, { gunPrefix: "*", team: "qa" }, "gun_prefix"),
    bad("a rule for an unknown team", createDelegationRule, { gunPrefix: dev, team: "none" }, "NOT_FOUND"),
    bad("ending a rule of an unknown team", deleteDelegationRule, { gunPrefix: dev, team: "none" }, "NOT_FOUND"),
    bad(
      "a rule for a team without a certificate",
      createDelegationRule,
      { gunPrefix: dev, team: "idle" },
      "NO_VALID_CERTIFICATE",
    ),
    bad(
      "a rule with narrow paths in releases",
      createDelegationRule,
      { gunPrefix: dev, team: "qa", paths: ["1."] },
      "PATHS_NEED_EXCLUSION",
      "paths",
    ),
    bad(
      "a rule with the plan_etag of another plan",
      createDelegationRule,
      { gunPrefix: dev, team: "qa", options: { planEtag: "x" } },
      "PLAN_CHANGED",
    ),
    invalid("a page_token of rules that nobody gave", listDelegationRules, { pageToken: "WyJhIiwiYiJd" }, "page_token"),
  ],
);

test("an owner makes and ends rules below its own prefix only, and every refusal has a record", async () => {
  const rows = await house.rows();
  await house.freshRecords();
  for (const gunPrefix of ["dtr.example.org/", prod, "dtr.example.org/devel/"]) {
    const wish = { gunPrefix, team: "qa" };
    assert.equal((await house.owner.refused(createDelegationRule, wish)).reason, "NOT_PERMITTED", gunPrefix);
    assert.equal((await house.owner.refused(deleteDelegationRule, wish)).reason, "NOT_PERMITTED", gunPrefix);
  }
  assert.equal(
    (await house.viewer.refused(createDelegationRule, { gunPrefix: dev, team: "qa" })).reason,
    "NOT_PERMITTED",
  );
  const records = await house.freshRecords();
  assert.deepEqual(new Set(records.map(({ result }) => result.reason)), new Set(["NOT_PERMITTED"]));
  assert.deepEqual(await house.rows(), rows);

  const options = { noWait: true, reason: "all of dev" };
  const { rule, outcome } = await house.owner.send(createDelegationRule, { gunPrefix: dev, team: "qa", options });
  assert.partialDeepStrictEqual(rule, {
    gunPrefix: dev,
    team: "qa",
    paths: [""],
    actor: "owner",
    reason: "all of dev",
  });
  assert.equal(rule?.rollout, outcome?.rollout?.id);
  assert.equal(outcome?.rollout?.total, 1);
  await initialize(house.owner, `${dev}later`);
  const { delegation } = await house.owner.send(getDelegation, { gun: `${dev}later`, team: "qa" });
  assert.equal(delegation?.rule, rule?.id);
});

test("rules are listed page by page, by prefix and by team, until they end", async () => {
  await house.admin.send(createDelegationRule, { gunPrefix: `${prod}web/`, team: "qa" });
  await house.admin.send(createDelegationRule, { gunPrefix: `${prod}web/`, team: "idle" });
  const list = async (wish: Partial<ListDelegationRulesRequest>) => {
    const { rules } = await house.viewer.send(listDelegationRules, wish);
    return rules.map(({ gunPrefix, team }) => `${gunPrefix} ${team}`);
  };
  const all = [`${dev} qa`, `${prod}web/ idle`, `${prod}web/ qa`];
  assert.deepEqual(await list({}), all);
  assert.deepEqual(await list({ gunPrefix: "dtr.example.org/p" }), all.slice(1));
  assert.deepEqual(await list({ team: "idle" }), all.slice(1, 2));
  const first = await house.viewer.send(listDelegationRules, { pageSize: 2 });
  const second = await house.viewer.send(listDelegationRules, { pageSize: 2, pageToken: first.nextPageToken });
  assert.deepEqual([first.rules.length, second.rules.length, second.nextPageToken], [2, 1, ""]);
  assert.equal((await house.owner.refused(listDelegationRules, {})).reason, "NOT_PERMITTED");
  await house.owner.send(deleteDelegationRule, { gunPrefix: dev, team: "qa" });
  assert.deepEqual(await list({}), all.slice(1));
});
