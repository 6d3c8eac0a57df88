import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { PublicationState } from "../../../gen/imagetrust/v1/change.ts";
import { DelegationServiceService } from "../../../gen/imagetrust/v1/delegation.ts";
import { RevocationReason, TeamServiceService } from "../../../gen/imagetrust/v1/team.ts";
import { CollectionState, TrustServiceService } from "../../../gen/imagetrust/v1/trust.ts";
import { makeNotaryCli } from "../../stack/notary-cli.ts";
import { makeIdentity } from "../../trust/identity.ts";
import { type House, openHouse, publicNotaryUrl } from "./house.ts";
import { addMember, createTeam, makeTeam, submit } from "./story.ts";

const trust = TrustServiceService;
const teams = TeamServiceService;
const delegations = DelegationServiceService;
const gun = "dtr.example.org/dev/nginx";

let house: House;
before(async () => {
  house = await openHouse({ publishing: true });
});
after(() => house.stop());

const grant = (team: string) => ({ team, paths: [], excludeFromReleases: false });

test("an initialized trust is answered with its roles, its pin and the address of its Notary", async () => {
  const [ann, bob] = await makeTeam(house.admin, "qa", ["ann", "bob"]);
  const labels = { stage: "dev" };
  const wish = { gun, teams: [grant("qa")], labels, displayName: "Nginx" };
  const made = await house.admin.send(trust.initializeTrust, wish);
  assert.equal(made.outcome?.state, PublicationState.PUBLISHED, JSON.stringify(made.outcome?.publications[0]?.detail));
  const { trust: read } = await house.viewer.send(trust.getTrust, { gun });
  assert.ok(read);
  assert.deepEqual(read, made.trust);
  assert.deepEqual(
    [read.state, read.labels, read.displayName, read.notaryUrl, read.releasesPaths],
    [CollectionState.IN_SYNC, labels, "Nginx", publicNotaryUrl, [""]],
  );
  assert.deepEqual(read.roles.map(({ version, signed }) => [version?.role, signed]).sort(), [
    ["root", true],
    ["snapshot", true],
    ["targets", true],
    ["timestamp", true],
  ]);
  const keys = new Set([ann, bob].map((certificate) => certificate?.key?.tufKeyId));
  for (const role of read.publishedDelegations) {
    assert.deepEqual(new Set(role.keys.map(({ tufKeyId }) => tufKeyId)), keys);
    assert.deepEqual([role.paths, role.signed, role.threshold], [[""], false, 1]);
  }
  assert.deepEqual(
    read.publishedDelegations.map(({ version }) => version?.role),
    ["targets/releases", "targets/qa"],
  );
  assert.deepEqual(read.desiredDelegations[0]?.keys.map(({ member }) => member).sort(), ["ann", "bob"]);
  assert.match(read.rootCertificatePem, /BEGIN CERTIFICATE/);
  assert.equal(read.rootPin, read.roles.find(({ version }) => version?.role === "root")?.keys[0]?.tufKeyId);
});

test("GetTrust waits until a generation is live, and answers in time when it is not", async () => {
  const wish = { gun, team: "qa", excludeFromReleases: true, options: { noWait: true } };
  const { outcome } = await house.admin.send(delegations.delegate, wish);
  const generation = outcome?.publications[0]?.generation ?? 0n;
  const live = await house.admin.send(trust.getTrust, { gun, minPublishedGeneration: generation });
  assert.ok((live.trust?.publication?.publishedGeneration ?? 0n) >= generation);
  const began = Date.now();
  const late = await house.admin.send(
    trust.getTrust,
    { gun, minPublishedGeneration: generation + 1n },
    { deadlineMs: 3_000 },
  );
  assert.equal(late.trust?.publication?.publishedGeneration, generation);
  assert.ok(Date.now() - began > 1_500);
});

test("a change of a team is a rollout that tells of every collection, page by page", async () => {
  await house.admin.send(trust.initializeTrust, { gun: `${gun}-2`, teams: [grant("qa")] });
  const { outcome } = await house.admin.send(teams.addMember, { team: "qa", member: "carl" });
  assert.equal(outcome?.rollout, undefined);
  const { id } = await submit(house.admin, "carl");
  const removed = await house.admin.send(teams.revokeCertificate, {
    certificate: id,
    revocationReason: RevocationReason.LEFT,
    options: { reason: "carl left" },
  });
  const rollout = removed.outcome?.rollout ?? assert.fail("no rollout");
  assert.deepEqual([rollout.total, rollout.published, rollout.actor, rollout.reason], [2, 2, "admin", "carl left"]);
  const page = { id: rollout.id, pageSize: 1, states: [PublicationState.PUBLISHED] };
  const first = await house.viewer.send(delegations.getRollout, page);
  const second = await house.viewer.send(delegations.getRollout, { ...page, pageToken: first.nextPageToken });
  const guns = [first, second].flatMap(({ publications }) => publications.map((publication) => publication.gun));
  assert.deepEqual([guns, second.nextPageToken], [[gun, `${gun}-2`], ""]);
  const others = await house.viewer.send(delegations.getRollout, { ...page, states: [PublicationState.PENDING] });
  assert.deepEqual(others.publications, []);
});

test("a GUN longer than 64 characters works, and a member signs there with the notary CLI", async () => {
  const long = `dtr.example.org/${"a-long-name/".repeat(18)}nginx`;
  assert.ok(long.length > 230);
  const identity = await makeIdentity("dora");
  await createTeam(house.admin, "dev");
  await addMember(house.admin, "dev", "dora");
  await submit(house.admin, "dora", identity.certificatePem);
  const { outcome } = await house.admin.send(trust.initializeTrust, { gun: long, teams: [grant("dev")] });
  assert.equal(outcome?.state, PublicationState.PUBLISHED);
  const cli = await makeNotaryCli(house.notary);
  try {
    await writeFile(join(cli.folder, "key.pem"), identity.privateKeyPem, { mode: 0o600 });
    await writeFile(join(cli.folder, "manifest"), "an image");
    await cli.mustRun("key", "import", join(cli.folder, "key.pem"), "--role", "delegation");
    const roles = ["-r", "targets/releases", "-r", "targets/dev"];
    await cli.mustRun("add", long, "1.0", join(cli.folder, "manifest"), ...roles, "--publish");
    assert.match(await cli.mustRun("list", long), /1\.0 .*targets\/releases/);
  } finally {
    await cli.remove();
  }
  const orphaning = { team: "dev", member: "dora", options: { acceptWithoutSigner: true } };
  assert.equal((await house.admin.refused(teams.removeMember, orphaning)).reason, "WOULD_ORPHAN");
});

test("while Notary cannot be read a key is revoked only when it is compromised, and that is live once Notary is back", async () => {
  const { certificates } = await house.admin.send(teams.listCertificates, { member: "bob" });
  const certificate = certificates[0]?.id ?? "";
  await house.notary.killServer();
  const left = { certificate, revocationReason: RevocationReason.LEFT };
  assert.equal((await house.admin.refused(teams.revokeCertificate, left)).reason, "GUARD_UNAVAILABLE");
  const { outcome } = await house.admin.send(teams.revokeCertificate, {
    certificate,
    revocationReason: RevocationReason.COMPROMISED,
    options: { reason: "the laptop was stolen", noWait: true },
  });
  assert.equal(outcome?.state, PublicationState.PENDING);
  await house.notary.restartServer();
  const { trust: read } = await house.admin.send(trust.getTrust, { gun, minTeamRevisions: outcome.teamRevisions });
  const published = read?.publishedDelegations.find(({ version }) => version?.role === "targets/qa");
  assert.deepEqual(
    published?.keys.map(({ member }) => member),
    ["ann"],
  );
});
