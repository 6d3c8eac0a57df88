import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { initialize, makeTeam } from "../trust/house.ts";
import type { Identity } from "../trust/identity.ts";
import { signatureRecordsOf } from "../trust/signature-records.ts";
import { pushSigned } from "../trust/signers.ts";
import type { Asked, Deed } from "./notary-proxy.ts";
import { openProxiedHouse, type ProxiedHouse } from "./proxied-house.ts";
import { until } from "./until.ts";

let proxied: ProxiedHouse;
before(async () => {
  proxied = await openProxiedHouse({ follow: { sweepMs: 3_600_000 } });
  proxied.replica.core.follower.start();
});
after(() => proxied.stop());

/** A changefeed as a test writes it. */
interface Row {
  readonly ID: string;
  readonly GUN?: string | number | null;
  readonly Version?: number;
  readonly SHA256?: string;
}

/** What notary-server would answer if its feed held these rows; anything else is passed on. */
const showing =
  (rows: () => readonly Row[]) =>
  ({ what }: Asked): Deed => {
    const after = /changefeed\?change_id=(-?\d+)/.exec(what)?.[1];
    if (after === undefined) return "forward";
    const records = rows().filter(({ ID }) => BigInt(ID) > BigInt(after));
    return { status: 200, body: JSON.stringify({ count: records.length, records }) };
  };

async function signedCollection(): Promise<{ readonly gun: string; readonly member: Identity; readonly role: string }> {
  const team = `t${randomUUID().slice(0, 8)}`;
  const gun = `dtr.example.org/feed/${team}`;
  const [member] = await makeTeam(proxied.replica.core, team);
  assert.ok(member);
  await initialize(proxied.replica.core, gun, [team]);
  return { gun, member, role: `targets/${team}` };
}

const versionsTold = async (gun: string): Promise<readonly number[]> =>
  (await signatureRecordsOf(proxied.house.database, gun)).map(({ version }) => version);
const toldOf = (gun: string, versions: readonly number[]) =>
  until(async () => (await versionsTold(gun)).join() === versions.join(), `versions ${versions.join()} of ${gun}`);
const row = (ID: string, GUN: string, Version: number): Row => ({ ID, GUN, Version, SHA256: ID.padStart(64, "0") });

test("ids that become visible out of order, rows that name nothing and versions that are not there lose no signature", async () => {
  const [one, two] = [await signedCollection(), await signedCollection()];
  const rows: Row[] = [
    row("1", one.gun, 1),
    { ID: "2" },
    { ID: "3", GUN: null, Version: -1 },
    row("4", "dtr.example.org/feed/nobody-s", 5),
    row("5", "../../etc/passwd\u0000", 2 ** 40),
  ];
  proxied.proxy.rule = showing(() => rows);
  await pushSigned(proxied.house.core, [one.member], { ...one, version: 1, tags: ["1.0"] });
  await pushSigned(proxied.house.core, [two.member], { ...two, version: 1, tags: ["1.0"] });
  rows.push(row("7", one.gun, 2));
  await toldOf(one.gun, [1]);
  rows.splice(5, 0, row("6", two.gun, 900));
  await toldOf(two.gun, [1]);
});

test("a feed that begins anew is read from its beginning, and what was followed already is not told again", async () => {
  const { gun, member, role } = await signedCollection();
  let rows = [row("1000", gun, 1)];
  proxied.proxy.rule = showing(() => rows);
  await pushSigned(proxied.house.core, [member], { gun, role, version: 1, tags: ["1.0"] });
  rows.push(row("1001", gun, 2));
  await toldOf(gun, [1]);
  await pushSigned(proxied.house.core, [member], { gun, role, version: 2, tags: ["1.0", "2.0"] });
  rows = [row("1", gun, 2), row("2", gun, 3)];
  await toldOf(gun, [1, 2]);
  await pushSigned(proxied.house.core, [member], { gun, role, version: 3, tags: ["2.0"] });
  rows = [];
  await pushSigned(proxied.house.core, [member], { gun, role, version: 4, tags: ["3.0", "2.0"] });
  rows = [row("1", gun, 1), row("2", gun, 5)];
  await toldOf(gun, [1, 2, 3, 4]);
});

test("a changefeed that cannot be read delays what is kept, and loses nothing", async () => {
  const { gun, member, role } = await signedCollection();
  proxied.proxy.rule = ({ what }) => (what.includes("changefeed") ? "drop" : "forward");
  for (const version of [1, 2, 3]) {
    await pushSigned(proxied.house.core, [member], { gun, role, version, tags: [`${version}.0`] });
  }
  const asked = proxied.proxy.asked.length;
  await until(() => proxied.proxy.asked.length > asked, "the feed to be asked in vain");
  proxied.proxy.rule = () => "forward";
  await toldOf(gun, [1, 2, 2, 3, 3]);
});

test("a collection that cannot be read keeps the others not from being followed, and is followed when it can be", async () => {
  const [bad, good] = [await signedCollection(), await signedCollection()];
  proxied.proxy.rule = (asked) =>
    asked.gun === bad.gun && asked.what.includes("targets/")
      ? { status: 500, body: JSON.stringify({ errors: [{ code: "UNKNOWN", message: "no", detail: {} }] }) }
      : "forward";
  await pushSigned(proxied.house.core, [bad.member], { ...bad, version: 1, tags: ["1.0"] });
  await pushSigned(proxied.house.core, [good.member], { ...good, version: 1, tags: ["1.0"] });
  await toldOf(good.gun, [1]);
  assert.deepEqual(await versionsTold(bad.gun), []);
  proxied.proxy.rule = () => "forward";
  await toldOf(bad.gun, [1]);
});
