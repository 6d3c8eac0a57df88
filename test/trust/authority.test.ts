import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { published } from "../../migrations/0006_authority.ts";
import { Fault } from "../../src/errors.ts";
import { targetsRole } from "../../src/names.ts";
import { type AuthorityFound, type ListAuthority, listAuthority } from "../../src/trust/authority/authority.ts";
import { parseKeyName, type Right } from "../../src/trust/authority/right.ts";
import { delegate } from "../../src/trust/delegate.ts";
import { parsePaths } from "../../src/trust/paths.ts";
import { parseTargets } from "../../src/tuf/envelope.ts";
import { isLive } from "../fault/publications.ts";
import { until } from "../fault/until.ts";
import { runStatements } from "../stack/postgres.ts";
import { addTo, removeFrom, replaceKeyOf, revokeAllOf, revokeKeyOf, submitFor, undelegateFrom } from "./acts.ts";
import { AuthorityModel, type ModelRow, type Moment, type Step, walks } from "./authority-model.ts";
import {
  gunOf,
  type House,
  initialize,
  makeCall,
  makeTeam,
  memberOf,
  must,
  noOptions,
  openHouse,
  teamOf,
} from "./house.ts";
import { makeIdentity } from "./identity.ts";
import { keyIdOf } from "./signers.ts";

/** Decisions are some seconds apart, so that no two share an instant. */
let aheadMs = 0;
const now = (): Date => new Date(Date.now() + aheadMs);
const apartMs = 3_000;

let house: House;
before(async () => {
  house = await openHouse({ now });
});
after(() => house.stop());

const anything: ListAuthority = {
  gun: "",
  team: "",
  member: "",
  key: "",
  gunPrefix: "" as ListAuthority["gunPrefix"],
  axis: "DECIDED",
  asOf: undefined,
};

/** All pages of a question, four rows a page. */
async function ask(question: Partial<ListAuthority>): Promise<AuthorityFound> {
  const items: Right[] = [];
  for (let token = ""; ; ) {
    const page = await listAuthority(house.database, "me", { ...anything, ...question }, { size: 4, token }, now());
    items.push(...page.items);
    token = page.nextToken;
    if (token === "") return { ...page, items };
  }
}

const textOf = ({ gun, roles: [own, releases], key }: Right): string =>
  `${gun} ${own?.role} (${own?.paths.join()}) ${releases === undefined ? "" : "released "}${key.tufKeyId}`;

/** Takes a step as a caller would; what is refused changes nothing. */
async function take(step: Step, model: AuthorityModel): Promise<void> {
  const { core } = house;
  const options = { acceptOrphaned: true, acceptRevived: true, acceptWithoutSigner: true, noWait: step.noWait };
  const identity = step.act === "submit" || step.act === "replace" ? await makeIdentity(step.member) : undefined;
  const gone: string[] = [];
  try {
    if (step.act === "delegate") {
      const of = { gun: gunOf(step.gun), team: teamOf(step.team), paths: must(parsePaths(step.paths)) };
      const rest = { excludeFromReleases: step.excluded, options: { ...noOptions, ...options } };
      await delegate(core.trust, makeCall(), { ...of, ...rest });
    }
    if (step.act === "undelegate") await undelegateFrom(core, step.gun, step.team, options);
    if (step.act === "add") await addTo(core, step.team, step.member, options);
    if (step.act === "remove") await removeFrom(core, step.team, step.member, options);
    if (step.act === "submit" && identity !== undefined) await submitFor(core, step.member, identity, options);
    if (step.act === "replace" && identity !== undefined) {
      gone.push(...(await replaceKeyOf(core, step.member, identity, options)).replaced.map((one) => one.tufKeyId));
    }
    if (step.act === "revoke") {
      gone.push(...(await revokeKeyOf(core, step.member, options)).certificates.map((one) => one.tufKeyId));
    }
    if (step.act === "leave") await revokeAllOf(core, step.member, "LEFT", options);
  } catch (error) {
    if (error instanceof Fault || /has no certificate in force/.test(String(error))) return;
    throw error;
  }
  model.take(step, identity && keyIdOf(identity), gone);
}

/** Since when, and until when, a row of a moment held without a break: the decisions that began and ended it. */
function spanOf(moments: readonly Moment[], at: number, { text }: ModelRow): readonly [Moment, Moment | undefined] {
  const holds = (index: number): boolean => moments[index]?.rows.some((row) => row.text === text) === true;
  let [first, last] = [at, at];
  while (holds(first - 1)) first--;
  while (holds(last + 1)) last++;
  return [moments[first] as Moment, moments[last + 1]];
}

const isWithin = (time: Date | undefined, moment: Moment | undefined): boolean =>
  moment === undefined ? time === undefined : time !== undefined && time >= moment.began && time <= moment.ended;

test("at any instant the decided answer is what a replay gives, and the live answer what Notary's files say", async () => {
  const names = {
    guns: ["one", "two"].map((name) => `dtr.example.org/authority/${name}`),
    teams: ["a", "b", "c"],
    members: ["ann", "bob", "cat"],
  };
  for (const team of names.teams) await makeTeam(house.core, team, []);
  for (const gun of names.guns) await initialize(house.core, gun);
  const chances = fc.array(fc.nat(apartMs - 1_500), { minLength: 60, maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(walks(names), chances, async (walk, later) => {
      const model = new AuthorityModel();
      for (const step of walk) {
        aheadMs += apartMs;
        const began = now();
        await take(step, model);
        model.note(began, now());
      }
      aheadMs += apartMs;
      for (const gun of names.guns) await until(() => isLive(house.database, gun), `${gun} to be live`);
      for (const [index, moment] of model.moments.entries()) {
        const asOf = new Date(moment.ended.getTime() + (later[index] ?? 0));
        await compareDecided(model.moments, index, asOf, names);
        if (index % 2 === 0) await compareLive(names.guns[(index / 2) % 2] ?? "", asOf, index / 2);
      }
      await compareBackfill();
    }),
    { numRuns: 1, endOnFailure: true },
  );
});

/** Every question about one instant, against the rows of the model. */
async function compareDecided(
  moments: readonly Moment[],
  index: number,
  asOf: Date,
  { guns, teams, members }: { readonly [name in "guns" | "teams" | "members"]: readonly string[] },
): Promise<void> {
  const rows = moments[index]?.rows ?? [];
  const compare = async (question: Partial<ListAuthority>, wanted: (row: ModelRow) => boolean): Promise<void> => {
    const { items, isComplete } = await ask({ ...question, asOf });
    const expected = rows.filter(wanted);
    assert.deepEqual(
      items.map(textOf),
      expected.map((row) => row.text),
      JSON.stringify({ question, asOf }),
    );
    assert.ok(isComplete);
    for (const [at, { decided, team, key }] of items.entries()) {
      const row = expected[at] as ModelRow;
      const [since, ended] = spanOf(moments, index, row);
      assert.deepEqual([team, key.member], [row.team, row.member]);
      assert.ok(
        isWithin(decided?.since, since) && isWithin(decided?.until, ended),
        `${row.text} at ${asOf.toISOString()}`,
      );
    }
  };
  const one = <T>(of: readonly T[]): T | undefined => of[index % Math.max(1, of.length)];
  const [gun, team, member] = [one(guns) ?? "", one(teams) ?? "", one(members) ?? ""];
  await compare({ gun: gunOf(gun) }, (row) => row.gun === gun);
  const key = one(rows)?.key;
  const others = [
    () => compare({ team: teamOf(team) }, (row) => row.team === team),
    () => compare({ member: memberOf(member) }, (row) => row.member === member),
    () =>
      compare({ team: teamOf(team), member: memberOf(member) }, (row) => row.team === team && row.member === member),
    async () => key && (await compare({ key: must(parseKeyName(key)) }, (row) => row.key === key)),
  ];
  await one(others)?.();
}

/** Who could sign by the targets file that was on Notary at that instant, read from Notary by its version. */
async function compareLive(gun: string, asOf: Date, index: number): Promise<void> {
  const landed = await house.database.row<{ version: number }>(
    `select p.version from published_parts p join collections c on c.id = p.collection_id
     where c.gun = :gun and p.role = 'targets' and p.landed_at <= :asOf order by p.version desc limit 1`,
    { gun, asOf },
  );
  const server = house.core.trust.notaries.byName("main");
  const file = await server.readVersion(gunOf(gun), targetsRole, landed?.version ?? 0, new AbortController().signal);
  assert.ok(file !== undefined, `targets ${landed?.version} of ${gun}`);
  const { roles } = parseTargets(file).content;
  const released = new Set(roles.find(({ name }) => name === "targets/releases")?.keyIds);
  const expected = roles
    .filter(({ name }) => name !== "targets/releases")
    .flatMap(({ name, paths, keyIds }) =>
      keyIds.map((key) => ({
        name,
        key,
        text: `${gun} ${name} (${paths.join()}) ${released.has(key) ? "released " : ""}${key}`,
      })),
    )
    .sort((a, b) => (`${a.name} ${a.key}` < `${b.name} ${b.key}` ? -1 : 1));
  const compare = async (question: Partial<ListAuthority>, rows: typeof expected): Promise<void> => {
    const { items } = await ask({ ...question, gunPrefix: gun as ListAuthority["gunPrefix"], axis: "LIVE", asOf });
    const told = JSON.stringify({ question, asOf, version: landed?.version });
    assert.deepEqual(
      items.map(textOf),
      rows.map((row) => row.text),
      told,
    );
    for (const { live, decided } of items) {
      assert.ok(live !== undefined && live.since <= asOf && (live.until === undefined || live.until > asOf), told);
      assert.ok(decided !== undefined && decided.since <= asOf, told);
    }
  };
  await compare({ gun: gunOf(gun) }, expected);
  const one = expected[index % Math.max(1, expected.length)];
  if (one === undefined) return;
  await compare(
    { team: teamOf(one.name.slice("targets/".length)) },
    expected.filter(({ name }) => name === one.name),
  );
  await compare(
    { key: must(parseKeyName(one.key)) },
    expected.filter(({ key }) => key === one.key),
  );
}

/** The migration finds in the published files what was written down as they landed. */
async function compareBackfill(): Promise<void> {
  const kept =
    "select gun, role, paths, live_from, live_to from live_roles where live_to is distinct from live_from order by gun, role, live_from";
  const written = await house.database.rows(kept);
  await runStatements(house.postgres.ownerUrl, ["delete from live_roles", published]);
  assert.deepEqual(await house.database.rows(kept), written);
  assert.ok(written.length > 0);
}
