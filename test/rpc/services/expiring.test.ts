import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ExpiringKind, ExpiryServiceService } from "../../../gen/imagetrust/v1/expiry.ts";
import { daysFrom, makeCertificate } from "../../x509/make-certificate.ts";
import { type House, openHouse } from "./house.ts";
import { bad, invalid, testRefusals } from "./refusals.ts";
import { addMember, createTeam, initialize, submit } from "./story.ts";

const { listExpiring } = ExpiryServiceService;
const gun = "dtr.example.org/dev/nginx";

let house: House;
before(async () => {
  house = await openHouse({ publishing: false });
  const { admin } = house;
  await createTeam(admin, "qa");
  for (const [member, days] of [
    ["ann", 40],
    ["bob", 20],
    ["cat", 30],
  ] as const) {
    await addMember(admin, "qa", member);
    await submit(admin, member, makeCertificate(new Date(), { to: daysFrom(new Date(), days) }).pem);
  }
  await initialize(admin, gun, ["qa"]);
});
after(() => house.stop());

test("a viewer pages through what ends, and a token is good for its own filter only", async () => {
  const members = [];
  let pageToken = "";
  do {
    const page = await house.viewer.send(listExpiring, { pageSize: 1, pageToken, gunPrefix: "dtr.example.org/dev/" });
    members.push(...page.items.map(({ member, kind }) => [member, kind]));
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  const { CERTIFICATE } = ExpiringKind;
  assert.deepEqual(members, [
    ["bob", CERTIFICATE],
    ["cat", CERTIFICATE],
    ["ann", CERTIFICATE],
  ]);
  const { nextPageToken } = await house.viewer.send(listExpiring, { pageSize: 1 });
  const refused = await house.viewer.refused(listExpiring, { pageToken: nextPageToken, team: "qa" });
  assert.equal(refused.reason, "INVALID_FIELD");
  const untilTime = daysFrom(new Date(), 25);
  const { items } = await house.viewer.send(listExpiring, { untilTime, kinds: [CERTIFICATE] });
  assert.deepEqual(
    items.map(({ member, gun, role, renewedByService }) => [member, gun, role, renewedByService]),
    [["bob", "", "", false]],
  );
});

testRefusals(
  () => house,
  [
    invalid(
      "everything that can be wrong with a question for what ends",
      listExpiring,
      {
        gunPrefix: "A*",
        team: "X",
        kinds: [ExpiringKind.UNSPECIFIED, 9 as ExpiringKind],
        pageSize: -1,
        untilTime: new Date(Date.UTC(20_000, 0)),
      },
      ...["gun_prefix", "team", "kinds[0]", "kinds[1]", "page_size", "until_time"],
    ),
    bad("a token from nowhere", listExpiring, { pageToken: "x" }, "INVALID_FIELD", "page_token"),
  ],
);
