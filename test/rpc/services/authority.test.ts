import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Authority, AuthorityAxis, DelegationServiceService } from "../../../gen/imagetrust/v1/delegation.ts";
import { type Certificate, TeamServiceService } from "../../../gen/imagetrust/v1/team.ts";
import { daysFrom } from "../../x509/make-certificate.ts";
import { type House, openHouse } from "./house.ts";
import { bad, invalid, testRefusals } from "./refusals.ts";
import { initialize, makeTeam } from "./story.ts";

const { listAuthority, delegate } = DelegationServiceService;
const { DECIDED, LIVE } = AuthorityAxis;
const dev = "dtr.example.org/dev/nginx";
const prod = "dtr.example.org/prod/nginx";

let house: House;
let keys: readonly Certificate[];
let before0: Date;
before(async () => {
  before0 = new Date();
  house = await openHouse({ publishing: false });
  const { admin } = house;
  keys = await makeTeam(admin, "qa", ["ann", "bob"]);
  await makeTeam(admin, "ops", ["oli"]);
  await initialize(admin, dev, ["qa", "ops"]);
  await initialize(admin, prod, ["qa"]);
  await admin.send(delegate, {
    gun: prod,
    team: "ops",
    paths: ["v1"],
    excludeFromReleases: true,
    options: { noWait: true },
  });
});
after(() => house.stop());

const placesOf = (rows: readonly Authority[]) => rows.map(({ gun, team, key }) => `${gun} ${team} ${key?.member}`);
const annKey = () => keys[0]?.key?.tufKeyId ?? "";

test("a row says who, where, in which roles with which tags, by which key and until when its certificate lasts", async () => {
  const { authorities, complete, asOf, knownSince } = await house.viewer.send(listAuthority, {
    gun: prod,
    team: "ops",
  });
  const [row, ...more] = authorities;
  assert.deepEqual(more, []);
  assert.deepEqual(row?.roles, [{ role: "targets/ops", paths: ["v1"] }]);
  assert.equal(row?.key?.member, "oli");
  assert.match(
    `${row?.key?.tufKeyId} ${row?.key?.canonicalKeyId} ${row?.certificateSha256}`,
    /^(?:[0-9a-f]{64} ?){3}$/,
  );
  assert.ok(row?.certificateExpireTime && row.certificateExpireTime > new Date());
  assert.ok(row.decided?.since && row.decided.since >= before0 && row.decided.until === undefined);
  assert.equal(row.live, undefined, "nothing is published here");
  assert.ok(complete && asOf && knownSince && knownSince <= asOf && knownSince >= before0);
});

test("each question gives its own rows, all pages of one instant, and what is decided meanwhile does not move them", async () => {
  const [first, sha256] = [keys[0]?.key, keys[0]?.sha256 ?? ""];
  const [ann, prodAnn] = [`${dev} qa ann`, `${prod} qa ann`];
  for (const key of [first?.tufKeyId, first?.canonicalKeyId, sha256, sha256.toUpperCase().replace(/..(?=.)/g, "$&:")]) {
    assert.deepEqual(placesOf((await house.viewer.send(listAuthority, { key: key ?? "" })).authorities), [
      ann,
      prodAnn,
    ]);
  }
  const found: Authority[] = [];
  let pageToken = "";
  do {
    const page = await house.admin.send(listAuthority, { team: "qa", pageSize: 1, pageToken });
    found.push(...page.authorities);
    pageToken = page.nextPageToken;
    if (found.length === 1) {
      const change = { team: "qa", member: "bob", options: { noWait: true, acceptWithoutSigner: true } };
      await house.admin.send(TeamServiceService.removeMember, change);
    }
  } while (pageToken !== "");
  const both = (gun: string) => [`${gun} qa ann`, `${gun} qa bob`];
  const sorted = placesOf(found).sort();
  assert.deepEqual(sorted, [...both(dev), ...both(prod)]);
  assert.deepEqual(placesOf((await house.admin.send(listAuthority, { team: "qa" })).authorities), [ann, prodAnn]);
  assert.deepEqual((await house.admin.send(listAuthority, { member: "bob" })).authorities, []);
  assert.deepEqual((await house.admin.send(listAuthority, { gun: dev, axis: LIVE })).authorities, []);
});

test("what was before a repository was known is unknown, and the answer says since when it is known", async () => {
  const asOf = daysFrom(new Date(), -1);
  for (const question of [
    { gun: dev },
    { member: "ann" },
    { team: "qa", gunPrefix: "dtr.example.org/prod/", axis: LIVE },
  ]) {
    const answer = await house.viewer.send(listAuthority, { ...question, asOf });
    assert.deepEqual([answer.authorities, answer.complete], [[], false]);
    assert.ok(answer.knownSince && answer.knownSince >= before0);
  }
});

test("a token is good for its caller and its question only", async () => {
  const { nextPageToken: pageToken } = await house.admin.send(listAuthority, { member: "ann", pageSize: 1 });
  assert.notEqual(pageToken, "");
  const question = { member: "ann", pageSize: 1, pageToken };
  assert.equal((await house.admin.send(listAuthority, question)).authorities.length, 1);
  assert.equal((await house.other.refused(listAuthority, question)).reason, "INVALID_FIELD");
  for (const other of [{ axis: LIVE }, { team: "qa" }, { gunPrefix: "dtr." }, { asOf: new Date() }]) {
    assert.equal((await house.admin.refused(listAuthority, { ...question, ...other })).reason, "INVALID_FIELD");
  }
});

test("who may not see a repository does not see its rows", async () => {
  const { owner } = house;
  const mine = [`${dev} qa ann`];
  assert.deepEqual(placesOf((await owner.send(listAuthority, { gun: dev, member: "ann" })).authorities), mine);
  const gunPrefix = "dtr.example.org/dev/";
  for (const question of [{ member: "ann" }, { team: "qa" }, { key: annKey() }]) {
    for (const axis of [DECIDED, LIVE]) {
      assert.equal((await owner.refused(listAuthority, { ...question, axis })).reason, "NOT_PERMITTED");
      for (const wider of ["dtr.example.org/", "dtr.example.org/de", "dtr.example.org/prod/"]) {
        const refused = await owner.refused(listAuthority, { ...question, axis, gunPrefix: wider });
        assert.equal(refused.reason, "NOT_PERMITTED", wider);
      }
    }
    assert.deepEqual(placesOf((await owner.send(listAuthority, { ...question, gunPrefix })).authorities), mine);
  }
  assert.equal((await owner.refused(listAuthority, { gun: prod, gunPrefix })).reason, "NOT_PERMITTED");
});

testRefusals(
  () => house,
  [
    invalid(
      "everything that can be wrong with a question for authority",
      listAuthority,
      {
        ...{ gun: "A", team: "X", member: "!", key: "12", gunPrefix: "A*", axis: 9 as AuthorityAxis, pageSize: -1 },
        asOf: new Date(Date.UTC(20_000, 0)),
      },
      ...["gun", "team", "member", "key", "gun_prefix", "axis", "page_size", "as_of"],
    ),
    invalid("a question about nothing", listAuthority, {}, "gun", "team", "member", "key"),
    invalid("the future", listAuthority, { gun: dev, asOf: daysFrom(new Date(), 1) }, "as_of"),
    bad("a token from nowhere", listAuthority, { gun: dev, pageToken: "x" }, "INVALID_FIELD", "page_token"),
    bad("a repository without trust", listAuthority, { gun: "dtr.example.org/dev/none" }, "NOT_FOUND"),
    bad("a team that never was", listAuthority, { team: "none" }, "NOT_FOUND"),
    bad("a member that never was", listAuthority, { member: "none" }, "NOT_FOUND"),
    bad("a key that nobody ever had", listAuthority, { key: "00".repeat(32) }, "NOT_FOUND"),
  ],
);
