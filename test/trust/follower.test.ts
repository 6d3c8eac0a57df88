import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { parseTagName } from "../../src/names.ts";
import type { SignedTag } from "../../src/trust/signed/signed-tags.ts";
import { until } from "../fault/until.ts";
import { makeNotaryCli, type NotaryCli } from "../stack/notary-cli.ts";
import { removeFrom, undelegateFrom } from "./acts.ts";
import { delegateTo, gunOf, type House, initialize, makeTeam, must, openHouse } from "./house.ts";
import type { Identity } from "./identity.ts";
import { signatureRecordsOf } from "./signature-records.ts";
import { digestOf, keyIdOf, pushSigned } from "./signers.ts";

let house: House;
before(async () => {
  house = await openHouse({ follow: { pollMs: 500 }, logLevel: "warn" });
});
after(() => house.stop());

const firstPage = { size: 50, token: "" };
const tagsOf = async (gun: string): Promise<readonly SignedTag[]> =>
  (await house.core.signedTags.list(gunOf(gun), { prefix: "", states: [] }, firstPage)).items;
const tagOf = (gun: string, tag: string): Promise<SignedTag> =>
  house.core.signedTags.get(gunOf(gun), must(parseTagName(tag)));

/** Waits until so many records of signatures are there. */
async function told(gun: string, count: number) {
  await until(async () => (await signatureRecordsOf(house.database, gun)).length >= count, `${count} records`);
  return await signatureRecordsOf(house.database, gun);
}

async function signWithCli(cli: NotaryCli, member: Identity, gun: string, tag: string, roles: readonly string[]) {
  await writeFile(join(cli.folder, "key.pem"), member.privateKeyPem, { mode: 0o600 });
  await writeFile(join(cli.folder, "manifest"), "an image");
  await cli.mustRun("key", "import", join(cli.folder, "key.pem"), "--role", "delegation");
  const flags = roles.flatMap((role) => ["-r", role]);
  await cli.mustRun("add", gun, tag, join(cli.folder, "manifest"), ...flags, "--publish");
}

test("a signature made with the notary CLI is visible within two seconds: tag, digest, length, roles, member, team, times", async () => {
  const gun = "dtr.example.org/follow/cli";
  const [alice] = await makeTeam(house.core, "qa", ["alice"]);
  assert.ok(alice);
  await initialize(house.core, gun, ["qa"]);
  assert.deepEqual(await tagsOf(gun), []);
  const cli = await makeNotaryCli(house.notary);
  try {
    await signWithCli(cli, alice, gun, "1.0", ["targets/releases", "targets/qa"]);
  } finally {
    await cli.remove();
  }
  await until(async () => (await tagsOf(gun)).length > 0, "the signature to be visible", 2_000);
  const [tag, ...others] = await tagsOf(gun);
  assert.ok(tag !== undefined && others.length === 0);
  const { signatures, firstPublishedAt, lastPublishedAt, ...standing } = tag;
  assert.deepEqual(standing, {
    gun,
    tag: "1.0",
    digest: digestOf(),
    length: 8,
    released: true,
    orphaned: false,
    disputed: false,
    members: ["alice"],
    teams: ["qa"],
  });
  assert.ok(firstPublishedAt.getTime() === lastPublishedAt.getTime() && Date.now() - lastPublishedAt.getTime() < 5_000);
  assert.deepEqual(
    signatures.map(({ role, state }) => [role, state]),
    [
      ["targets/qa", "TRUSTED"],
      ["targets/releases", "TRUSTED"],
    ],
  );
  for (const { signedBy, introducedBy } of signatures) {
    for (const keys of [signedBy, introducedBy]) {
      assert.deepEqual(
        keys.map(({ tufKeyId, member }) => [tufKeyId, member]),
        [[keyIdOf(alice), "alice"]],
      );
    }
  }
  const common = { what: "added", tags: ["1.0"], members: ["alice"], teams: ["qa"] };
  const records = await told(gun, 2);
  assert.deepEqual(new Set(records.map(({ role }) => role)), new Set(["targets/qa", "targets/releases"]));
  for (const { role: _role, version: _version, ...record } of records) assert.deepEqual(record, common);
});

test("each version of a file is kept by its sha256, and each change of it recorded: added, replaced, removed", async () => {
  const gun = "dtr.example.org/follow/changes";
  const [bob] = await makeTeam(house.core, "ops", ["bob"]);
  assert.ok(bob);
  await initialize(house.core, gun, ["ops"]);
  const push = (version: number, tags: readonly string[], image?: string) =>
    pushSigned(house.core, [bob], {
      gun,
      role: "targets/ops",
      version,
      tags,
      ...(image === undefined ? {} : { image }),
    });
  await push(1, ["1.0"]);
  await push(2, ["1.0", "2.0"]);
  await push(3, ["1.0", "2.0"], "another image");
  await push(7, []);
  const records = await told(gun, 5);
  assert.deepEqual(
    records.map(({ what, version, tags }) => [what, version, tags]),
    [
      ["added", 1, ["1.0"]],
      ["added", 2, ["2.0"]],
      ["removed", 3, ["1.0", "2.0"]],
      ["added", 3, ["1.0", "2.0"]],
      ["removed", 7, ["1.0", "2.0"]],
    ],
  );
  assert.ok(records.every(({ members, teams }) => members.join() === "bob" && teams.join() === "ops"));
  const files = await house.database.rows<{ version: number; isValid: boolean; isWhole: boolean }>(
    `select f.version, f.is_valid as "isValid", sha256(k.bytes) = f.sha256 as "isWhole" from delegation_files f
     join kept_files k using (sha256) join collections c on c.id = f.collection_id where c.gun = :gun order by f.id`,
    { gun },
  );
  assert.deepEqual(
    files,
    [1, 2, 3, 7].map((version) => ({ version, isValid: true, isWhole: true })),
  );
  await assert.rejects(tagOf(gun, "1.0"), { reason: "NOT_FOUND" });
});

test("a tag whose signer was removed is orphaned as soon as that is published, and another member's signature ends it", async () => {
  const gun = "dtr.example.org/follow/orphaned";
  const [carol, dave] = await makeTeam(house.core, "dev", ["carol", "dave"]);
  assert.ok(carol && dave);
  await initialize(house.core, gun, ["dev"]);
  for (const role of ["targets/dev", "targets/releases"]) {
    await pushSigned(house.core, [carol], { gun, role, version: 1, tags: ["1.0"] });
  }
  await told(gun, 2);
  assert.ok((await tagOf(gun, "1.0")).released);
  const { outcome } = await removeFrom(house.core, "dev", "carol", { acceptOrphaned: true });
  assert.equal(outcome.state, "PUBLISHED");
  const orphaned = await tagOf(gun, "1.0");
  assert.ok(orphaned.orphaned && !orphaned.released && orphaned.digest === "");
  assert.deepEqual(orphaned.members, ["carol"]);
  await pushSigned(house.core, [dave], { gun, role: "targets/releases", version: 2, tags: ["1.0"] });
  await until(async () => (await tagOf(gun, "1.0")).released, "the tag to be released again");
  const tag = await tagOf(gun, "1.0");
  assert.deepEqual(
    tag.signatures.map(({ role, state }) => [role, state]),
    [
      ["targets/dev", "ORPHANED"],
      ["targets/releases", "TRUSTED"],
    ],
  );
  const [, released] = tag.signatures;
  assert.deepEqual([released?.signedBy[0]?.member, released?.introducedBy[0]?.member], ["dave", "carol"]);
  assert.deepEqual(await told(gun, 2), await signatureRecordsOf(house.database, gun));
});

test("roles that name different images dispute a tag, and the end of a delegation ends the dispute", async () => {
  const gun = "dtr.example.org/follow/disputed";
  const [eve] = await makeTeam(house.core, "one", ["eve"]);
  const [frank] = await makeTeam(house.core, "two", ["frank"]);
  assert.ok(eve && frank);
  await initialize(house.core, gun, ["one"]);
  await delegateTo(house.core, gun, "two");
  await pushSigned(house.core, [eve], { gun, role: "targets/one", version: 1, tags: ["1.0"], image: "one" });
  await pushSigned(house.core, [frank], { gun, role: "targets/two", version: 1, tags: ["1.0"], image: "two" });
  await told(gun, 2);
  const disputed = await tagOf(gun, "1.0");
  assert.ok(disputed.disputed && !disputed.released && disputed.digest === "");
  assert.deepEqual(disputed.teams, ["one", "two"]);
  assert.equal((await undelegateFrom(house.core, gun, "two", { acceptOrphaned: true })).outcome.state, "PUBLISHED");
  const settled = await tagOf(gun, "1.0");
  assert.ok(!settled.disputed && settled.digest === digestOf("one"));
});

test("pages of tags follow each other in the order of bytes, within a prefix", async () => {
  const gun = "dtr.example.org/follow/pages";
  const [gina] = await makeTeam(house.core, "pages", ["gina"]);
  assert.ok(gina);
  await initialize(house.core, gun, ["pages"]);
  const tags = ["a", "B", "v1.0", "v1.1", "v1.10", "v2", "é"];
  await pushSigned(house.core, [gina], { gun, role: "targets/pages", version: 1, tags });
  await told(gun, 1);
  const read = async (prefix: string, size: number): Promise<readonly string[]> => {
    const found: string[] = [];
    for (let token = ""; ; ) {
      const page = await house.core.signedTags.list(gunOf(gun), { prefix, states: [] }, { size, token });
      found.push(...page.items.map(({ tag }) => tag));
      token = page.nextToken;
      if (token === "") return found;
    }
  };
  assert.deepEqual(await read("", 2), ["B", "a", "v1.0", "v1.1", "v1.10", "v2", "é"]);
  assert.deepEqual(await read("v1.", 1), ["v1.0", "v1.1", "v1.10"]);
  assert.deepEqual(await read("none", 5), []);
});

test("names that nobody can show are left out, and the tags beside them are not", async () => {
  const gun = "dtr.example.org/follow/hostile";
  const [mallory] = await makeTeam(house.core, "hostile", ["mallory"]);
  assert.ok(mallory);
  await initialize(house.core, gun, ["hostile"]);
  const tags = ["good", "", "x".repeat(300), "line\u2028break"];
  await pushSigned(house.core, [mallory], { gun, role: "targets/hostile", version: 1, tags });
  assert.deepEqual(
    (await told(gun, 1)).map((record) => record.tags),
    [["good"]],
  );
  assert.deepEqual(
    (await tagsOf(gun)).map(({ tag }) => tag),
    ["good"],
  );
});
