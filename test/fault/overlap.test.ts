import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { delegateTo, initialize, makeTeam } from "../trust/house.ts";
import { checkInvariants } from "./invariants.ts";
import { openProxiedHouse, type ProxiedHouse } from "./proxied-house.ts";
import { isLive, recordTypes, standingOf } from "./publications.ts";
import { freeLeases } from "./thief.ts";
import { until } from "./until.ts";

/** The replica behind the proxy walks; another one, straight at Notary, publishes in the middle of the walk. */
let proxied: ProxiedHouse;
let thief: ReturnType<typeof freeLeases>;
before(async () => {
  proxied = await openProxiedHouse({ settings: { patrolMs: 100 } });
  thief = freeLeases(proxied.house);
  for (const team of ["qa", "ops"]) await makeTeam(proxied.house.core, team);
});
after(async () => {
  await thief.stop();
  await proxied.stop();
});

const moments = [
  { when: "after", file: "2.targets.json" },
  { when: "before", file: "2.targets.json" },
  { when: "after", file: "timestamp.json" },
  { when: "before", file: "timestamp.json" },
] as const;

for (const [index, { when, file }] of moments.entries()) {
  test(`another replica's publication just ${when} a patrol reads ${file} is no alarm`, async () => {
    const { house, proxy } = proxied;
    const publishing = house.another();
    await publishing.core.publisher.start();
    const gun = `dtr.example.org/overlap/${index}`;
    await initialize(publishing.core, gun, ["qa"]);
    let overlapped: Promise<string> | undefined;
    proxy.rule = (asked) => {
      if (asked.gun !== gun || asked.what !== `GET ${file}` || overlapped !== undefined) return "forward";
      overlapped = delegateTo(publishing.core, gun, "ops").then(({ outcome }) => outcome.state);
      const publication = overlapped;
      return when === "after" ? { meanwhile: () => publication } : publication.then(() => "forward" as const);
    };
    await until(() => overlapped !== undefined, "the patrol");
    assert.equal(await overlapped, "PUBLISHED");
    const before = proxy.asked.filter((asked) => asked.gun === gun && asked.what === "GET timestamp.json").length;
    await until(
      () => proxy.asked.filter((asked) => asked.gun === gun && asked.what === "GET timestamp.json").length > before + 1,
      "the patrol to have come round again",
    );
    assert.equal((await recordTypes(house.database, gun)).includes("trust.blocked.v1"), false);
    assert.equal((await standingOf(house.database, gun)).blockReason, null);
    await publishing.stop();
    await checkInvariants(house, gun);
  });
}

test("another replica's first publication in the middle of a look at an empty GUN is no foreign trust", async (t) => {
  const { house, proxy, replica } = proxied;
  const publishing = house.another();
  t.after(() => publishing.stop());
  const gun = "dtr.example.org/overlap/first";
  const rootRead = Promise.withResolvers<void>();
  let landed: Promise<void> | undefined;
  const rootReads = () => proxy.asked.filter((asked) => asked.gun === gun && asked.what === "GET 1.root.json").length;
  proxy.rule = (asked) => {
    if (asked.gun !== gun || landed !== undefined) return "forward";
    if (asked.what === "GET 1.root.json") return { meanwhile: async () => rootRead.resolve() };
    if (asked.what !== "GET timestamp.json") return "forward";
    landed = rootRead.promise
      .then(() => publishing.core.publisher.start())
      .then(() => until(() => isLive(house.database, gun), "the publication of the other replica"));
    return landed.then(() => "forward" as const);
  };
  await initialize(house.core, gun, ["qa"], { noWait: true });
  await until(() => landed !== undefined, "the look");
  await landed;
  await publishing.core.publisher.stop();
  await until(() => rootReads() >= 2, "the replica to have looked twice");
  const { outcome } = await delegateTo(replica.core, gun, "ops");
  assert.equal(outcome.state, "PUBLISHED", outcome.publications[0]?.detail);
  assert.equal((await recordTypes(house.database, gun)).includes("trust.blocked.v1"), false);
  await checkInvariants(house, gun);
});

test("trust that another replica made while a call looked is no foreign trust to that call", async (t) => {
  const { house, proxy, replica } = proxied;
  const publishing = house.another();
  t.after(() => publishing.stop());
  await publishing.core.publisher.start();
  const gun = "dtr.example.org/overlap/twice";
  let other: Promise<string> | undefined;
  proxy.rule = (asked) => {
    if (asked.gun !== gun || asked.what !== "GET 1.root.json" || other !== undefined) return "forward";
    other = initialize(publishing.core, gun, ["qa"]).then(({ outcome }) => outcome.state);
    return other.then(() => "forward" as const);
  };
  const { outcome } = await initialize(replica.core, gun, ["qa"]);
  assert.equal(await other, "PUBLISHED");
  assert.equal(outcome.state, "UNCHANGED");
  await checkInvariants(house, gun);
});
