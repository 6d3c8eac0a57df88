import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { canonicalKeyIdOf, certificateKey } from "../../src/tuf/key.ts";
import { checkInvariants } from "../fault/invariants.ts";
import { isLive, standingOf, uploadsOf } from "../fault/publications.ts";
import { until } from "../fault/until.ts";
import { makeNotaryCli } from "../stack/notary-cli.ts";
import { addTo, replaceKeyOf, revokeAllOf } from "./acts.ts";
import { delegateTo, type House, initialize, joinTeam, makeTeam, openHouse } from "./house.ts";
import { type Identity, makeIdentity } from "./identity.ts";
import { keyIdOf, pushSigned, signersOnNotary } from "./signers.ts";

let house: House;
before(async () => {
  house = await openHouse();
});
after(() => house.stop());

const noWait = { noWait: true };
const canonicalOf = (identity: Identity): string => canonicalKeyIdOf(certificateKey(identity.certificatePem));

/** Which roles `notary delegation list` shows each canonical key id in. */
async function rolesByKey(gun: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const cli = await makeNotaryCli(house.notary);
  try {
    const found = new Map<string, string[]>();
    let role = "";
    for (const line of (await cli.mustRun("delegation", "list", gun)).split("\n")) {
      role = /(targets\/[a-z0-9_-]+)/.exec(line)?.[1] ?? role;
      const key = /\b[0-9a-f]{64}\b/.exec(line)?.[0];
      if (key !== undefined) found.set(key, [...(found.get(key) ?? []), role]);
    }
    return found;
  } finally {
    await cli.remove();
  }
}

test("a replaced key is gone and the new one there in both roles of every repository, in one publication each", async () => {
  const guns = ["one", "two"].map((name) => `dtr.example.org/replace/${name}`);
  const [old, other] = await makeTeam(house.core, "swap", ["swap-ann", "swap-bob"]);
  assert.ok(old && other);
  await makeTeam(house.core, "swap-too", []);
  await joinTeam(house.core, "swap-too", "swap-ann");
  for (const gun of guns) await initialize(house.core, gun, ["swap", "swap-too"]);
  const by = await makeIdentity("swap-ann");
  const { outcome } = await replaceKeyOf(house.core, "swap-ann", by);
  assert.equal(outcome.state, "PUBLISHED", outcome.publications[0]?.detail);
  assert.equal(outcome.rollout?.total, 2);
  for (const gun of guns) {
    assert.equal((await standingOf(house.database, gun)).targetsVersion, 2, "one publication, for both teams");
    assert.equal((await uploadsOf(house.database, gun)).length, 2);
    const shown = await rolesByKey(gun);
    assert.deepEqual([...(shown.get(canonicalOf(by)) ?? [])].sort(), [
      "targets/releases",
      "targets/swap",
      "targets/swap-too",
    ]);
    assert.equal(shown.get(canonicalOf(old)), undefined);
    assert.ok(shown.has(canonicalOf(other)));
    await checkInvariants(house, gun);
  }
});

test("replacing the key that signed is refused with the tags it would orphan, and says when accepted who can sign anew", async () => {
  const gun = "dtr.example.org/replace/signed";
  const [old] = await makeTeam(house.core, "signed", ["signed-ann", "signed-bob"]);
  assert.ok(old);
  await initialize(house.core, gun, ["signed"]);
  await pushSigned(house.core, [old], { gun, role: "targets/signed", version: 1, tags: ["1.0"] });
  const by = await makeIdentity("signed-ann");
  await assert.rejects(replaceKeyOf(house.core, "signed-ann", by), { reason: "WOULD_ORPHAN" });
  const { outcome } = await replaceKeyOf(house.core, "signed-ann", by, { acceptOrphaned: true });
  const warning = outcome.plan.warnings.find(({ code }) => code === "SIGNATURES_ORPHANED") ?? assert.fail();
  assert.deepEqual([warning.gun, warning.role, warning.tags], [gun, "targets/signed", ["1.0"]]);
  assert.match(warning.message, /signed-ann, signed-bob can sign it anew/);
  await pushSigned(house.core, [by], { gun, role: "targets/signed", version: 2, tags: ["1.0"] });
  await checkInvariants(house, gun);
});

test("a leaver loses every role of every repository by one rollout", async () => {
  const guns = ["one", "two", "three"].map((name) => `dtr.example.org/leaver/${name}`);
  const [gone] = await makeTeam(house.core, "leave-a", ["leaver", "leave-stays"]);
  assert.ok(gone);
  await makeTeam(house.core, "leave-b", ["leave-b-stays"]);
  await addTo(house.core, "leave-b", "leaver");
  await initialize(house.core, guns[0] ?? "", ["leave-a"]);
  await initialize(house.core, guns[1] ?? "", ["leave-b"]);
  await initialize(house.core, guns[2] ?? "", ["leave-a", "leave-b"]);
  const asked = await revokeAllOf(house.core, "leaver", "LEFT", { validateOnly: true });
  assert.equal(asked.outcome.plan.collections, 3);
  const { outcome } = await revokeAllOf(house.core, "leaver", "LEFT", { planEtag: asked.outcome.planEtag });
  assert.equal(outcome.state, "PUBLISHED", outcome.publications[0]?.detail);
  assert.deepEqual(
    [outcome.rollout?.kind, outcome.rollout?.total, outcome.rollout?.published],
    ["MEMBER_REVOCATION", 3, 3],
  );
  for (const gun of guns) {
    const signers = Object.values(await signersOnNotary(house.core, gun)).flat();
    assert.ok(!signers.includes(keyIdOf(gone)) && signers.length > 0);
    assert.equal((await standingOf(house.database, gun)).targetsVersion, 2);
    await checkInvariants(house, gun);
  }
});

test("a leaver who is the last signer stays until that is accepted", async () => {
  const gun = "dtr.example.org/leaver/last";
  await makeTeam(house.core, "lone", ["lone-ann"]);
  await initialize(house.core, gun, ["lone"]);
  await assert.rejects(revokeAllOf(house.core, "lone-ann", "LEFT"), { reason: "WITHOUT_SIGNER" });
  const { outcome } = await revokeAllOf(house.core, "lone-ann", "LEFT", { acceptWithoutSigner: true });
  assert.equal(outcome.state, "PUBLISHED");
});

test("a compromised member goes at once, and the plan lists what dies and what has to be reviewed", async () => {
  const gun = "dtr.example.org/stolen/one";
  const [stolen, witness] = await makeTeam(house.core, "stolen", ["stolen-ann", "stolen-bob"]);
  assert.ok(stolen && witness);
  await initialize(house.core, gun, ["stolen"]);
  await pushSigned(house.core, [stolen], { gun, role: "targets/stolen", version: 1, tags: ["1.0"] });
  await pushSigned(house.core, [stolen, witness], { gun, role: "targets/releases", version: 1, tags: ["2.0"] });
  await assert.rejects(revokeAllOf(house.core, "stolen-ann", "LEFT"), { reason: "WOULD_ORPHAN" });
  const { outcome } = await revokeAllOf(house.core, "stolen-ann", "COMPROMISED", { reason: "laptop stolen" });
  assert.equal(outcome.state, "PUBLISHED", outcome.publications[0]?.detail);
  assert.deepEqual(
    outcome.plan.warnings.map(({ code, role, tags }) => [code, role, tags]),
    [
      ["SIGNATURES_ORPHANED", "targets/stolen", ["1.0"]],
      ["SIGNATURES_TO_REVIEW", "targets/releases", ["2.0"]],
    ],
  );
  assert.match(outcome.plan.warnings[1]?.message ?? "", /stolen-bob can sign it anew/);
  await checkInvariants(house, gun);
});

test("replacing races with delegations and members who join, and no signer is lost", async () => {
  const rounds = 24;
  // Files are read before, and a repository that is delegated meanwhile was not.
  const racing = { noWait: true, acceptOrphaned: true };
  const guns = ["a", "b", "c"].map((name) => `dtr.example.org/replace-races/${name}`);
  await makeTeam(house.core, "racing", ["racer"]);
  await makeTeam(house.core, "pool", ["joiner"]);
  for (const gun of guns) await initialize(house.core, gun, ["pool"], noWait);
  let newest: Identity | undefined;
  for (let round = 0; round < rounds; round++) {
    const by = await makeIdentity("racer");
    await Promise.all([
      replaceKeyOf(house.core, "racer", by, racing),
      ...guns.map((gun) => delegateTo(house.core, gun, "racing", racing, undefined, round % 2 === 1)),
      ...(round === rounds / 2 ? [addTo(house.core, "racing", "joiner", noWait)] : []),
    ]);
    newest = by;
  }
  assert.ok(newest);
  for (const gun of guns) {
    await until(() => isLive(house.database, gun), `${gun} to be live`, 40_000);
    const desired = await house.database.rows<{ id: string }>(
      `select c.tuf_key_id as id from memberships m join certificates c on c.member_id = m.member_id and c.valid_to is null
       where m.team_id = 'racing' and m.valid_to is null order by 1`,
    );
    const signers = (await signersOnNotary(house.core, gun))["targets/racing"];
    assert.deepEqual(signers, desired.map(({ id }) => id).sort());
    assert.ok(signers?.includes(keyIdOf(newest)));
    await checkInvariants(house, gun);
  }
});
