import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { listExpiring } from "../../src/trust/expiry/expiring.ts";
import type { Expiring, ExpiringFilter } from "../../src/trust/expiry/expiring-store.ts";
import { checkInvariants } from "../fault/invariants.ts";
import { isLive, uploadsOf } from "../fault/publications.ts";
import { until } from "../fault/until.ts";
import { inOneYear } from "../notary/collection.ts";
import { makeNotaryCli } from "../stack/notary-cli.ts";
import { replaceKeyOf, revokeKeyOf, submitFor } from "./acts.ts";
import { day, type House, initialize, joinTeam, makeTeam, openHouse } from "./house.ts";
import { makeIdentity } from "./identity.ts";
import { pushSigned, targetsOnNotary } from "./signers.ts";

/** Metadata holds whole seconds. */
const wholeSecond = Math.floor(inOneYear.getTime() / 1_000) * 1_000;

/** The clock of the service, which is let jump by years; Notary's stays. */
let aheadMs = 0;
const now = (): Date => new Date(Date.now() + aheadMs);

const gun = "dtr.example.org/expiry/one";
const other = "other.example.org/expiry/two";

let house: House;
before(async () => {
  house = await openHouse({ now });
  const [signer] = await makeTeam(house.core, "qa", ["expiry-ann"]);
  assert.ok(signer);
  await makeTeam(house.core, "ops", ["expiry-oli"]);
  await joinTeam(house.core, "ops", "expiry-eve");
  const eve = await makeIdentity("expiry-eve", { notAfter: new Date(now().getTime() + 90 * day) });
  await submitFor(house.core, "expiry-eve", eve);
  await initialize(house.core, gun, ["qa"]);
  await initialize(house.core, other, ["ops"]);
  await pushSigned(house.core, [signer], { gun, role: "targets/qa", version: 1, tags: ["1.0"] });
  // A guard reads what the member pushed; that is when it is seen.
  const by = await makeIdentity("expiry-ann");
  await assert.rejects(replaceKeyOf(house.core, "expiry-ann", by), { reason: "WOULD_ORPHAN" });
  // From here on only the clock moves.
  await house.core.publisher.stop();
});
after(() => house.stop());

async function list(filter: Partial<ExpiringFilter> = {}, size = 50): Promise<readonly Expiring[]> {
  const whole = { until: undefined, gunPrefix: "", team: "", kinds: [], ...filter };
  const items: Expiring[] = [];
  let token = "";
  do {
    const page = await listExpiring(house.database, whole, { size, token });
    items.push(...page.items);
    token = page.nextToken;
  } while (token !== "");
  return items;
}

const wordsOf = ({ kind, name, role, member }: Expiring): string =>
  kind === "CERTIFICATE" ? `${kind} ${member}` : `${kind} ${name} ${role}`;

test("everything that ends is listed by when, whatever the size of the pages", async () => {
  const all = await list();
  assert.deepEqual(
    all.map(({ endsAt }) => endsAt.getTime()),
    all.map(({ endsAt }) => endsAt.getTime()).sort((a, b) => a - b),
  );
  assert.deepEqual(all.map(wordsOf).sort(), [
    "CERTIFICATE expiry-ann",
    "CERTIFICATE expiry-eve",
    "CERTIFICATE expiry-oli",
    `DELEGATION ${gun} targets/qa`,
    `ROOT ${gun} root`,
    `ROOT ${other} root`,
    `TARGETS ${gun} targets`,
    `TARGETS ${other} targets`,
  ]);
  assert.equal(wordsOf(all[0] ?? assert.fail()), "CERTIFICATE expiry-eve");
  assert.deepEqual(await list({}, 1), all);
  assert.deepEqual(await list({}, 3), all);
  const delegation = all.find(({ kind }) => kind === "DELEGATION");
  assert.deepEqual([delegation?.endsAt, delegation?.version], [new Date(wholeSecond), 1]);
  for (const { kind, renewedByService } of all) {
    assert.equal(renewedByService, kind === "ROOT" || kind === "TARGETS");
  }
});

test("each filter leaves only what it names", async () => {
  const soon = new Date(now().getTime() + 100 * day);
  assert.deepEqual((await list({ until: soon })).map(wordsOf), ["CERTIFICATE expiry-eve"]);
  assert.deepEqual((await list({ kinds: ["ROOT", "DELEGATION"] })).map(wordsOf).sort(), [
    `DELEGATION ${gun} targets/qa`,
    `ROOT ${gun} root`,
    `ROOT ${other} root`,
  ]);
  const ofQa = ["CERTIFICATE expiry-ann", `DELEGATION ${gun} targets/qa`, `ROOT ${gun} root`, `TARGETS ${gun} targets`];
  assert.deepEqual((await list({ gunPrefix: "dtr.example.org/" })).map(wordsOf).sort(), ofQa);
  assert.deepEqual((await list({ team: "qa" })).map(wordsOf).sort(), ofQa);
  assert.deepEqual(await list({ gunPrefix: "dtr.example.org/", team: "ops" }), []);
  assert.deepEqual(await list({ team: "nobody" }), []);
});

interface Event {
  readonly type: string;
  readonly days: number;
  readonly actor: string;
  readonly severity: string;
}

/** What the log holds about ends, oldest first. */
async function events(about: string): Promise<readonly Event[]> {
  return await house.database.rows<Event>(
    `select r->>'event_type' as type, (r->'change'->'after'->>'days')::int as days, r->'actor'->>'id' as actor, r->>'severity' as severity
     from (select convert_from(leaf, 'UTF8')::jsonb->'record' as r from audit.entry
       union all select convert_from(record, 'UTF8')::jsonb from audit.intake) x
     where r->>'event_type' like '%.expiring.v1' and r::text like '%' || :about || '%' order by r->>'event_id'`,
    { about },
  );
}

/** Looks as three replicas do at once, one of which began just now. */
async function lookEverywhere(): Promise<number> {
  const replicas = [house.another(), house.another()];
  try {
    const counts = await Promise.all([house, ...replicas].map(({ core }) => core.expiryWatch.look()));
    return counts.reduce((sum, count) => sum + count, 0);
  } finally {
    await Promise.all(replicas.map((replica) => replica.stop()));
  }
}

test("an end is recorded once at 60, 30 and 7 days and once on the day, whatever the number of replicas and restarts", async () => {
  const end = (await list({ kinds: ["CERTIFICATE"] }))[0]?.endsAt ?? assert.fail();
  const at = async (daysBefore: number): Promise<number> => {
    aheadMs = end.getTime() - daysBefore * day - Date.now();
    return await lookEverywhere();
  };
  assert.equal(await at(61), 0);
  const counts = [];
  for (const days of [59.9, 45, 29.9, 10, 6.9, 2, 0.9, -1]) counts.push(await at(days));
  assert.deepEqual(counts, [1, 0, 1, 0, 1, 0, 1, 0]);
  assert.deepEqual(await events("expiry-eve"), [
    { type: "certificate.expiring.v1", days: 60, actor: "expiry-watch", severity: "NOTICE" },
    { type: "certificate.expiring.v1", days: 30, actor: "expiry-watch", severity: "NOTICE" },
    { type: "certificate.expiring.v1", days: 7, actor: "expiry-watch", severity: "WARNING" },
    { type: "certificate.expiring.v1", days: 0, actor: "expiry-watch", severity: "WARNING" },
  ]);
});

test("a file that a member must sign again is recorded too, a revoked certificate is not, and of missed thresholds only the nearest", async () => {
  await revokeKeyOf(house.core, "expiry-oli", { acceptWithoutSigner: true, noWait: true, acceptOrphaned: true });
  aheadMs = inOneYear.getTime() - 3 * day - Date.now();
  await lookEverywhere();
  assert.deepEqual(
    (await events(`"role": "targets/qa"`)).map(({ type, days }) => [type, days]),
    [["delegation.expiring.v1", 7]],
  );
  assert.deepEqual(await events("expiry-oli"), []);
  assert.equal(await lookEverywhere(), 0);
  aheadMs = 0;
});

test("a collection that has expired already is renewed, and clients trust it again", async (t) => {
  const late = "dtr.example.org/expiry/late";
  const hasty = house.another({ settings: { targetsLifeMs: 2_000 }, now: () => new Date() });
  await hasty.core.publisher.start();
  await initialize(hasty.core, late, ["qa"]);
  await hasty.stop();
  const { expires, version } = await targetsOnNotary(house.core, late);
  await until(() => Date.now() > expires.getTime(), "the end of the targets file");
  const cli = await makeNotaryCli(house.notary);
  t.after(() => cli.remove());
  assert.notEqual((await cli.run("list", late)).code, 0, "nobody trusts what has expired");
  const begun = (await uploadsOf(house.database, late)).length;
  const patient = house.another({ now: () => new Date() });
  t.after(() => patient.stop());
  await patient.core.publisher.start();
  const isRenewed = async () => (await uploadsOf(house.database, late)).length > begun;
  await until(async () => (await isRenewed()) && (await isLive(house.database, late)), "the renewal");
  assert.equal((await uploadsOf(house.database, late)).at(-1)?.kind, "RENEW");
  const renewed = await targetsOnNotary(house.core, late);
  assert.ok(renewed.version > version && renewed.expires.getTime() > Date.now() + 170 * day);
  await cli.mustRun("list", late);
  await checkInvariants(house, late);
});
