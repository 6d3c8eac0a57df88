import assert from "node:assert/strict";
import { randomBytes, randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import { batchDelegate } from "../../src/trust/rollouts/batch-delegate.ts";
import { createBatchMetrics } from "../../src/trust/rollouts/batch-metrics.ts";
import { type BatchRunnerParts, createBatchRunner } from "../../src/trust/rollouts/batch-runner.ts";
import { getRollout, type RolloutId } from "../../src/trust/rollouts/rollout-view.ts";
import { until } from "../fault/until.ts";
import { openLog } from "../stack/kept-service.ts";
import { borrowPostgres, type SharedPostgres } from "../stack/shared-postgres.ts";
import { gunOf, makeCall, makeTeam, noOptions, openReplica, type Replica, teamOf } from "./house.ts";

/** Nothing is published here: only what is decided counts. */
let postgres: SharedPostgres | undefined;
let replica: Replica;
before(async () => {
  postgres = await borrowPostgres();
  const notary = { url: "https://127.0.0.1:1" };
  replica = openReplica({ appUrl: postgres.appUrl, notary, kek: randomBytes(32).toString("base64") });
  await replica.database.run("insert into notary_servers(name, base_url) values ('main', 'https://127.0.0.1:1')");
  await makeTeam(replica.core, "qa");
});
after(async () => {
  await replica?.stop();
  await postgres?.stop();
});

/** Repositories with trust that waits to be published. */
async function repositories(name: string, count: number): Promise<readonly string[]> {
  await replica.database.run(
    `insert into collections(gun, notary, key_backend, state, dirty_since, created_at)
     select 'dtr.example.org/' || :name || '/' || n, 'main', 'sealed', 'ACTIVE', now(), now() from generate_series(1, :count) n`,
    { name, count },
  );
  return Array.from({ length: count }, (_, at) => `dtr.example.org/${name}/${at + 1}`);
}

async function accept(guns: readonly string[]): Promise<RolloutId> {
  const request = { of: { guns: guns.map(gunOf) }, team: teamOf("qa"), paths: [""], excludeFromReleases: false };
  const options = { ...noOptions, noWait: true };
  const permitted = () => Promise.resolve();
  const { outcome } = await batchDelegate(replica.core.trust, makeCall(), { ...request, options }, permitted);
  return outcome.rollout?.id as RolloutId;
}

const decidedOf = async (id: RolloutId): Promise<readonly string[]> => {
  const rows = await replica.database.rows<{ gun: string }>(
    `select c.gun from rollout_items i join collections c on c.id = i.collection_id
     where i.rollout_id = :id and i.generation is not null order by c.gun`,
    { id },
  );
  return rows.map(({ gun }) => gun);
};

test("a repository on which deciding fails unexpectedly holds up neither the others of its batch nor later batches", async () => {
  const guns = await repositories("poisoned", 3);
  const earlier = await accept(guns);
  const later = await accept(await repositories("healthy", 1));
  const { trust, signals } = replica.core;
  const guards: typeof trust.guards = {
    ...trust.guards,
    beforeDelegating: (gun, team, signal) => {
      if (gun === guns[0]) throw new TypeError("cannot read what is not there");
      return trust.guards.beforeDelegating(gun, team, signal);
    },
  };
  const parts: BatchRunnerParts = {
    trust: { ...trust, guards },
    signals,
    publish: () => undefined,
    metrics: createBatchMetrics(),
    log: openLog("silent"),
    owner: randomUUID(),
    concurrency: 8,
    leaseMs: 1_000,
  };
  const runner = createBatchRunner(parts);
  runner.start();
  try {
    await until(async () => (await decidedOf(later)).length === 1, "the later batch to be decided");
    assert.deepEqual(await decidedOf(earlier), guns.slice(1));
    const { publications } = await getRollout(replica.database, { id: earlier, states: [] }, { size: 1, token: "" });
    assert.match(publications.items[0]?.detail ?? "", /^INTERNAL: /);
    assert.doesNotMatch(publications.items[0]?.detail ?? "", /what is not there/);
  } finally {
    await runner.stop();
  }
});
