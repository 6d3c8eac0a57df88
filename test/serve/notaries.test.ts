import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { PublicationState } from "../../gen/imagetrust/v1/change.ts";
import { DelegationServiceService } from "../../gen/imagetrust/v1/delegation.ts";
import { CollectionState, type Trust, TrustServiceService } from "../../gen/imagetrust/v1/trust.ts";
import { type Database, openDatabase } from "../../src/database.ts";
import { freePort } from "../../src/free-port.ts";
import { type Asked, type NotaryProxy, startNotaryProxy } from "../fault/notary-proxy.ts";
import { until } from "../fault/until.ts";
import { initialize, makeTeam } from "../rpc/services/story.ts";
import { startNotary } from "../stack/notary.ts";
import { borrowPostgres, type SharedPostgres } from "../stack/shared-postgres.ts";
import { type Service, startService } from "./service.ts";

const { initializeTrust, getTrust, deleteTrust } = TrustServiceService;
const { delegate } = DelegationServiceService;
let postgres: SharedPostgres;
let owner: Database;
let proxy: NotaryProxy;
let nowhere: string;
let service: Service;
const cleanups: (() => unknown)[] = [];

before(async () => {
  postgres = await borrowPostgres();
  cleanups.unshift(() => postgres.stop());
  owner = openDatabase({ url: postgres.ownerUrl, connections: 2 });
  cleanups.unshift(() => owner.close());
  const notary = await startNotary(postgres);
  cleanups.unshift(() => notary.stop());
  proxy = await startNotaryProxy(notary);
  cleanups.unshift(() => proxy.close());
  nowhere = `https://127.0.0.1:${await freePort()}`;
  service = await serving({ main: "dtr.example.org", other: "other.example.org" });
  await makeTeam(service.admin, "qa", ["ann"]);
});
after(async () => {
  for (const cleanup of cleanups) await cleanup();
});

/** A service on the one database with a Notary named `main`, and one named `other` that nobody reaches. */
async function serving(hosts: Readonly<Record<"main" | "other", string>>, env: Record<string, string> = {}) {
  const { caFile } = proxy;
  const notaries = [
    { name: "main", baseUrl: proxy.url, registryHosts: [hosts.main], caFile },
    { name: "other", baseUrl: nowhere, registryHosts: [hosts.other], caFile },
  ];
  const started = await startService({ databaseUrl: postgres.appUrl, notaries, env });
  cleanups.unshift(() => started.clear());
  return started;
}

const isServerKey = ({ what }: Asked) => what.endsWith(".key");

/** The service's own keys of a GUN, by the life they were made for. */
async function keysOf(gun: string): Promise<ReadonlyMap<number, ReadonlySet<string>>> {
  const rows = await owner.rows<{ incarnation: number; keys: string[] }>(
    "select incarnation, array_agg(key_id order by key_id) as keys from sealed_keys where gun = :gun group by 1 order by 1",
    { gun },
  );
  return new Map(rows.map(({ incarnation, keys }) => [incarnation, new Set(keys)]));
}

function ownKeysIn(trust: Trust | undefined): ReadonlySet<string | undefined> {
  const own = trust?.roles.filter(({ version }) => version?.role === "root" || version?.role === "targets") ?? [];
  return new Set(own.map(({ keys }) => keys[0]?.canonicalKeyId));
}

test("a trust of which nothing was sent is deleted; its next life has keys of its own and none of the first", async (t) => {
  t.after(() => (proxy.rule = () => "forward"));
  const gun = "dtr.example.org/dev/again";
  proxy.rule = (asked) => (isServerKey(asked) ? "drop" : "forward");
  await initialize(service.admin, gun, ["qa"]);
  await until(async () => (await keysOf(gun)).get(1)?.size === 2, "the keys of the first life");
  const { trust: given } = await service.admin.send(deleteTrust, { gun });
  assert.equal(given?.state, CollectionState.DELETED);
  proxy.rule = () => "forward";
  const { trust, outcome } = await service.admin.send(initializeTrust, { gun });
  assert.equal(outcome?.state, PublicationState.PUBLISHED);
  assert.deepEqual(trust?.publishedDelegations, []);
  const [first, second, ...more] = [...(await keysOf(gun)).values()];
  assert.deepEqual([[...(first ?? [])].filter((key) => second?.has(key)), more], [[], []]);
  assert.deepEqual(ownKeysIn(trust), second);
});

test("a trust whose first publication is on its way, or live, is not deleted", async (t) => {
  const arrived = Promise.withResolvers<void>();
  const held = Promise.withResolvers<void>();
  t.after(() => {
    held.resolve();
    proxy.rule = () => "forward";
  });
  const gun = "dtr.example.org/dev/sent";
  proxy.rule = async ({ isUpload }) => {
    if (isUpload) arrived.resolve();
    if (isUpload) await held.promise;
    return "forward" as const;
  };
  await initialize(service.admin, gun);
  await arrived.promise;
  const sent = await service.admin.refused(deleteTrust, { gun });
  assert.equal(sent.reason, "TRUST_PUBLISHED");
  assert.match(sent.message, /was sent and may land/);
  held.resolve();
  const { trust } = await service.admin.send(getTrust, { gun, minPublishedGeneration: 1n });
  assert.equal(trust?.state, CollectionState.IN_SYNC);
  const live = await service.admin.refused(deleteTrust, { gun });
  assert.equal(live.reason, "TRUST_PUBLISHED");
  assert.match(live.message, /is live on Notary/);
});

test("of two Notary servers one that nobody reaches hinders only those it serves", async () => {
  const unreachable = await service.admin.refused(initializeTrust, { gun: "other.example.org/dev/nginx" });
  assert.equal(unreachable.reason, "NOTARY_UNAVAILABLE");
  assert.equal(unreachable.metadata["notary"], "other");
  const { trust, outcome } = await service.admin.send(initializeTrust, { gun: "dtr.example.org/dev/bound" });
  assert.equal(outcome?.state, PublicationState.PUBLISHED);
  assert.deepEqual([trust?.notary, trust?.notaryUrl], ["main", proxy.url]);
  const strange = await service.admin.refused(initializeTrust, { gun: "elsewhere.example.org/dev/nginx" });
  assert.equal(strange.reason, "NO_SUCH_NOTARY");
});

test("a trust stays with its Notary server when the registry is given to another one", async () => {
  assert.equal(await service.stop(), 0);
  const { IMAGETRUST_KEY_ENCRYPTION_KEY = "" } = service.env;
  const moved = await serving(
    { main: "moved.example.org", other: "dtr.example.org" },
    { IMAGETRUST_KEY_ENCRYPTION_KEY },
  );
  const gun = "dtr.example.org/dev/bound";
  const { outcome } = await moved.admin.send(delegate, { gun, team: "qa" });
  assert.equal(outcome?.state, PublicationState.PUBLISHED);
  const { trust } = await moved.admin.send(getTrust, { gun });
  assert.equal(trust?.notary, "main");
  const fresh = await moved.admin.refused(initializeTrust, { gun: "dtr.example.org/dev/fresh" });
  assert.equal(fresh.metadata["notary"], "other");
});
