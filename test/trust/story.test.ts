import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makeNotaryCli, type NotaryCli } from "../stack/notary-cli.ts";
import { delegateTo, type House, initialize, makeTeam, openHouse } from "./house.ts";

let house: House;
let cli: NotaryCli;
before(async () => {
  house = await openHouse({ logLevel: "warn" });
  cli = await makeNotaryCli(house.notary);
});
after(async () => {
  await cli.remove();
  await house.stop();
});

const gun = "dtr.example.org/dev/nginx";

test("initializing trust with a team is one publication that the notary CLI lists with both roles and all keys", async () => {
  await makeTeam(house.core, "qa", ["alice", "bob"]);
  const { outcome } = await initialize(house.core, gun, ["qa"]);
  assert.equal(outcome.state, "PUBLISHED");
  const listed = await cli.mustRun("delegation", "list", gun);
  assert.match(listed, /targets\/qa/);
  assert.match(listed, /targets\/releases/);
  assert.equal(listed.match(/[0-9a-f]{64}/g)?.length, 4);
  const uploads = await house.database.rows("select state from uploads");
  assert.deepEqual(uploads, [{ state: "LANDED" }]);
});

test("delegating to a further team is live on Notary when the call returns PUBLISHED", async () => {
  await makeTeam(house.core, "ops");
  const { outcome } = await delegateTo(house.core, gun, "ops");
  assert.equal(outcome.state, "PUBLISHED");
  assert.match(await cli.mustRun("delegation", "list", gun), /targets\/ops/);
});

test("a delegated member signs with the notary CLI and the private key alone", async () => {
  const [dora] = await makeTeam(house.core, "dev", ["dora"]);
  assert.equal((await delegateTo(house.core, gun, "dev")).outcome.state, "PUBLISHED");
  const member = await makeNotaryCli(house.notary);
  try {
    await writeFile(join(member.folder, "key.pem"), dora?.privateKeyPem ?? "", { mode: 0o600 });
    await writeFile(join(member.folder, "manifest"), "an image");
    await member.mustRun("key", "import", join(member.folder, "key.pem"), "--role", "delegation");
    const roles = ["-r", "targets/releases", "-r", "targets/dev"];
    await member.mustRun("add", gun, "1.0", join(member.folder, "manifest"), ...roles, "--publish");
    assert.match(await cli.mustRun("list", gun), /1\.0 .*targets\/releases/);
  } finally {
    await member.remove();
  }
});
