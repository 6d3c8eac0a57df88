import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { getMember } from "../../src/teams/members.ts";
import { ecPair, makeCertificate } from "../x509/make-certificate.ts";
import { actsOf, assertRefused } from "./acts.ts";
import { type House, memberId, openHouse } from "./house.ts";

describe("revoking a member", () => {
  let house: House;
  let act: ReturnType<typeof actsOf>;
  before(async () => {
    house = await openHouse();
    act = actsOf(house);
  });
  after(() => house.close());
  beforeEach(async () => {
    await house.clear();
    for (const team of ["qa", "dev"]) {
      await act.create(team);
      await act.add(team, "ann");
      await act.add(team, "bob");
    }
    for (const member of ["ann", "ann", "bob"]) await act.submit(member, makeCertificate(house.now()).pem);
    house.effects.changes.length = 0;
  });
  const reasonsOf = async (member: string): Promise<readonly (string | null)[]> => {
    const rows = await house.database.rows<{ reason: string | null }>(
      "select revocation_reason as reason from signing_keys where member_id = :member order by 1",
      { member },
    );
    return rows.map(({ reason }) => reason);
  };

  it("ends every membership and every key in one change, with one rollout and one record", async () => {
    const { member, outcome } = await act.revokeMember("ann");
    assert.deepEqual(member.teams, []);
    assert.equal(outcome.plan.collections, 2);
    assert.deepEqual(await reasonsOf("ann"), ["LEFT", "LEFT"]);
    assert.deepEqual(
      house.effects.changes.map(({ team, before, after }) => [team, before.length, after.length]),
      [
        ["dev", 3, 1],
        ["qa", 3, 1],
      ],
    );
    assert.equal(house.effects.kinds.at(-1), "MEMBER_REVOCATION");
    const record = (await house.records()).at(-1) ?? assert.fail();
    assert.deepEqual([record.event_type, record.severity, record.subject.id], ["member.revoked.v1", "NOTICE", "ann"]);
    const diff = record.change.diff.join("\n");
    assert.match(diff, /member ann revoked as LEFT\nmember ann left team dev\nmember ann left team qa\n/);
    assert.match(diff, /may no longer sign for dev, qa/);
  });

  it("is UNCHANGED the second time, whatever is said but that the keys are compromised", async () => {
    await act.revokeMember("ann", "LEFT");
    const rows = await house.rows();
    for (const reason of ["LEFT", "SUPERSEDED"] as const) {
      assert.equal((await act.revokeMember("ann", reason)).outcome.state, "UNCHANGED");
    }
    assert.equal(await house.rows(), rows);
    await act.revokeMember("ann", "COMPROMISED", { reason: "laptop stolen" });
    assert.deepEqual(await reasonsOf("ann"), ["COMPROMISED", "COMPROMISED"]);
    assert.equal((await house.records()).at(-1)?.severity, "WARNING");
  });

  it("is refused where a reason, the member or the etag is not right", async () => {
    await assertRefused(house, () => act.revokeMember("nobody"), "NOT_FOUND");
    await assertRefused(house, () => act.revokeMember("ann", "COMPROMISED"), "INVALID_FIELD");
    await assertRefused(house, () => act.revokeMember("ann", "LEFT", { etag: "0" }), "ETAG_MISMATCH");
    await assertRefused(house, () => act.revokeMember("ann", "LEFT", { planEtag: "stale" }), "PLAN_CHANGED");
  });

  it("leaves all to the guards, unless a key is compromised", async () => {
    await act.revokeMember("ann", "LEFT");
    await act.revokeMember("bob", "COMPROMISED", { reason: "laptop stolen" });
    assert.deepEqual(
      house.effects.guarded.slice(-2).map(({ options }) => [options.acceptOrphaned, options.acceptWithoutSigner]),
      [
        [false, false],
        [true, true],
      ],
    );
  });

  it("is not for ever: the member may come back, with a key that was never used", async () => {
    const keys = ecPair();
    await act.submit("ann", makeCertificate(house.now(), { keys }).pem);
    await act.revokeMember("ann");
    await act.add("qa", "ann");
    await assertRefused(house, () => act.submit("ann", makeCertificate(house.now(), { keys }).pem), "KEY_REVOKED");
    const { certificate } = await act.submit("ann", makeCertificate(house.now()).pem);
    assert.ok((await act.signers("qa")).includes(certificate?.id ?? ""));
    assert.deepEqual((await getMember(house.room, memberId("ann"))).teams, ["qa"]);
  });

  it("asks again when the member joined a team meanwhile, but does not let a compromised one wait", async () => {
    await act.create("late");
    const original = house.effects.refresh.bind(house.effects);
    house.effects.refresh = async (teams, keys, signal) => {
      if (keys === undefined) await act.add("late", "ann");
      return await original(teams, keys, signal);
    };
    try {
      await assert.rejects(act.revokeMember("ann"), { reason: "CONFLICT" });
      assert.deepEqual((await getMember(house.room, memberId("ann"))).teams, ["dev", "late", "qa"]);
      await act.remove("late", "ann");
      const { member } = await act.revokeMember("ann", "COMPROMISED", { reason: "laptop stolen" });
      assert.deepEqual(member.teams, []);
    } finally {
      house.effects.refresh = original;
    }
    assert.deepEqual(await reasonsOf("ann"), ["COMPROMISED", "COMPROMISED"]);
  });
});
