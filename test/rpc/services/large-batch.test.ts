import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { DelegationServiceService } from "../../../gen/imagetrust/v1/delegation.ts";
import { ExpiringKind, ExpiryServiceService } from "../../../gen/imagetrust/v1/expiry.ts";
import { type House, openHouse } from "./house.ts";
import { makeTeam } from "./story.ts";

const { batchDelegate, cancelRollout, getRollout } = DelegationServiceService;
const { listExpiring } = ExpiryServiceService;
const most = 10_000;

let house: House;
before(async () => {
  house = await openHouse({ publishing: false });
  await makeTeam(house.admin, "qa", ["ann"]);
  await house.database.run(
    `insert into collections(gun, notary, key_backend, state, display_name, labels, releases_paths, dirty_since, created_at)
     select 'dtr.example.org/dev/' || n, 'main', 'sealed', 'ACTIVE', '', '{}', '{""}', now(), now() from generate_series(1, :most) n`,
    { most },
  );
});
after(() => house.stop());

test("10,000 repositories are previewed, accepted and stopped by one call each, in seconds and with one record", async () => {
  const selection = { gunPrefix: "dtr.example.org/dev/", labels: {}, team: "" };
  const asked = { team: "qa", selection };
  const preview = await house.owner.send(batchDelegate, { ...asked, options: { validateOnly: true } });
  const { collections, truncated, roles } = preview.outcome?.plan ?? assert.fail();
  assert.deepEqual([collections, truncated, roles.length], [most, true, 200]);
  await house.freshRecords();
  const options = { planEtag: preview.outcome?.planEtag ?? "", noWait: true };
  const { outcome } = await house.owner.send(batchDelegate, { ...asked, options });
  assert.deepEqual([outcome?.rollout?.total, outcome?.rollout?.pending], [most, most]);
  assert.equal((await house.freshRecords()).length, 1);
  const id = outcome?.rollout?.id ?? "";
  await house.owner.send(getRollout, { id });
  const { rollout } = await house.owner.send(cancelRollout, { id });
  assert.equal(rollout?.cancelled, most);
});

test("what ends in 10,000 repositories of a team is listed within a call", async () => {
  await house.database.run(
    `insert into delegations(collection_id, team_id, paths, in_releases, since_generation, since_revision, valid_from)
     select id, 'qa', '{""}', true, 1, 1, now() from collections`,
  );
  await house.database.run(
    `insert into published_parts(collection_id, incarnation, role, version, sha256, bytes, expires_at, landed_at)
     select id, 1, 'targets', 1, sha256(''), '', date_trunc('day', now()) + interval '90 days', now() from collections`,
  );
  await house.database.run("update collections set targets_version = 1");
  const asked = { team: "qa", kinds: [ExpiringKind.TARGETS], pageSize: 1_000 };
  const first = await house.viewer.send(listExpiring, asked);
  const { items } = await house.viewer.send(listExpiring, { ...asked, pageToken: first.nextPageToken });
  assert.deepEqual([first.items.length, items.length], [1_000, 1_000]);
  assert.equal(new Set([...first.items, ...items].map(({ gun }) => gun)).size, 2_000);
});

test("one repository more than 10,000 is refused, not cut", async () => {
  await house.database.run(
    `insert into collections(gun, notary, key_backend, state, display_name, labels, releases_paths, dirty_since, created_at)
     values ('dtr.example.org/dev/more', 'main', 'sealed', 'ACTIVE', '', '{}', '{""}', now(), now())`,
  );
  const selection = { gunPrefix: "dtr.example.org/dev/", labels: {}, team: "" };
  const refused = await house.owner.refused(batchDelegate, { team: "qa", selection });
  assert.deepEqual([refused.reason, refused.violations.map(({ field }) => field)], ["INVALID_FIELD", ["selection"]]);
});
