import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { type ClientReadableStream, status } from "@grpc/grpc-js";
import {
  SignatureState,
  SignatureServiceService as service,
  type WatchTrustResponse,
} from "../../../gen/imagetrust/v1/signature.ts";
import { until } from "../../fault/until.ts";
import { initialize, makeTeam } from "../../trust/house.ts";
import type { Identity } from "../../trust/identity.ts";
import { digestOf, pushSigned } from "../../trust/signers.ts";
import { type House, openHouse } from "./house.ts";

const gun = "dtr.example.org/dev/nginx";
const other = "dtr.example.org/dev/other";
let house: House;
let alice: Identity;
before(async () => {
  house = await openHouse({ publishing: true, following: true });
  const [member] = await makeTeam(house.core, "qa", ["alice"]);
  assert.ok(member);
  alice = member;
  await initialize(house.core, gun, ["qa"]);
  await initialize(house.core, other, ["qa"]);
});
after(() => house.stop());

const sign = (of: string, version: number, tags: readonly string[]) =>
  pushSigned(house.core, [alice], { gun: of, role: "targets/qa", version, tags });

test("a viewer lists the signed tags page by page and gets each, with everything that is known of it", async () => {
  await sign(gun, 1, ["1.0", "1.1", "2.0"]);
  await until(async () => (await house.viewer.send(service.listSignedTags, { gun })).tags.length === 3, "three tags");
  const first = await house.viewer.send(service.listSignedTags, { gun, tagPrefix: "1.", pageSize: 1 });
  const second = await house.viewer.send(service.listSignedTags, {
    gun,
    tagPrefix: "1.",
    pageSize: 1,
    pageToken: first.nextPageToken,
  });
  assert.deepEqual(
    [...first.tags, ...second.tags].map(({ tag }) => tag),
    ["1.0", "1.1"],
  );
  assert.equal(second.nextPageToken, "");
  const { tag } = await house.viewer.send(service.getSignedTag, { gun, tag: "2.0" });
  assert.ok(tag !== undefined);
  const { signatures, firstPublishTime, lastPublishTime, ...standing } = tag;
  assert.deepEqual(standing, {
    gun,
    tag: "2.0",
    digest: digestOf(),
    length: 8n,
    released: false,
    orphaned: false,
    disputed: false,
    members: ["alice"],
    teams: ["qa"],
  });
  assert.ok(firstPublishTime !== undefined && lastPublishTime !== undefined);
  assert.deepEqual(
    signatures.map(({ role, state, version, signedBy }) => [role, state, version, signedBy[0]?.member]),
    [["targets/qa", SignatureState.TRUSTED, 1, "alice"]],
  );
});

test("what is not there is not found, and every fault of a request is named at once", async () => {
  const missing = await house.viewer.refused(service.getSignedTag, { gun, tag: "9.9" });
  assert.deepEqual([missing.code, missing.reason], [status.NOT_FOUND, "NOT_FOUND"]);
  const nobodys = await house.viewer.refused(service.listSignedTags, { gun: "dtr.example.org/dev/none" });
  assert.deepEqual([nobodys.code, nobodys.reason], [status.NOT_FOUND, "NOT_FOUND"]);
  const bad = await house.viewer.refused(service.listSignedTags, { gun: "X", tagPrefix: "a\nb", pageSize: -1 });
  assert.deepEqual(bad.violations.map(({ field }) => field).sort(), ["gun", "page_size", "tag_prefix"]);
  const worse = await house.viewer.refused(service.getSignedTag, { gun: "", tag: "" });
  assert.deepEqual(worse.violations.map(({ field }) => field).sort(), ["gun", "tag"]);
  const { nextPageToken } = await house.viewer.send(service.listSignedTags, { gun, pageSize: 1 });
  const foreign = await house.viewer.refused(service.listSignedTags, { gun: other, pageToken: nextPageToken });
  assert.deepEqual(
    foreign.violations.map(({ field }) => field),
    ["page_token"],
  );
});

/** Collects a stream's messages until it ends. */
function reading(stream: ClientReadableStream<WatchTrustResponse>) {
  const messages: WatchTrustResponse[] = [];
  stream.on("data", (message: WatchTrustResponse) => messages.push(message));
  stream.on("error", () => undefined);
  return { messages, events: () => messages.flatMap(({ event }) => event ?? []) };
}

test("a watch tells within two seconds of a signature made beside the service, and again from an earlier cursor", async () => {
  const stream = house.viewer.stream(service.watchTrust, { gun });
  const { messages, events } = reading(stream);
  await until(() => messages.length > 0, "a sign of life");
  assert.deepEqual(events(), []);
  const start = messages[0]?.cursor ?? "";
  await sign(other, 1, ["of another repository"]);
  await sign(gun, 2, ["1.0", "1.1"]);
  await until(() => events().length > 0, "the event", 2_000);
  stream.cancel();
  const [event] = events();
  assert.deepEqual([event?.gun, event?.eventType], [gun, "signature.removed.v1"]);
  assert.deepEqual(event?.signatures?.tags, [{ tag: "2.0", digest: digestOf(), length: 8n }]);
  assert.deepEqual(
    event?.signatures?.keys.map(({ member }) => member),
    ["alice"],
  );
  assert.deepEqual(event?.changes, [`targets/qa -2.0 ${digestOf()}`]);

  const all = house.viewer.stream(service.watchTrust, { cursor: "0" });
  const again = house.viewer.stream(service.watchTrust, { gun, cursor: start });
  const [whole, repeated] = [reading(all), reading(again)];
  await until(() => repeated.events().length > 0, "the event again");
  assert.deepEqual(repeated.events()[0], event);
  const ofOther = () => whole.events().filter((one) => one.gun === other);
  await until(() => ofOther().some(({ eventType }) => eventType === "signature.added.v1"), "the other repository");
  const types = new Set(whole.events().map(({ eventType }) => eventType));
  assert.ok(
    ["trust.initialized.v1", "publication.landed.v1"].every((type) => types.has(type)),
    [...types].join(),
  );
  const cursors = whole.messages.map(({ cursor }) => BigInt(cursor));
  assert.ok(cursors.every((cursor, at) => at === 0 || cursor >= (cursors[at - 1] ?? 0n)));
  for (const one of [all, again]) one.cancel();
});

test("a silent watch gives signs of life, and ends when the client goes away", async () => {
  const before = house.ended.length;
  const stream = house.viewer.stream(service.watchTrust, { gun });
  const { messages, events } = reading(stream);
  await until(() => messages.length >= 3, "three signs of life");
  assert.deepEqual(events(), []);
  stream.cancel();
  await until(() => house.ended.slice(before).includes("WatchTrust CANCELLED"), "the call to end");
});

test("a cursor that is none is refused", async () => {
  const stream = house.viewer.stream(service.watchTrust, { cursor: "-1" });
  const [error] = (await once(stream, "error")) as [{ code: number }];
  assert.equal(error.code, status.INVALID_ARGUMENT);
});

test("when the service stops, streams end with OK", async () => {
  const stream = house.viewer.stream(service.watchTrust, {});
  const { messages } = reading(stream);
  await until(() => messages.length > 0, "a sign of life");
  const ending = once(stream, "status") as Promise<[{ code: number }]>;
  house.endStreams();
  const [{ code }] = await ending;
  assert.equal(code, status.OK);
});
