import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { removeMember } from "../../src/teams/memberships.ts";
import { getTrust } from "../../src/trust/trust-view.ts";
import {
  delegateTo,
  gunOf,
  type House,
  initialize,
  makeCall,
  makeTeam,
  memberOf,
  noOptions,
  openHouse,
  teamOf,
} from "../trust/house.ts";
import { checkInvariants } from "./invariants.ts";
import { pushAsMember } from "./member-file.ts";
import { standingOf } from "./publications.ts";
import { until } from "./until.ts";

const lastVersion = 2 ** 31 - 1;

let house: House;
before(async () => {
  house = await openHouse({ settings: { patrolMs: 100 } });
  await makeTeam(house.core, "ops");
});
after(() => house.stop());

const removeFrom = (team: string, member: string, acceptOrphaned = false) =>
  removeMember(
    house.core.teams,
    makeCall(),
    { team: teamOf(team), member: memberOf(member) },
    { ...noOptions, acceptOrphaned },
  );

/** Waits until the collection was walked from timestamp.json again, twice. */
async function patrolled(gun: string): Promise<void> {
  for (const round of ["once", "twice"]) {
    const walkedAt = await verifiedAt(gun);
    await until(async () => (await verifiedAt(gun)) > walkedAt, `the patrol to walk ${round}`);
  }
}

async function verifiedAt(gun: string): Promise<number> {
  const row = await house.database.row<{ at: Date }>("select verified_at as at from collections where gun = :gun", {
    gun,
  });
  return row?.at.getTime() ?? 0;
}

/** The highest version of a role that was seen on Notary. */
async function seenVersion(gun: string, role: string): Promise<number | undefined> {
  const seen = await house.database.row<{ version: number }>(
    "select s.version from seen_files s join collections c on c.id = s.collection_id where c.gun = :gun and s.role = :role",
    { gun, role },
  );
  return seen?.version;
}

const cases = [
  { cache: "warm", file: "own file", team: "mal", role: "targets/mal" },
  { cache: "warm", file: "targets/releases", team: "mal2", role: "targets/releases" },
  { cache: "cold", file: "own file", team: "mal4", role: "targets/mal4" },
  { cache: "cold", file: "targets/releases", team: "mal5", role: "targets/releases" },
] as const;

for (const { cache, file, team, role } of cases) {
  test(`with a ${cache} cache, a member's ${file} at the last version there is neither blocks the collection nor stops the member's removal`, async () => {
    const patrolAnew = async (gun: string): Promise<void> => {
      if (cache === "cold") await house.notary.restartServer();
      await patrolled(gun);
    };
    const [mallory, alice] = await makeTeam(house.core, team, [`mallory-${team}`, `alice-${team}`]);
    assert.ok(mallory && alice);
    const gun = `dtr.example.org/last/${team}`;
    await initialize(house.core, gun, [team]);
    const pushed = await pushAsMember(house, mallory, { gun, role, version: lastVersion });
    assert.deepEqual(pushed, { kind: "ACCEPTED" });
    await patrolAnew(gun);
    assert.equal((await standingOf(house.database, gun)).blockReason, null);
    assert.equal(await seenVersion(gun, role), lastVersion, "it was seen for what it is");

    const { outcome } = await removeFrom(team, `mallory-${team}`);
    assert.equal(outcome.state, "PUBLISHED", outcome.publications[0]?.detail);
    assert.equal((await delegateTo(house.core, gun, "ops")).outcome.state, "PUBLISHED");
    await patrolAnew(gun);
    assert.equal((await standingOf(house.database, gun)).blockReason, null);
    const trust = await getTrust(house.database, gunOf(gun));
    const [held] = trust.publishedDelegations.filter((one) => one.version.role === `targets/${team}`);
    assert.deepEqual(
      held?.keys.map((key) => key.member),
      [`alice-${team}`],
    );
    await checkInvariants(house, gun);
  });
}

test("a file that holds tags at the last version asks for accept_orphaned, and then the removal goes through", async () => {
  const [mallory] = await makeTeam(house.core, "mal3", ["mallory-3", "alice-3"]);
  assert.ok(mallory);
  const gun = "dtr.example.org/last/tags";
  await initialize(house.core, gun, ["mal3"]);
  const file = { gun, role: "targets/mal3", version: lastVersion, tags: ["1.0"] };
  assert.deepEqual(await pushAsMember(house, mallory, file), { kind: "ACCEPTED" });
  await assert.rejects(removeFrom("mal3", "mallory-3"), { reason: "WOULD_ORPHAN" });
  const { outcome } = await removeFrom("mal3", "mallory-3", true);
  assert.equal(outcome.state, "PUBLISHED");
  await checkInvariants(house, gun);
});
