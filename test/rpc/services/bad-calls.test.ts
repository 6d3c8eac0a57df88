import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { type ServiceError, status } from "@grpc/grpc-js";
import { TeamServiceService } from "../../../gen/imagetrust/v1/team.ts";
import { TrustServiceService } from "../../../gen/imagetrust/v1/trust.ts";
import { until } from "../fixtures.ts";
import { refusedBy } from "./client.ts";
import { type House, openHouse } from "./house.ts";
import { assertRefused, bad, invalid } from "./refusals.ts";
import { initialize, makeTeam } from "./story.ts";

const { createTeam, getTeam, listTeams } = TeamServiceService;
const { initializeTrust, listTrusts } = TrustServiceService;

let house: House;
before(async () => {
  house = await openHouse({ publishing: false });
  await makeTeam(house.admin, "qa", ["ann"]);
  await initialize(house.admin, "dtr.example.org/dev/nginx", ["qa"]);
  await initialize(house.admin, "dtr.example.org/dev/other", ["qa"]);
});
after(() => house.stop());

async function assertServing(rows: Awaited<ReturnType<House["rows"]>>): Promise<void> {
  assert.equal((await house.admin.send(getTeam, { team: "qa" })).team?.id, "qa");
  assert.deepEqual(await house.rows(), rows);
}

test("a message over 1 MiB is refused, changes nothing, and the service goes on", async () => {
  const rows = await house.rows();
  const large = { team: "new", options: { reason: "x".repeat(1024 * 1024) } };
  await assert.rejects(house.admin.send(createTeam, large), { code: status.RESOURCE_EXHAUSTED });
  await assertServing(rows);
});

test("a deadline of 1 ms ends the call, changes nothing, and the service goes on", async () => {
  const rows = await house.rows();
  const sent = house.admin.send(createTeam, { team: "new" }, { deadlineMs: 1 });
  await assert.rejects(sent, { code: status.DEADLINE_EXCEEDED });
  await assertServing(rows);
});

test("a change with less than 250 ms left is refused before it begins, and recorded", async () => {
  const rows = await house.rows();
  const isRecorded = async (): Promise<boolean> => {
    const sent = house.admin.send(createTeam, { team: "new" }, { deadlineMs: 240 });
    await assert.rejects(sent, { code: status.DEADLINE_EXCEEDED });
    return (await house.freshRecords()).some(({ result }) => result.reason === "DEADLINE_TOO_SHORT");
  };
  await until(isRecorded);
  await assertServing(rows);
});

test("a call that is cancelled while Notary is asked ends, a slow Notary is named in time, and nothing is decided", async () => {
  const rows = await house.rows();
  const wish = { gun: "slow.example.org/dev/nginx" };
  const isAsked = () => house.notaryIsAsked();
  const cancelled = house.admin.send(initializeTrust, wish, {
    sent: (call) => void until(isAsked).then(() => call.cancel()),
  });
  await assert.rejects(cancelled, { code: status.CANCELLED });
  await until(() => house.ended.includes("InitializeTrust CANCELLED"));
  const hasty = house.admin.send(initializeTrust, wish, { deadlineMs: 1_500 });
  await assert.rejects(hasty, (error: ServiceError) => refusedBy(error).reason === "NOTARY_UNAVAILABLE");
  await until(() => house.ended.includes("InitializeTrust UNAVAILABLE"));
  await assertServing(rows);
});

test("a request_id that comes with another body is refused", async () => {
  const options = { requestId: "one", reason: "first" };
  await house.admin.send(createTeam, { team: "first", options });
  await assertRefused(house, bad("", createTeam, { team: "second", options }, "REQUEST_ID_REUSED"));
});

test("a repeated request_id is answered again and writes no second record", async () => {
  const wish = { team: "twice", options: { requestId: "twice-1", reason: "once" } };
  const first = await house.admin.send(createTeam, wish);
  await house.freshRecords();
  const second = await house.admin.send(createTeam, wish);
  assert.deepEqual([first.outcome?.requestReplayed, second.outcome?.requestReplayed], [false, true]);
  assert.deepEqual(second.team, first.team);
  assert.deepEqual(await house.freshRecords(), []);
  const other = await house.other.send(createTeam, { ...wish, team: "thrice" });
  assert.equal(other.outcome?.requestReplayed, false);
});

test("a page token is good for its own list and filter only", async () => {
  const page = await house.admin.send(listTrusts, { pageSize: 1 });
  const next = await house.admin.send(listTrusts, { pageSize: 1, pageToken: page.nextPageToken });
  const guns = [page, next].flatMap(({ trusts }) => trusts.map(({ gun }) => gun));
  assert.deepEqual(guns, ["dtr.example.org/dev/nginx", "dtr.example.org/dev/other"]);
  const filtered = { pageToken: page.nextPageToken, team: "qa" };
  await assertRefused(house, invalid("", listTrusts, filtered, "page_token"));
  await assertRefused(house, invalid("", listTeams, { pageToken: page.nextPageToken }, "page_token"));
  const [digest] = JSON.parse(Buffer.from(page.nextPageToken, "base64url").toString());
  for (const key of ["dtr.example.org/\u0000", "'", ""]) {
    const pageToken = Buffer.from(JSON.stringify([digest, key])).toString("base64url");
    await assertRefused(house, invalid("", listTrusts, { pageToken }, "page_token"));
  }
});

test("a label named __proto__ is refused, and does not vanish", async () => {
  const rows = await house.rows();
  const field = (number: number, bytes: Buffer): Buffer =>
    Buffer.concat([Buffer.from([number * 8 + 2, bytes.length]), bytes]);
  const entry = Buffer.concat([field(1, Buffer.from("__proto__")), field(2, Buffer.from("a"))]);
  const bytes = Buffer.concat([field(1, Buffer.from("new")), field(3, entry)]);
  await assert.rejects(house.admin.sendBytes(createTeam.path, bytes), { code: status.INVALID_ARGUMENT });
  await assertServing(rows);
});

test("random bytes as a request are refused, and the service goes on", async () => {
  const rows = await house.rows();
  for (let length = 1; length < 20; length++) {
    const outcome = house.admin.sendBytes(createTeam.path, randomBytes(length)).then(
      () => "OK",
      (error) => refusedBy(error).reason,
    );
    assert.equal(await outcome, "INVALID_FIELD");
  }
  await assertServing(rows);
});
