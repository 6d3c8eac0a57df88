import assert from "node:assert/strict";
import { constants, generateKeyPairSync, sign } from "node:crypto";
import { after, before, beforeEach, describe, it } from "node:test";
import { listCertificates } from "../../src/teams/certificates.ts";
import type { ChallengeId } from "../../src/teams/challenge.ts";
import { forgetChallenges } from "../../src/teams/challenge-store.ts";
import type { PossessionChallenge } from "../../src/teams/create-challenge.ts";
import type { PossessionProof } from "../../src/teams/possession-proof.ts";
import { parseAuthorities } from "../../src/x509/authorities.ts";
import { isPossessionText, signPossession } from "../../src/x509/possession.ts";
import { ecPair, type MadeCertificate, makeCertificate, signatureKinds } from "../x509/make-certificate.ts";
import { makeRevocationList } from "../x509/make-revocation-list.ts";
import { actsOf, assertRefused } from "./acts.ts";
import { callOf, displayName, type House, labels, memberId, openHouse, teamId } from "./house.ts";

const minute = 60_000;
const stranger = callOf({
  actor: { type: "caller", id: "spiffe://example.org/other", authentication: "mtls", certificateSha256: "cd" },
});

describe("proof of possession", () => {
  let house: House;
  let act: ReturnType<typeof actsOf>;
  before(async () => {
    house = await openHouse();
    act = actsOf(house);
  });
  after(() => house.close());
  beforeEach(async () => {
    await house.clear();
    await act.create("strict", { requiresPossessionProof: true });
    await act.create("plain");
    for (const member of ["ann", "bob"]) await act.add("strict", member);
    await act.add("plain", "cid");
  });
  const make = (name = "ann", keys = ecPair()): MadeCertificate => makeCertificate(house.now(), { name, keys });
  const answer = (made: MadeCertificate, challenge: PossessionChallenge): PossessionProof => ({
    challenge: challenge.id,
    signature: signPossession(made.privateKey, challenge.text),
  });
  const proofOf = async (member: string, made: MadeCertificate): Promise<PossessionProof> =>
    answer(made, await act.challenge(member, made.pem));
  const proved = async (member: string): Promise<readonly (boolean | undefined)[]> => {
    const query = { member: memberId(member), team: undefined, states: [] };
    const { items } = await listCertificates(house.room, query, { size: 50, token: "" });
    return items.map((one) => one.provedAt !== undefined);
  };

  it("is demanded by a team's rule, and a signature over the challenge satisfies it, once", async () => {
    const made = make();
    const fault = await assertRefused(house, () => act.submit("ann", made.pem), "POSSESSION_UNPROVEN", /strict.*ann/);
    assert.equal(fault.metadata["teams"], "strict");
    const challenge = await act.challenge("ann", made.pem);
    assert.ok(isPossessionText(challenge.text, "ann", challenge.key), challenge.text);
    assert.match(challenge.text, /^[ -~\n]+$/);
    assert.equal(challenge.expiresAt.getTime(), house.now().getTime() + 10 * minute);
    const proof = answer(made, challenge);
    const question = await act.submit("ann", made.pem, { proof, validateOnly: true });
    assert.equal(question.outcome.validatedOnly, true);
    const { certificate } = await act.submit("ann", made.pem, { proof });
    assert.deepEqual(certificate?.provedAt, house.now());
    assert.equal((await act.signers("strict")).length, 1);
    const [asked, submitted] = (await house.records())
      .filter((record) => /challenged|submitted/.test(record.event_type))
      .filter((record) => record.stage === "RESULT");
    assert.equal(asked?.event_type, "key.challenged.v1");
    assert.match(
      submitted?.change.diff.join("\n") ?? "",
      /ann proved possession of key [0-9a-f]{64} by a signature over challenge/,
    );
    const again = makeCertificate(house.now(), { name: "ann2", keys: made });
    await assertRefused(house, () => act.submit("ann", again.pem, { proof }), "CHALLENGE_USED");
    await act.submit("ann", again.pem);
    assert.deepEqual(await proved("ann"), [true, true], "a proof is one of the key, for all of its certificates");
  });

  it("is taken by every kind of key that can be delegated to", async () => {
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const pss = (text: string): Buffer =>
      sign("sha256", Buffer.from(text), { key: rsa.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING });
    const made = makeCertificate(house.now(), { name: "ann", keys: rsa, signature: signatureKinds.rsaSha256 });
    const challenge = await act.challenge("ann", made.pem);
    await act.submit("ann", made.pem, { proof: { challenge: challenge.id, signature: pss(challenge.text) } });
    const pkcs1 = makeCertificate(house.now(), {
      name: "bob",
      keys: generateKeyPairSync("rsa", { modulusLength: 2048 }),
      signature: signatureKinds.rsaSha256,
    });
    await act.submit("bob", pkcs1.pem, { proof: await proofOf("bob", pkcs1) });
    for (const curve of ["P-384", "P-521"]) {
      const other = make("bob", ecPair(curve));
      await act.submit("bob", other.pem, { proof: await proofOf("bob", other) });
    }
    assert.deepEqual([await proved("ann"), await proved("bob")], [[true], [true, true, true]]);
  });

  it("is refused for its own reason when anything about it is another's, late or wrong", async () => {
    const [made, other] = [make(), make()];
    const challenge = await act.challenge("ann", made.pem);
    const proof = answer(made, challenge);
    const submit = (member: string, pem: string, wrong: PossessionProof) => () =>
      act.submit(member, pem, { proof: wrong });
    await assertRefused(house, submit("bob", make("bob").pem, proof), "CHALLENGE_OF_OTHER_MEMBER");
    await assertRefused(house, submit("ann", other.pem, proof), "CHALLENGE_OF_OTHER_KEY");
    const asStranger = () => act.submit("ann", made.pem, { proof, call: { actor: stranger.actor } });
    await assertRefused(house, asStranger, "CHALLENGE_OF_OTHER_CALLER");
    const unknown = { ...proof, challenge: "0".repeat(64) as ChallengeId };
    await assertRefused(house, submit("ann", made.pem, unknown), "NOT_FOUND", /no such challenge/);
    const wrongs = [
      signPossession(other.privateKey, challenge.text),
      signPossession(made.privateKey, challenge.text.trimEnd()),
      sign("sha384", Buffer.from(challenge.text), made.privateKey),
      sign("sha256", Buffer.from(challenge.text), { key: made.privateKey, dsaEncoding: "ieee-p1363" }),
      Buffer.from([0x30]),
    ];
    for (const signature of wrongs) {
      await assertRefused(house, submit("ann", made.pem, { ...proof, signature }), "WRONG_SIGNATURE");
    }
    await assertRefused(house, () => act.challenge("ann", "no certificate"), "INVALID_FIELD");
    await assertRefused(house, () => act.challenge("zoe", made.pem), "NOT_FOUND", /no member zoe/);
    house.advance(10 * minute);
    await assertRefused(house, submit("ann", made.pem, proof), "CHALLENGE_EXPIRED");
    house.advance(23 * 60 * minute);
    assert.equal(await forgetChallenges(house.database, house.now()), 0);
    house.advance(61 * minute);
    assert.equal(await forgetChallenges(house.database, house.now()), 1);
    await assertRefused(house, submit("ann", made.pem, proof), "NOT_FOUND");
  });

  it("has one winner when a challenge is answered several times at once", async () => {
    const keys = ecPair();
    const certificates = [1, 2, 3, 4, 5].map((number) => make(`ann${number}`, keys));
    const [first] = certificates;
    assert.ok(first);
    const proof = await proofOf("ann", first);
    const ends = await Promise.allSettled(certificates.map(({ pem }) => act.submit("ann", pem, { proof })));
    const reasons = ends.map((end) => (end.status === "fulfilled" ? "taken" : end.reason.reason)).sort();
    assert.deepEqual(reasons, [...Array<string>(4).fill("CHALLENGE_USED"), "taken"]);
  });

  it("is answered once more when its request is repeated, by its request_id or by itself", async () => {
    const made = make();
    const proof = await proofOf("ann", made);
    const first = await act.submit("ann", made.pem, { proof, requestId: "r1" });
    const replayed = await act.submit("ann", made.pem, { proof, requestId: "r1" });
    assert.equal(replayed.outcome.requestReplayed, true);
    const repeated = await act.submit("ann", made.pem, { proof });
    assert.deepEqual([repeated.outcome.state, repeated.certificate?.id], ["UNCHANGED", first.certificate?.id]);
  });

  it("is no obstacle to the repeat of a request when the certificate is taken no longer", async () => {
    const root = makeCertificate(house.now(), { name: "root", authority: true });
    const member = makeCertificate(house.now(), {
      name: "ann",
      issuer: root,
      to: new Date(house.now().getTime() + minute),
    });
    const configured = parseAuthorities(Buffer.from(root.pem), [makeRevocationList(house.now(), root)]);
    assert.ok(configured.ok);
    house.settings.authorities = configured.value;
    const given = { proof: await proofOf("ann", member), requestId: "r1" };
    const first = await act.submit("ann", member.pem, given);
    house.advance(2 * minute);
    const again = await act.submit("ann", member.pem, given);
    assert.deepEqual([again.outcome.requestReplayed, again.certificate?.id], [true, first.certificate?.id]);
    await assertRefused(house, () => act.challenge("ann", make().pem), "INVALID_FIELD");
    await assertRefused(house, () => act.submit("ann", make().pem), "INVALID_FIELD");
    const other = makeCertificate(house.now(), { name: "ann", issuer: root });
    house.advance(7 * 24 * 60 * minute);
    await assertRefused(house, () => act.challenge("ann", other.pem), "REVOCATION_UNKNOWN", /CN=root is current/);
    await assertRefused(house, () => act.submit("ann", other.pem), "REVOCATION_UNKNOWN");
  });

  it("is demanded of a replacement, which takes it", async () => {
    const [old, fresh] = [make(), make()];
    const { certificate } = await act.submit("ann", old.pem, { proof: await proofOf("ann", old) });
    const id = certificate?.id ?? "";
    await assertRefused(house, () => act.replace(id, fresh.pem), "POSSESSION_UNPROVEN");
    const wrong = { ...(await proofOf("ann", fresh)), signature: Buffer.from("no") };
    await assertRefused(house, () => act.replace(id, fresh.pem, { proof: wrong }), "WRONG_SIGNATURE");
    const replaced = await act.replace(id, fresh.pem, { proof: await proofOf("ann", fresh) });
    assert.ok(replaced.certificate?.provedAt);
    const record = (await house.records()).at(-1);
    assert.match(record?.change.diff.join("\n") ?? "", /proved possession/);
  });

  it("is demanded of a member who joins with keys; proving or revoking each of them opens the door", async () => {
    const [kept, lost] = [make("cid"), make("cid")];
    await act.submit("cid", kept.pem);
    const { certificate } = await act.submit("cid", lost.pem);
    await assertRefused(house, () => act.add("strict", "cid"), "POSSESSION_UNPROVEN", /strict.*cid/);
    const { outcome } = await act.submit("cid", kept.pem, { proof: await proofOf("cid", kept) });
    assert.equal(outcome.plan.collections, 0);
    assert.equal((await house.records()).at(-1)?.event_type, "key.proved.v1");
    await assertRefused(house, () => act.add("strict", "cid"), "POSSESSION_UNPROVEN");
    await act.revoke(certificate?.id ?? "");
    await act.add("strict", "cid");
    assert.equal((await act.signers("strict")).length, 1);
  });

  it("demanded later leaves keys where they are, warns of them, and meets the next one", async () => {
    await act.submit("cid", make("cid").pem);
    const rule = { requiresPossessionProof: true };
    const asked = await act.update("plain", rule, { validateOnly: true });
    const [warning] = asked.outcome.plan.warnings;
    assert.equal(warning?.code, "KEY_UNPROVEN");
    const { team, outcome } = await act.update("plain", rule, { planEtag: asked.outcome.planEtag });
    assert.deepEqual([team.requiresPossessionProof, team.revision, outcome.plan.warnings.length], [true, 2n, 1]);
    assert.equal((await act.signers("plain")).length, 1);
    assert.equal((await act.update("plain", rule)).outcome.state, "UNCHANGED");
    await assertRefused(house, () => act.submit("cid", make("cid").pem), "POSSESSION_UNPROVEN");
    const query = { member: undefined, team: teamId("plain"), states: [], unproven: true };
    const listed = await listCertificates(house.room, query, { size: 50, token: "" });
    assert.deepEqual(
      listed.items.map((one) => one.member),
      ["cid"],
    );
    const off = await act.update("plain", {
      requiresPossessionProof: false,
      displayName: displayName("P"),
      labels: labels({ a: "b" }),
    });
    assert.deepEqual(
      [off.team.displayName, off.team.labels.get("a"), off.team.requiresPossessionProof],
      ["P", "b", false],
    );
    const record = (await house.records()).at(-1);
    assert.deepEqual(
      [record?.event_type, record?.severity, record?.change.diff.length],
      ["team.updated.v1", "WARNING", 3],
    );
    await assertRefused(house, () => act.update("plain", rule, { etag: "1" }), "ETAG_MISMATCH");
    await act.create("gone");
    await act.drop("gone");
    await assertRefused(house, () => act.update("gone", rule), "NOT_FOUND");
  });

  it("is the rule of new teams where the service is configured so", async () => {
    house.settings.requiresPossessionProof = true;
    const { team } = await act.create("fresh");
    assert.equal(team?.requiresPossessionProof, true);
    assert.equal((await act.create("plain")).outcome.state, "UNCHANGED", "what a team is stays as it is");
    await assertRefused(house, () => act.create("plain", { requiresPossessionProof: true }), "ALREADY_EXISTS", /rule/);
  });

  it("is not asked for endlessly by one caller", async () => {
    const made = make();
    await house.database.run(
      `insert into possession_challenges(nonce, member_id, canonical_key_id, actor, expires_at)
       select sha256(n::text::bytea), 'ann', 'x', :actor, :ends from generate_series(1, 1000) n`,
      { actor: callOf().actor.id, ends: new Date(house.now().getTime() + minute) },
    );
    await assertRefused(house, () => act.challenge("ann", made.pem), "TOO_MANY_CHALLENGES");
    await act.challenge("ann", made.pem, { actor: stranger.actor });
    house.advance(minute);
    await act.challenge("ann", made.pem);
  });
});
