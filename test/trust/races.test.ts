import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { TufKeyId } from "../../src/names.ts";
import { certificateKey, tufKeyIdOf } from "../../src/tuf/key.ts";
import { isLive } from "../fault/publications.ts";
import { until } from "../fault/until.ts";
import { makeCertificate } from "../x509/make-certificate.ts";
import { addTo, submitFor } from "./acts.ts";
import { createGate } from "./gate.ts";
import { delegateTo, type House, initialize, makeTeam, openHouse } from "./house.ts";
import { signersOnNotary } from "./signers.ts";

/** 5 groups of 8 repositories and 25 teams; each team is delegated to on every repository of its group while it changes: 1,000 races. */
const groups = 5;
const gunsOfGroup = 8;
const teamsOfGroup = 25;
/** So many teams have raced when the first uploads, prepared before, are sent; the rest race beside a busy publisher. */
const beforeSending = 110;
const noWait = { noWait: true };
const joiner = "joiner";

let house: House;
const gate = createGate();
before(async () => {
  house = await openHouse({ atStep: gate.atStep });
});
after(() => house.stop());

interface Team {
  readonly id: string;
  readonly guns: readonly string[];
  /** In the team from the beginning; brings further keys. */
  readonly owner: string;
  readonly keys: Set<TufKeyId>;
}

/** Does the acts, a few of them at a time. */
async function each<T>(of: readonly T[], act: (one: T) => Promise<unknown>): Promise<void> {
  const left = [...of];
  const work = async (): Promise<void> => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) await act(one);
  };
  await Promise.all([work(), work(), work()]);
}

/** Submits a fresh key of a member; answers the id under which it signs. */
async function bringKey(member: string): Promise<TufKeyId> {
  const { pem } = makeCertificate(new Date(), { name: member });
  await submitFor(house.core, member, { certificatePem: pem, privateKeyPem: "" }, noWait);
  return tufKeyIdOf(certificateKey(pem));
}

async function makeTeams(): Promise<readonly Team[]> {
  const teams = Array.from({ length: groups * teamsOfGroup }, (_, at): Team => {
    const [id, group] = [`team-${at}`, Math.floor(at / teamsOfGroup)];
    const guns = Array.from({ length: gunsOfGroup }, (_, number) => `dtr.example.org/races/${group}-${number}`);
    return { id, guns, owner: `${id}-owner`, keys: new Set() };
  });
  await each(teams, async ({ id, owner, keys }) => {
    await makeTeam(house.core, id, []);
    await addTo(house.core, id, owner);
    keys.add(await bringKey(owner));
  });
  return teams;
}

/** A member with a key, who joins one team after another. */
async function makeJoiner(): Promise<TufKeyId> {
  await makeTeam(house.core, "pool", []);
  await addTo(house.core, "pool", joiner);
  return await bringKey(joiner);
}

/** Everything at once: the team is delegated to on each of its repositories, somebody joins it, and its owner brings a key. */
async function race(team: Team, joinersKey: TufKeyId): Promise<void> {
  const delegations = team.guns.map((gun) => delegateTo(house.core, gun, team.id, noWait));
  const [first, ...others] = delegations;
  const joining = addTo(house.core, team.id, joiner, noWait);
  team.keys.add(await bringKey(team.owner)).add(joinersKey);
  await Promise.all([first, joining, ...others]);
}

test("a thousand delegations race with members who join and keys that come, and no signer is lost", async (t) => {
  const [teams, joinersKey] = await Promise.all([makeTeams(), makeJoiner()]);
  const guns = [...new Set(teams.flatMap((team) => team.guns))];
  t.after(gate.open);
  const prepared = gate.close("prepared");
  await each(guns, (gun) => initialize(house.core, gun, [], noWait));
  await prepared();
  await each(teams.slice(0, beforeSending), (team) => race(team, joinersKey));
  gate.open();
  await each(teams.slice(beforeSending), (team) => race(team, joinersKey));
  for (const gun of guns) await until(() => isLive(house.database, gun), `${gun} to be live`, 60_000);
  for (const gun of guns) {
    const expected = teams.filter((team) => team.guns.includes(gun));
    assert.equal(expected.length, teamsOfGroup);
    const everybody = [...new Set(expected.flatMap(({ keys }) => [...keys]))].sort(ascending);
    assert.deepEqual(await signersOnNotary(house.core, gun), {
      ...Object.fromEntries(expected.map(({ id, keys }) => [`targets/${id}`, [...keys].sort(ascending)])),
      "targets/releases": everybody,
    });
  }
});

const ascending = (one: string, other: string): number => (one < other ? -1 : 1);
