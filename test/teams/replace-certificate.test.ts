import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { Fault } from "../../src/errors.ts";
import { type CertificateWish, ecPair, hex, makeCertificate } from "../x509/make-certificate.ts";
import { actsOf, assertRefused } from "./acts.ts";
import { type House, openHouse } from "./house.ts";

const rounds = 30;

describe("replacing a certificate", () => {
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
    }
    await act.add("qa", "bob");
  });
  const pemOf = (wish: CertificateWish = {}): string => makeCertificate(house.now(), wish).pem;
  const submitted = async (member: string, pem = pemOf()): Promise<string> =>
    (await act.submit(member, pem)).certificate?.id ?? assert.fail();

  it("takes the old key out of every team and the new one in, in one revision of each", async () => {
    const old = await submitted("ann");
    const others = await submitted("bob");
    const before = await Promise.all(["qa", "dev"].map((team) => act.revision(team)));
    house.effects.changes.length = 0;
    const { certificate, replaced, outcome } = await act.replace(old, pemOf());
    assert.ok(certificate);
    assert.deepEqual([certificate.member, certificate.state], ["ann", "ACTIVE"]);
    assert.deepEqual(
      replaced.map(({ id, state, revocationReason }) => [id, state, revocationReason]),
      [[old, "REVOKED", "SUPERSEDED"]],
    );
    assert.equal(outcome.plan.collections, 2);
    assert.deepEqual(new Set(await act.signers("qa")), new Set([certificate.id, others]));
    assert.deepEqual(await act.signers("dev"), [certificate.id]);
    const after = await Promise.all(["qa", "dev"].map((team) => act.revision(team)));
    assert.deepEqual(
      after,
      before.map((revision) => (revision ?? 0n) + 1n),
    );
    assert.deepEqual(
      house.effects.changes.map(({ before, after }) => [before.length, after.length]),
      [
        [1, 1],
        [2, 2],
      ],
    );
    const record = (await house.records()).at(-1) ?? assert.fail();
    assert.equal(record.event_type, "key.replaced.v1");
    assert.match(
      record.change.diff.join("; "),
      /replaced by key.*may now sign for dev, qa.*may no longer sign for dev, qa/,
    );
  });

  it("takes every certificate of the old key with it", async () => {
    const keys = ecPair();
    const first = await submitted("ann", pemOf({ keys, serial: hex("01") }));
    await submitted("ann", pemOf({ keys, serial: hex("02") }));
    const { certificate, replaced } = await act.replace(first, pemOf());
    assert.equal(replaced.length, 2);
    assert.deepEqual(await act.signers("qa"), [certificate?.id]);
  });

  it("is UNCHANGED the second time, also with a certificate that was submitted before", async () => {
    const old = await submitted("ann");
    const pem = pemOf();
    const known = await submitted("ann", pem);
    const { certificate } = await act.replace(old, pem);
    assert.equal(certificate?.id, known);
    const rows = await house.rows();
    const again = await act.replace(old, pem);
    assert.equal(again.outcome.state, "UNCHANGED");
    assert.equal(again.certificate?.id, known);
    assert.equal(await house.rows(), rows);
    assert.equal((await house.records()).at(-1)?.event_type, "key.unchanged.v1");
  });

  it("answers a question and keeps nothing, and insists on the plan that was shown", async () => {
    const old = await submitted("ann");
    const pem = pemOf();
    const rows = await house.rows();
    const asked = await act.replace(old, pem, { validateOnly: true });
    assert.equal(asked.certificate, undefined);
    assert.equal(await house.rows(), rows);
    await assertRefused(house, () => act.replace(old, pem, { planEtag: "stale" }), "PLAN_CHANGED");
    await act.replace(old, pem, { planEtag: asked.outcome.planEtag });
  });

  it("is refused for each key that cannot take the place, each with its own reason", async () => {
    const keys = ecPair();
    const old = await submitted("ann", pemOf({ keys, serial: hex("01") }));
    const bobs = ecPair();
    await submitted("bob", pemOf({ keys: bobs, serial: hex("01") }));
    const gone = ecPair();
    await act.revoke(await submitted("ann", pemOf({ keys: gone, serial: hex("01") })));
    const refusals = [
      [keys, "SAME_KEY"],
      [bobs, "KEY_OWNED_BY_OTHER"],
      [gone, "KEY_REVOKED"],
    ] as const;
    for (const [key, reason] of refusals) {
      await assertRefused(house, () => act.replace(old, pemOf({ keys: key, serial: hex("09") })), reason);
    }
    const fault = await assertRefused(house, () => act.replace(old, "hello"), "INVALID_FIELD");
    assert.deepEqual(new Set(fault.fields.map(({ field }) => field)), new Set(["certificate_pem"]));
    const unknown = "5c5b0f0e-2a5f-4a53-8f0c-0d3c7b1e9a11";
    await assertRefused(house, () => act.replace(unknown, pemOf()), "NOT_FOUND");
    await assertRefused(house, () => act.replace(old, pemOf(), { etag: "0" }), "ETAG_MISMATCH");
    await act.revoke(old, "LEFT");
    await assertRefused(house, () => act.replace(old, pemOf()), "KEY_REVOKED", /submit the new certificate/);
  });

  it("beside everything that moves a member loses no signer and never leaves a team without one", async () => {
    await act.create("late");
    let current = await submitted("ann");
    for (let round = 0; round < rounds; round++) {
      const results = await Promise.allSettled([
        act.replace(current, pemOf()),
        act.replace(current, pemOf()),
        act.submit("bob", pemOf()),
        round % 2 === 0 ? act.add("late", "ann") : act.remove("late", "ann"),
        act.add("dev", round % 2 === 0 ? "bob" : "cat"),
      ]);
      const reasons = results.flatMap((one) => (one.status === "rejected" ? [reasonOf(one.reason)] : []));
      assert.deepEqual(
        reasons.filter((reason) => reason !== "KEY_REVOKED" && reason !== "CONFLICT"),
        [],
      );
      const [came, ...more] = await currentOf("ann");
      assert.deepEqual(more, [], "one key went and one came");
      const wasReplaced = results.slice(0, 2).some((one) => one.status === "fulfilled");
      assert.equal(came !== current, wasReplaced, "a replacement that was told CONFLICT changed nothing");
      current = came ?? assert.fail();
      for (const team of ["qa", "dev"]) assert.ok((await act.signers(team)).includes(current));
    }
    for (const team of ["qa", "dev", "late"]) await assertUnbroken(team);
    const emptied = house.effects.changes.filter(
      ({ team, before, after }) => team !== "late" && before.length > 0 && after.length === 0,
    );
    assert.deepEqual(emptied, []);
  });

  const currentOf = async (member: string): Promise<readonly string[]> => {
    const rows = await house.database.rows<{ id: string }>(
      "select id from certificates where member_id = :member and valid_to is null",
      { member },
    );
    return rows.map(({ id }) => id);
  };

  /** Each change of a team begins with the very keys that the one before ended with. */
  const assertUnbroken = async (team: string): Promise<void> => {
    let [revision, signers]: [bigint, readonly string[]] = [1n, []];
    for (const change of house.effects.changes.filter((one) => one.team === team)) {
      assert.equal(change.revision, revision + 1n);
      assert.deepEqual(
        change.before.map((one) => one.certificateId),
        signers,
      );
      [revision, signers] = [change.revision, change.after.map((one) => one.certificateId)];
    }
    assert.equal(await act.revision(team), revision);
    assert.deepEqual(await act.signers(team), signers);
  };
});

function reasonOf(error: unknown): string {
  if (error instanceof Fault) return error.reason;
  throw error;
}
