import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { DelegationServiceService } from "../../../gen/imagetrust/v1/delegation.ts";
import { CertificateState, RevocationReason, TeamServiceService } from "../../../gen/imagetrust/v1/team.ts";
import { CollectionState, TrustServiceService } from "../../../gen/imagetrust/v1/trust.ts";
import { until } from "../../fault/until.ts";
import { daysFrom, makeCertificate } from "../../x509/make-certificate.ts";
import type { Rpc, Wish } from "./client.ts";
import { type House, openHouse } from "./house.ts";
import { assertRefused, bad } from "./refusals.ts";
import { addMember, createTeam, initialize, makeTeam, submit } from "./story.ts";

const { initializeTrust, getTrust, deleteTrust } = TrustServiceService;
const { delegate, undelegate, getDelegation } = DelegationServiceService;
const teams = TeamServiceService;
const gun = "dtr.example.org/dev/nginx";
const noWait = { noWait: true };

let house: House;
before(async () => {
  house = await openHouse({ publishing: false });
  await makeTeam(house.admin, "qa", ["ann"]);
  await makeTeam(house.admin, "ops", ["oli"]);
  await createTeam(house.admin, "idle");
  await addMember(house.admin, "ops", "rob");
  await initialize(house.admin, gun, ["qa"]);
});
after(() => house.stop());

/** What is changed, and where its etag is read. */
interface Guarded {
  readonly name: string;
  readonly rpc: Rpc<unknown, unknown>;
  readonly wish: Wish<Record<string, unknown>>;
  readonly etag: () => Promise<string | undefined>;
}

function guarded<Request>(
  name: string,
  rpc: Rpc<Request, unknown>,
  wish: Wish<Request>,
  etag: () => Promise<string | undefined>,
): Guarded {
  return { name, rpc: rpc as Rpc<unknown, unknown>, wish, etag };
}

const ofDelegation = async () => (await house.viewer.send(getDelegation, { gun, team: "qa" })).delegation?.etag;
const ofTrust = async () => (await house.viewer.send(getTrust, { gun })).trust?.etag;
const ofMember = (member: string) => async () => (await house.viewer.send(teams.getMember, { member })).member?.etag;
const ofTeam = (team: string) => async () => (await house.viewer.send(teams.getTeam, { team })).team?.etag;

/** In this order each is allowed by what those before it left. */
const changes: readonly Guarded[] = [
  guarded("AddMember", teams.addMember, { team: "qa", member: "oli" }, ofMember("oli")),
  guarded("RemoveMember", teams.removeMember, { team: "qa", member: "oli" }, ofMember("oli")),
  guarded("Delegate", delegate, { gun, team: "qa", excludeFromReleases: true }, ofDelegation),
  guarded(
    "RevokeMember",
    teams.revokeMember,
    { member: "rob", revocationReason: RevocationReason.LEFT },
    ofMember("rob"),
  ),
  guarded("Undelegate", undelegate, { gun, team: "qa" }, ofDelegation),
  guarded("DeleteTrust", deleteTrust, { gun }, ofTrust),
  guarded("DeleteTeam", teams.deleteTeam, { team: "idle" }, ofTeam("idle")),
];

for (const { name, rpc, wish, etag } of changes) {
  test(`${name} insists on the etag it is given, tells the one that counts, and is made with that`, async () => {
    const current = await etag();
    assert.ok(current);
    const stale = { ...wish, options: { ...noWait, etag: `${current}0` } };
    const refused = await assertRefused(house, bad("", rpc, stale, "ETAG_MISMATCH"));
    assert.equal(refused.metadata["etag"], current);
    const rows = await house.rows();
    await house.admin.send(rpc, { ...wish, options: { ...noWait, etag: current } });
    assert.notDeepEqual(await house.rows(), rows);
    const next = await etag().catch(() => undefined);
    assert.notEqual(next, current, "an etag counts once");
  });
}

test("an etag of what is not there yet is refused: somebody else has ended it", async () => {
  await initialize(house.admin, "dtr.example.org/dev/other");
  const wish = { gun: "dtr.example.org/dev/other", team: "qa", options: { etag: "1.1" } };
  await assertRefused(house, bad("", delegate, wish, "ETAG_MISMATCH"));
});

test("a trust that was never sent is deleted; initialized again it is another, without what the first was granted", async () => {
  const again = "dtr.example.org/dev/again";
  await initialize(house.admin, again, ["ops"]);
  const first = (await house.viewer.send(getTrust, { gun: again })).trust;
  const deleted = await house.admin.send(deleteTrust, { gun: again });
  assert.equal(deleted.trust?.state, CollectionState.DELETED);
  assert.deepEqual(deleted.trust.desiredDelegations, []);
  const { trust } = await house.admin.send(initializeTrust, { gun: again, options: noWait });
  assert.equal(trust?.state, CollectionState.INITIALIZING);
  assert.deepEqual(trust.desiredDelegations, []);
  assert.notEqual(trust.etag, first?.etag);
});

test("a team whose certificates have all ended, or were all revoked, is given nothing to sign", async () => {
  const { admin } = house;
  const now = new Date();
  for (const team of ["ended", "revoked", "both"]) await createTeam(admin, team);
  await addMember(admin, "ended", "eve");
  await addMember(admin, "both", "eve");
  await addMember(admin, "revoked", "rex");
  await addMember(admin, "both", "rex");
  const to = new Date(Date.now() + 4_000);
  await submit(admin, "eve", makeCertificate(now, { from: daysFrom(now, -9), to }).pem);
  const { id } = await submit(admin, "rex");
  const revocation = { certificate: id, revocationReason: RevocationReason.LEFT, options: noWait };
  await admin.send(teams.revokeCertificate, revocation);
  const hasEnded = async () => {
    const { certificates } = await admin.send(teams.listCertificates, { member: "eve" });
    return certificates.every(({ state }) => state === CertificateState.EXPIRED);
  };
  await until(hasEnded, "the end of the certificate");
  const other = "dtr.example.org/dev/other";
  for (const team of ["ended", "revoked", "both"]) {
    await assertRefused(house, bad("", delegate, { gun: other, team }, "NO_VALID_CERTIFICATE"));
    const fresh = { gun: `${other}-2`, teams: [{ team, paths: [], excludeFromReleases: false }] };
    await assertRefused(house, bad("", initializeTrust, fresh, "NO_VALID_CERTIFICATE"));
  }
  await submit(admin, "rex");
  await admin.send(delegate, { gun: other, team: "both", options: noWait });
});
