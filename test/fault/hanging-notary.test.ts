import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import type { ChangeOptions } from "../../src/changes/options.ts";
import type { Outcome } from "../../src/changes/outcome.ts";
import { removeFrom, undelegateFrom } from "../trust/acts.ts";
import { delegateTo, type House, initialize, makeCall, makeTeam, openHouse, type Replica } from "../trust/house.ts";
import { checkInvariants } from "./invariants.ts";
import { type Deed, type NotaryProxy, startNotaryProxy } from "./notary-proxy.ts";
import { isLive } from "./publications.ts";
import { openTwoServerReplica, otherHost } from "./two-notaries.ts";
import { until } from "./until.ts";

/** One replica with two Notary servers, of which the other one hangs whenever a test wants it. */
let house: House;
let other: NotaryProxy;
let replica: Replica;
before(async () => {
  house = await openHouse();
  await house.core.publisher.stop();
  other = await startNotaryProxy(house.notary);
  replica = openTwoServerReplica(house, other, { concurrency: 1, patrolMs: 1_000 });
  await replica.core.publisher.start();
  for (const team of ["qa", "ops"]) await makeTeam(replica.core, team);
});
after(async () => {
  await replica.stop();
  await other.close();
  await house.stop();
});

interface Hang {
  /** Waits until a request hangs. */
  readonly met: () => Promise<void>;
  readonly letGo: () => void;
}

/** Keeps every request of a GUN to the other server, or of any, waiting until the test ends or they are let go. */
function hang(t: TestContext, only?: string): Hang {
  let isMet = false;
  const end = Promise.withResolvers<void>();
  const letGo = (): void => {
    other.rule = () => "forward";
    end.resolve();
  };
  t.after(letGo);
  other.rule = async ({ gun }): Promise<Deed> => {
    // A patrol of another repository must not take the server's one place first.
    if (only !== undefined && gun !== only) return "forward";
    isMet = true;
    await end.promise;
    return "drop";
  };
  return { met: () => until(() => isMet, `a request of ${only ?? "any repository"} to hang`), letGo };
}

type Act = (of: Endangered, options: Partial<ChangeOptions>) => Promise<{ readonly outcome: Outcome }>;

interface Endangered {
  readonly gun: string;
  readonly team: string;
  readonly leaver: string;
}

/** A call that is given up after two seconds, as the edge gives up at the deadline. */
const shortCall = () => makeCall({ deadline: Date.now() + 2_000, signal: AbortSignal.timeout(2_000) });

const removals: readonly { readonly name: string; readonly act: Act }[] = [
  {
    name: "removing",
    act: ({ team, leaver }, options) => removeFrom(replica.core, team, leaver, options, shortCall()),
  },
  {
    name: "undelegating",
    act: ({ gun, team }, options) => undelegateFrom(replica.core, gun, team, options, shortCall()),
  },
];

test("what takes keys away is decided within the call's time while Notary hangs, if orphans are accepted, and goes live afterwards", async (t) => {
  const all = await Promise.all(
    removals.map(async ({ name, act }) => {
      const of = { gun: `${otherHost}/hanging/${name}`, team: `hang-${name}`, leaver: `${name}-leaver` };
      await makeTeam(replica.core, of.team, [of.leaver, `${name}-colleague`]);
      await initialize(replica.core, of.gun, [of.team, "qa"]);
      return { ...of, act };
    }),
  );
  const { letGo } = hang(t);
  await Promise.all(
    all.map(async ({ act, ...of }) => {
      await assert.rejects(act(of, {}), { reason: "GUARD_UNAVAILABLE", metadata: { gun: of.gun, collections: "1" } });
      const { outcome } = await act(of, { acceptOrphaned: true });
      assert.equal(outcome.state, "PENDING");
    }),
  );
  letGo();
  for (const { gun } of all) {
    await until(() => isLive(house.database, gun), `${gun} to be live`);
    await checkInvariants(house, gun);
  }
});

test("a server that hangs takes no place from another: its repositories are published as ever", async (t) => {
  const hung = `${otherHost}/hanging/hung`;
  const gun = "dtr.example.org/hanging/healthy";
  await initialize(replica.core, hung, ["qa"]);
  const { met, letGo } = hang(t, hung);
  await delegateTo(replica.core, hung, "ops", { noWait: true });
  await met();
  for (const change of [() => initialize(replica.core, gun, ["qa"]), () => delegateTo(replica.core, gun, "ops")]) {
    const { outcome } = await change();
    assert.equal(outcome.state, "PUBLISHED", outcome.publications[0]?.detail);
  }
  assert.equal(await isLive(house.database, hung), false, "the other server hangs still");
  letGo();
  await until(() => isLive(house.database, hung), "the change at the other server to be live");
});

test("a server that hangs does not stop the patrol of another", async (t) => {
  const gun = "dtr.example.org/hanging/healthy";
  await initialize(replica.core, gun, ["qa"]);
  await initialize(replica.core, `${otherHost}/hanging/hung`, ["qa"]);
  await hang(t).met();
  const verifiedAt = async () => {
    const row = await house.database.row<{ at: Date }>("select verified_at as at from collections where gun = :gun", {
      gun,
    });
    return row?.at.getTime() ?? 0;
  };
  for (const round of [1, 2, 3]) {
    const last = await verifiedAt();
    await until(async () => (await verifiedAt()) > last, `patrol round ${round}`, 10_000);
  }
});
