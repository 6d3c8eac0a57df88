import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { Fault } from "../../src/errors.ts";
import { getMember, listMembers } from "../../src/teams/members.ts";
import { makeCertificate } from "../x509/make-certificate.ts";
import { actsOf, assertRefused } from "./acts.ts";
import { displayName, type House, labels, memberId, openHouse, teamId } from "./house.ts";

describe("memberships", () => {
  let house: House;
  let act: ReturnType<typeof actsOf>;
  before(async () => {
    house = await openHouse();
    act = actsOf(house);
  });
  after(() => house.close());
  beforeEach(async () => {
    await house.clear();
    await act.create("qa");
    await act.create("dev");
  });
  const certify = async (member: string): Promise<string> => {
    const { certificate } = await act.submit(member, makeCertificate(house.now(), { name: member }).pem);
    assert.ok(certificate);
    return certificate.id;
  };

  it("make a member that does not exist, with what is said of it", async () => {
    const { member, outcome } = await act.add("qa", "ci-bot", {
      kind: "ROBOT",
      displayName: displayName("Build"),
      labels: labels({ pool: "a" }),
    });
    assert.equal(outcome.state, "PENDING");
    assert.deepEqual([member?.kind, member?.displayName, member?.teams, member?.etag], ["ROBOT", "Build", ["qa"], "1"]);
    assert.deepEqual([...(member?.labels ?? [])], [["pool", "a"]]);
    const record = (await house.records()).at(-1);
    assert.equal(record?.event_type, "member.added.v1");
    assert.deepEqual(record?.subject, { type: "member", id: "ci-bot" });
    assert.deepEqual(record?.about, [{ type: "team", id: "qa" }]);
    assert.deepEqual(record?.change.diff, ["member ci-bot created as ROBOT", "member ci-bot joined team qa"]);
    assert.ok(!JSON.stringify(record).includes("Build"), "a name of a person is not recorded");
  });

  it("of a member without a certificate change no keys: no revision, nothing to publish", async () => {
    await act.add("qa", "ann");
    assert.equal(await act.revision("qa"), 1n);
    assert.deepEqual(house.effects.order, []);
  });

  it("let all keys of the member sign for the team, and trust/ is told once with both sets", async () => {
    await act.add("qa", "ann");
    const ids = [await certify("ann"), await certify("ann")];
    house.effects.changes.length = 0;
    house.effects.order.length = 0;
    const { member, outcome } = await act.add("dev", "ann");
    assert.deepEqual(member?.teams, ["dev", "qa"]);
    assert.equal(outcome.plan.summary, "1 teams change.");
    const [change, ...others] = house.effects.changes;
    assert.deepEqual(others, []);
    assert.equal(change?.team, "dev");
    assert.equal(change?.revision, 2n);
    assert.deepEqual(change?.before, []);
    assert.deepEqual(change?.after.map((certificate) => certificate.certificateId).sort(), ids.sort());
    const keys = change?.after.map((certificate) => certificate.tufKeyId) ?? [];
    assert.deepEqual(keys, [...keys].sort());
    assert.deepEqual(house.effects.order, ["plan", "guard", "changed"]);
    const record = (await house.records()).at(-1);
    assert.ok(record?.change.diff.some((word) => word.includes(keys[0] ?? "?") && /may now sign for dev/.test(word)));
    assert.equal(record?.about?.filter((thing) => thing.type === "key").length, 2);
  });

  it("that are there already are UNCHANGED", async () => {
    await act.add("qa", "ann", { kind: "PERSON", displayName: displayName("Ann") });
    const rows = await house.rows();
    const again = await act.add("qa", "ann");
    assert.equal(again.outcome.state, "UNCHANGED");
    assert.equal(again.member?.displayName, "Ann");
    assert.equal(await house.rows(), rows);
    assert.equal((await house.records()).at(-1)?.event_type, "member.unchanged.v1");
  });

  it("never change what is known of a member", async () => {
    await act.add("qa", "ann", { displayName: displayName("Ann"), labels: labels({ a: "1" }) });
    await assertRefused(house, () => act.add("dev", "ann", { kind: "ROBOT" }), "ALREADY_EXISTS", /another kind/);
    const renamed = { displayName: displayName("Anne"), labels: labels({ a: "2" }) };
    await assertRefused(house, () => act.add("dev", "ann", renamed), "ALREADY_EXISTS", /display_name, another labels/);
    const { outcome } = await act.add("dev", "ann", { labels: labels({ a: "1" }) });
    assert.equal(outcome.state, "PENDING");
  });

  it("of unknown teams or members are NOT_FOUND, and no member is left behind", async () => {
    await assertRefused(house, () => act.add("nobody", "ann"), "NOT_FOUND", /team nobody/);
    await assertRefused(house, () => act.remove("qa", "ann"), "NOT_FOUND", /member ann/);
    await act.add("qa", "ann");
    await assertRefused(house, () => act.remove("nobody", "ann"), "NOT_FOUND", /team nobody/);
  });

  it("end with everything the member could sign, after Notary was read outside the transaction", async () => {
    await act.add("qa", "ann");
    const id = await certify("ann");
    house.effects.order.length = 0;
    house.effects.changes.length = 0;
    const { member } = await act.remove("qa", "ann");
    assert.deepEqual(member?.teams, []);
    assert.deepEqual(house.effects.order, ["refresh", "plan", "guard", "changed"]);
    assert.deepEqual(house.effects.refreshed[0]?.teams, ["qa"]);
    assert.deepEqual(house.effects.guarded.at(-1)?.reading, { unreadable: new Map(), isComplete: true });
    const change = house.effects.changes.at(-1);
    assert.deepEqual(
      change?.before.map((certificate) => certificate.certificateId),
      [id],
    );
    assert.deepEqual([change?.after, change?.revision], [[], 3n]);
    assert.deepEqual(await act.signers("qa"), []);
    const diff = (await house.records()).at(-1)?.change.diff ?? [];
    assert.equal(diff[0], "member ann left team qa");
    assert.match(
      diff[1] ?? "",
      /^key [0-9a-f]{64} \(canonical [0-9a-f]{64}\) of member ann may no longer sign for qa$/,
    );
  });

  it("that are not there end UNCHANGED, without a look at Notary", async () => {
    await act.add("qa", "ann");
    const rows = await house.rows();
    assert.equal((await act.remove("dev", "ann")).outcome.state, "UNCHANGED");
    assert.equal(await house.rows(), rows);
    assert.deepEqual(house.effects.order, []);
  });

  it("do not end when a guard refuses", async () => {
    await act.add("qa", "ann");
    await certify("ann");
    house.effects.refusal = new Fault("WITHOUT_SIGNER", "qa would have no signer.");
    await assertRefused(house, () => act.remove("qa", "ann"), "WITHOUT_SIGNER");
    assert.equal((await act.signers("qa")).length, 1);
  });

  it("give the guards what could not be read, and Notary at most half of the time there is", async () => {
    await act.add("qa", "ann");
    await certify("ann");
    house.effects.unreadable = new Map([["dtr.example.org/dev/nginx", "connection refused"]]);
    const original = house.effects.refresh.bind(house.effects);
    house.effects.refresh = async (teams, keys, signal) => {
      const reading = await original(teams, keys, signal);
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      return reading;
    };
    try {
      const deadline = Date.now() + 1_500;
      const { outcome } = await act.remove("qa", "ann", { call: { deadline } });
      assert.equal(outcome.state, "PENDING");
      assert.ok(Date.now() < deadline);
    } finally {
      house.effects.refresh = original;
    }
    assert.deepEqual(house.effects.guarded.at(-1)?.reading?.unreadable, house.effects.unreadable);
  });

  it("can begin again, and keep their history without overlap even when clocks disagree", async () => {
    house.advance(10_000);
    await act.add("qa", "ann");
    house.advance(-5_000);
    await act.remove("qa", "ann");
    await act.add("qa", "ann");
    const spans = await house.database.rows<{ valid_from: Date; valid_to: Date | null }>(
      "select valid_from, valid_to from memberships order by id",
    );
    assert.equal(spans.length, 2);
    assert.deepEqual(spans[0]?.valid_to, spans[0]?.valid_from);
    assert.deepEqual([spans[1]?.valid_from, spans[1]?.valid_to], [spans[0]?.valid_to, null]);
  });

  it("are seen from the member and from the team, in pages", async () => {
    for (const member of ["c", "a", "b", "d"]) await act.add("qa", member);
    await act.add("dev", "b");
    await act.remove("qa", "d");
    assert.deepEqual((await getMember(house.room, memberId("b"))).teams, ["dev", "qa"]);
    assert.deepEqual((await getMember(house.room, memberId("d"))).teams, []);
    await assertRefused(house, () => getMember(house.room, memberId("z")), "NOT_FOUND");
    const page = await listMembers(house.room, { team: teamId("qa") }, { size: 2, token: "" });
    assert.deepEqual(
      page.items.map((member) => [member.id, member.teams]),
      [
        ["a", ["qa"]],
        ["b", ["dev", "qa"]],
      ],
    );
    const rest = await listMembers(house.room, { team: teamId("qa") }, { size: 2, token: page.nextToken });
    assert.deepEqual([rest.items.map((member) => member.id), rest.nextToken], [["c"], ""]);
    const all = await listMembers(house.room, { team: undefined }, { size: 10, token: "" });
    assert.deepEqual(
      all.items.map((member) => member.id),
      ["a", "b", "c", "d"],
    );
  });

  it("write the same few rows however many members and certificates the team has", async () => {
    const written: number[] = [];
    for (const crowd of [0, 12]) {
      for (let n = 0; n < crowd; n++) await act.add("qa", `member-${n}`);
      for (let n = 0; n < crowd; n++) await certify(`member-${n}`);
      await act.add("dev", `guest-${crowd}`);
      await certify(`guest-${crowd}`);
      await act.add("qa", `guest-${crowd}`);
      written.push(await rowsOfLastChange());
    }
    assert.deepEqual(written, [4, 4], "membership, member, team and record");
  });

  const rowsOfLastChange = async (): Promise<number> => {
    const tables = ["teams", "members", "memberships", "signing_keys", "certificates", "rollouts", "audit.intake"];
    const counts = tables.map(
      (table) =>
        `(select count(*) from ${table} where xmin = (select xmin from audit.intake order by id desc limit 1))`,
    );
    const row = await house.database.row<{ rows: bigint }>(`select ${counts.join(" + ")} as rows`);
    return Number(row?.rows);
  };
});
