import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { status } from "@grpc/grpc-js";
import type { KeyRef } from "../../gen/imagetrust/v1/change.ts";
import {
  SignatureServiceService,
  SignatureState,
  type SignedTag,
  TagState,
  type WatchTrustResponse,
} from "../../gen/imagetrust/v1/signature.ts";
import { type FakeService, refusal, startFakeService } from "./fake-service.ts";

const gun = "dtr.example.org/dev/nginx";
const digest = `sha256:${"ab".repeat(32)}`;
const time = new Date("2026-03-01T12:00:00Z");
const keyOf = (member: string): KeyRef => ({
  tufKeyId: "1".repeat(64),
  canonicalKeyId: "2".repeat(64),
  algorithm: "ecdsa-x509",
  backend: "",
  member,
  certificate: "",
});
const tag: SignedTag = {
  gun,
  tag: "1.0",
  digest,
  length: 8n,
  released: true,
  orphaned: false,
  disputed: true,
  signatures: [
    {
      role: "targets/releases",
      state: SignatureState.TRUSTED,
      digest,
      length: 8n,
      version: 3,
      signedBy: [keyOf("bob")],
      introducedBy: [keyOf("alice")],
      publishTime: time,
    },
  ],
  members: ["alice", "bob"],
  teams: ["qa"],
  firstPublishTime: time,
  lastPublishTime: time,
};
const event: WatchTrustResponse = {
  cursor: "8",
  event: {
    gun,
    eventType: "signature.added.v1",
    time,
    eventId: "e",
    changes: [`targets/qa +1.0 \u001b[31m${digest}`],
    signatures: {
      role: "targets/qa",
      version: 1,
      sha256: "",
      tags: [],
      keys: [keyOf("alice")],
      teams: ["qa"],
      cause: undefined,
    },
    roles: [],
  },
};
const alive: WatchTrustResponse = { cursor: "9", event: undefined };

let service: FakeService;
before(async () => {
  service = await startFakeService();
});
after(() => service.close());

test("tags are listed with their standing, and asked for by prefix and page", async () => {
  service.answer(SignatureServiceService.listSignedTags, () => ({ tags: [tag], nextPageToken: "more" }));
  const { code, out } = await service.run(
    "tags",
    gun,
    "--prefix",
    "1.",
    "--state",
    "disputed",
    "--page-size",
    "3",
    "--page-token",
    "t",
  );
  assert.equal(code, 0);
  const [heading, row, more] = out.split("\n");
  assert.match(heading ?? "", /^TAG +STATE +DIGEST +MEMBERS +TEAMS +PUBLISHED$/);
  assert.match(row ?? "", /^1\.0 +released, disputed +sha256:abababababab +alice bob +qa +2026-03-01T12:00:00Z$/);
  assert.match(more ?? "", /--page-token more/);
  const request = { gun, tagPrefix: "1.", pageSize: 3, pageToken: "t", states: [TagState.DISPUTED] };
  assert.deepEqual(service.requests(SignatureServiceService.listSignedTags), [request]);
});

test("a tag is shown with each signature, and as JSON with states by name", async () => {
  service.answer(SignatureServiceService.getSignedTag, () => ({ tag }));
  const { out } = await service.run("tag", gun, "1.0");
  assert.match(out, new RegExp(`Digest +${digest}`));
  assert.match(out, /targets\/releases +TRUSTED +sha256:abababababab +3 +bob:222222222222 +alice:222222222222/);
  const json = JSON.parse((await service.run("tag", gun, "1.0", "--json")).out);
  assert.deepEqual([json.tag.length, json.tag.signatures[0].state], ["8", "TRUSTED"]);
});

test("watch prints each event once, goes on at the last cursor, and says where to begin again", async () => {
  const answers: (readonly WatchTrustResponse[])[] = [[event, alive]];
  service.answer(SignatureServiceService.watchTrust, () => (answers.pop() ?? []) as never);
  const { code, out, err } = await service.run("watch", "--gun", gun, "--from", "7", "--for", "1.2");
  assert.equal(code, 0);
  assert.equal(
    out,
    `2026-03-01T12:00:00Z  ${gun}  signature.added.v1  by alice:222222222222\n  targets/qa +1.0 \\u{1b}[31m${digest}\n`,
  );
  assert.equal(err, "Go on with --from 9.\n");
  const [first, second] = service.requests(SignatureServiceService.watchTrust);
  assert.deepEqual(
    [first, second],
    [
      { gun, cursor: "7" },
      { gun, cursor: "9" },
    ],
  );
});

test("watch as JSON is one message a line", async () => {
  service.answer(SignatureServiceService.watchTrust, () => [event, alive] as never);
  const { out } = await service.run("watch", "--json", "--for", "0.4");
  const [line, ...rest] = out.split("\n");
  assert.deepEqual(rest, [""]);
  assert.deepEqual(JSON.parse(line ?? "").cursor, "8");
});

test("watch ends with what the service refuses, and a cursor that is none is not sent", async () => {
  service.answer(SignatureServiceService.watchTrust, () => {
    throw refusal(status.PERMISSION_DENIED, "NOT_PERMITTED", "no policy permits it");
  });
  const refused = await service.run("watch", "--for", "5");
  assert.equal(refused.code, 1);
  assert.match(refused.err, /NOT_PERMITTED/);
  assert.equal((await service.run("watch", "--from", "x")).code, 2);
});
