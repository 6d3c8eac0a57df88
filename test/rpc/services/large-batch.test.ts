import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { DelegationServiceService } from "../../../gen/imagetrust/v1/delegation.ts";
import { type House, openHouse } from "./house.ts";
import { makeTeam } from "./story.ts";

const { batchDelegate, cancelRollout, getRollout } = DelegationServiceService;
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

test("one repository more than 10,000 is refused, not cut", async () => {
  await house.database.run(
    `insert into collections(gun, notary, key_backend, state, display_name, labels, releases_paths, dirty_since, created_at)
     values ('dtr.example.org/dev/more', 'main', 'sealed', 'ACTIVE', '', '{}', '{""}', now(), now())`,
  );
  const selection = { gunPrefix: "dtr.example.org/dev/", labels: {}, team: "" };
  const refused = await house.owner.refused(batchDelegate, { team: "qa", selection });
  assert.deepEqual([refused.reason, refused.violations.map(({ field }) => field)], ["INVALID_FIELD", ["selection"]]);
});
