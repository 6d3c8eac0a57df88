import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { ChangeOptions } from "../../src/changes/options.ts";
import { checkInvariants } from "../fault/invariants.ts";
import { standingOf } from "../fault/publications.ts";
import { giveKey, removeFrom, revokeKeyOf } from "./acts.ts";
import { type House, initialize, joinTeam, makeTeam, openHouse } from "./house.ts";
import { keyIdOf, pushSigned, signersOnNotary } from "./signers.ts";

let house: House;
before(async () => {
  house = await openHouse();
});
after(() => house.stop());

type Options = Partial<ChangeOptions>;

const removals = [
  {
    name: "removing the last member with a key",
    team: "removed",
    act: (member: string, options?: Options) => removeFrom(house.core, "removed", member, options),
  },
  {
    name: "revoking the last key",
    team: "revoked",
    act: (member: string, options?: Options) => revokeKeyOf(house.core, member, options),
  },
];

for (const { name, team, act } of removals) {
  const gun = `dtr.example.org/without-signer/${team}`;
  const role = `targets/${team}`;

  test(`${name} of a delegated team is refused, and nothing changes`, async () => {
    const [last] = await makeTeam(house.core, team, [`${team}-last`]);
    assert.ok(last);
    await joinTeam(house.core, team, `${team}-keyless`);
    await initialize(house.core, gun, [team]);
    await assert.rejects(act(`${team}-last`), { reason: "WITHOUT_SIGNER", metadata: { team } });
    assert.deepEqual(await signersOnNotary(house.core, gun), {
      "targets/releases": [keyIdOf(last)],
      [role]: [keyIdOf(last)],
    });
    assert.equal((await standingOf(house.database, gun)).targetsVersion, 1);
  });

  test(`${name} is accepted when asked for: the role stays on Notary, with no key`, async () => {
    const { outcome } = await act(`${team}-last`, { acceptWithoutSigner: true });
    assert.equal(outcome.state, "PUBLISHED", outcome.publications[0]?.detail);
    assert.ok(outcome.plan.warnings.some((warning) => warning.code === "TEAM_WITHOUT_SIGNER" && warning.gun === gun));
    assert.deepEqual(await signersOnNotary(house.core, gun), { "targets/releases": [], [role]: [] });
    await checkInvariants(house, gun);
  });

  test(`a later member makes the role signable again after ${name}`, async () => {
    await joinTeam(house.core, team, `${team}-later`);
    const later = await giveKey(house.core, `${team}-later`);
    assert.deepEqual(await signersOnNotary(house.core, gun), {
      "targets/releases": [keyIdOf(later)],
      [role]: [keyIdOf(later)],
    });
    for (const name of [role, "targets/releases"]) {
      await pushSigned(house.core, [later], { gun, role: name, version: 1, tags: ["1.0"] });
    }
    await checkInvariants(house, gun);
  });
}

test("a team that signs nothing may lose its last key unasked", async () => {
  await makeTeam(house.core, "idle", ["idle-last"]);
  const { outcome } = await removeFrom(house.core, "idle", "idle-last");
  assert.equal(outcome.state, "UNCHANGED");
  assert.deepEqual(outcome.publications, []);
});
