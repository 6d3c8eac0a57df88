import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { canonicalKeyIdOf, certificateKey, tufKeyIdOf } from "../../src/tuf/key.ts";
import { type CertificateWish, daysFrom, ecPair, hex, makeCertificate } from "../x509/make-certificate.ts";
import { actsOf, assertRefused } from "./acts.ts";
import { type House, openHouse } from "./house.ts";

describe("certificates", () => {
  let house: House;
  let act: ReturnType<typeof actsOf>;
  before(async () => {
    house = await openHouse();
    act = actsOf(house);
  });
  after(() => house.close());
  beforeEach(async () => {
    await house.clear();
    for (const team of ["qa", "dev"]) await act.create(team);
    await act.add("qa", "ann");
    await act.add("dev", "ann");
    await act.add("qa", "bob");
  });
  const pemOf = (wish: CertificateWish = {}): string => makeCertificate(house.now(), wish).pem;
  const submitted = async (member: string, pem: string): Promise<string> => {
    const { certificate } = await act.submit(member, pem);
    assert.ok(certificate);
    return certificate.id;
  };

  it("are taken with all that is known of them, and their key may sign for every team of the member", async () => {
    const made = makeCertificate(house.now(), { name: "ann", serial: hex("01a2") });
    const { certificate, outcome } = await act.submit("ann", made.pem);
    const key = certificateKey(made.pem);
    assert.equal(outcome.plan.collections, 2);
    assert.deepEqual(
      [certificate?.member, certificate?.subject, certificate?.serial, certificate?.state, certificate?.keyType],
      ["ann", "CN=ann", "01a2", "ACTIVE", "ecdsa-x509"],
    );
    assert.deepEqual([certificate?.tufKeyId, certificate?.canonicalKeyId], [tufKeyIdOf(key), canonicalKeyIdOf(key)]);
    assert.equal(certificate?.pem, made.pem);
    assert.deepEqual(
      house.effects.changes.map((change) => [change.team, change.revision, change.after.length]),
      [
        ["dev", 2n, 1],
        ["qa", 2n, 1],
      ],
    );
    assert.deepEqual(house.effects.changes[0]?.after[0], {
      certificateId: certificate?.id,
      member: "ann",
      tufKeyId: tufKeyIdOf(key),
      canonicalKeyId: canonicalKeyIdOf(key),
      keyType: "ecdsa-x509",
      pem: made.pem,
      notAfter: certificate?.notAfter,
    });
    assert.deepEqual(house.effects.order, ["plan", "guard", "changed"]);
  });

  it("are recorded in plain words under their key, found by member and teams", async () => {
    const { certificate } = await act.submit("ann", pemOf({ name: "ann", serial: hex("01a2") }));
    const record = (await house.records()).at(-1);
    assert.equal(record?.event_type, "certificate.submitted.v1");
    assert.deepEqual(record?.subject, { type: "key", id: certificate?.canonicalKeyId });
    assert.deepEqual(record?.about, [
      { type: "member", id: "ann" },
      { type: "team", id: "dev" },
      { type: "team", id: "qa" },
    ]);
    const words = record?.change.diff.join("\n") ?? "";
    for (const fact of [certificate?.sha256, certificate?.tufKeyId, certificate?.canonicalKeyId, "CN=ann", "01a2"]) {
      assert.ok(words.includes(fact ?? "?"), `${fact} in ${words}`);
    }
    assert.match(words, /valid \d{4}-.*Z to \d{4}-.*Z/);
    assert.match(words, /may now sign for dev, qa/);
  });

  it("submitted twice are UNCHANGED, also with other line ends", async () => {
    const pem = pemOf();
    const id = await submitted("ann", pem);
    const rows = await house.rows();
    const again = await act.submit("ann", pem.replaceAll("\n", "\r\n"));
    assert.deepEqual([again.outcome.state, again.certificate?.id], ["UNCHANGED", id]);
    assert.equal(await house.rows(), rows);
    const record = (await house.records()).at(-1);
    assert.equal(record?.event_type, "key.unchanged.v1");
    assert.deepEqual([record?.change.before, record?.change.diff], [record?.change.after, []]);
  });

  it("of one key may be several, for its member alone", async () => {
    const keys = ecPair();
    const ids = [await submitted("ann", pemOf({ keys })), await submitted("ann", pemOf({ keys, serial: hex("2b") }))];
    assert.deepEqual([...(await act.signers("dev"))].sort(), ids.sort());
    const fault = await assertRefused(
      house,
      () => act.submit("bob", pemOf({ keys, name: "bob" })),
      "KEY_OWNED_BY_OTHER",
    );
    assert.ok(!fault.message.includes("ann"), "whose key it is is not told");
  });

  it("tell every fault at once, by field", async () => {
    const old = pemOf({ from: daysFrom(house.now(), -30), to: daysFrom(house.now(), -1), keys: ecPair("secp256k1") });
    const fault = await assertRefused(house, () => act.submit("ann", old), "INVALID_FIELD");
    assert.deepEqual(
      fault.fields.map((field) => field.field),
      ["certificate_pem", "certificate_pem"],
    );
    await assertRefused(house, () => act.submit("ann", "hello"), "INVALID_FIELD");
    await assertRefused(house, () => act.submit("zoe", pemOf()), "NOT_FOUND", /member zoe/);
  });

  it("of a member without a team wait for one", async () => {
    await act.remove("qa", "bob");
    house.effects.order.length = 0;
    const id = await submitted("bob", pemOf());
    assert.deepEqual(house.effects.order, []);
    await act.add("dev", "bob");
    assert.deepEqual(await act.signers("dev"), [id]);
  });

  it("count on past their end, and before their beginning", async () => {
    const short = await submitted("ann", pemOf({ to: daysFrom(house.now(), 1) }));
    const early = await submitted("ann", pemOf({ from: daysFrom(house.now(), 0.5) }));
    assert.deepEqual([...(await act.signers("qa"))].sort(), [early, short].sort());
    house.advance(2 * 86_400_000);
    assert.deepEqual([...(await act.signers("qa"))].sort(), [early, short].sort());
    assert.equal(await act.revision("qa"), 3n);
  });

  it("are revoked with every certificate of their key, in all teams at once, for ever", async () => {
    const keys = ecPair();
    const [first, second] = [pemOf({ keys }), pemOf({ keys, serial: hex("2b") })];
    const id = await submitted("ann", first);
    await submitted("ann", second);
    const other = await submitted("ann", pemOf());
    house.effects.order.length = 0;
    house.effects.changes.length = 0;
    const { certificates } = await act.revoke(id, "LEFT");
    assert.deepEqual(
      certificates.map((certificate) => [certificate.state, certificate.revocationReason, certificate.revokedAt]),
      [
        ["REVOKED", "LEFT", house.now()],
        ["REVOKED", "LEFT", house.now()],
      ],
    );
    assert.deepEqual(house.effects.order, ["refresh", "plan", "guard", "changed"]);
    assert.deepEqual(house.effects.refreshed.at(-1)?.teams, ["dev", "qa"]);
    assert.deepEqual(
      house.effects.changes.map((change) => [change.team, change.before.length, change.after.length]),
      [
        ["dev", 3, 1],
        ["qa", 3, 1],
      ],
    );
    assert.deepEqual(await act.signers("qa"), [other]);
    const record = (await house.records()).at(-1);
    assert.deepEqual([record?.event_type, record?.severity, record?.subject.type], ["key.revoked.v1", "NOTICE", "key"]);
    for (const pem of [first, second, pemOf({ keys, serial: hex("2c") })]) {
      await assertRefused(house, () => act.submit("ann", pem), "KEY_REVOKED", /never comes back/);
    }
    await assertRefused(house, () => act.submit("bob", first), "KEY_OWNED_BY_OTHER");
    await act.remove("qa", "ann");
    await act.add("qa", "ann");
    assert.deepEqual(await act.signers("qa"), [other]);
  });

  it("revoked again are UNCHANGED and keep their reason, unless the key is found compromised", async () => {
    const id = await submitted("ann", pemOf());
    await act.revoke(id, "SUPERSEDED");
    const revokedAt = house.now();
    house.advance(1_000);
    const rows = await house.rows();
    for (const reason of ["SUPERSEDED", "LEFT"] as const) {
      assert.equal((await act.revoke(id, reason)).outcome.state, "UNCHANGED");
    }
    assert.equal(await house.rows(), rows);
    const raised = await act.revoke(id, "COMPROMISED", { reason: "laptop stolen" });
    assert.deepEqual(
      raised.certificates.map((certificate) => [certificate.revocationReason, certificate.revokedAt]),
      [["COMPROMISED", revokedAt]],
    );
    assert.equal((await house.records()).at(-1)?.severity, "WARNING");
    assert.equal((await act.revoke(id, "LEFT")).certificates[0]?.revocationReason, "COMPROMISED");
    assert.equal(await act.revision("qa"), 3n, "who may sign changed twice only");
  });

  it("of a compromised key go although Notary cannot be read, with an explanation", async () => {
    house.effects.unreadable = new Map([["dtr.example.org/dev/nginx", "connection refused"]]);
    const [one, other] = [await submitted("ann", pemOf()), await submitted("ann", pemOf())];
    await act.revoke(one, "LEFT");
    assert.equal(house.effects.guarded.at(-1)?.options.acceptOrphaned, false);
    const fault = await assertRefused(house, () => act.revoke(other, "COMPROMISED"), "INVALID_FIELD");
    assert.deepEqual(
      fault.fields.map((field) => field.field),
      ["options.reason"],
    );
    await act.revoke(other, "COMPROMISED", { reason: "laptop stolen" });
    assert.equal(house.effects.refreshed.length, 2);
    const { reading, options } = house.effects.guarded.at(-1) ?? assert.fail();
    assert.equal(reading.unreadable.size, 1, "what could not be read is told");
    assert.deepEqual([options.acceptOrphaned, options.acceptWithoutSigner], [true, true]);
  });

  it("are not revoked in a team whose repositories were not read", async () => {
    await act.create("late");
    const id = await submitted("ann", pemOf());
    const original = house.effects.refresh.bind(house.effects);
    house.effects.refresh = async (teams, keys, signal) => {
      if (keys === undefined) await act.add("late", "ann");
      return await original(teams, keys, signal);
    };
    try {
      await assert.rejects(act.revoke(id), { reason: "CONFLICT" });
    } finally {
      house.effects.refresh = original;
    }
    assert.deepEqual(await act.signers("late"), [id]);
    await act.revoke(id);
    assert.deepEqual(await act.signers("late"), []);
  });

  it("that nobody submitted are NOT_FOUND", async () => {
    await assertRefused(house, () => act.revoke("00000000-0000-4000-8000-000000000000"), "NOT_FOUND");
  });
});
