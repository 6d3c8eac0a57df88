import assert from "node:assert/strict";
import { test } from "node:test";
import { type Authority, AuthorityAxis, type ListAuthorityResponse } from "../../gen/imagetrust/v1/delegation.ts";
import { type Asked, authorityText } from "../../src/cli/authority-text.ts";

const gun = "dtr.example.org/dev/nginx";
const at = new Date("2026-03-01T12:00:00Z");
const [earlier, later] = [new Date("2026-02-01T00:00:00Z"), new Date("2026-04-01T00:00:00Z")];
const row: Authority = {
  gun,
  team: "qa",
  roles: [
    { role: "targets/qa", paths: ["v1"] },
    { role: "targets/releases", paths: [""] },
  ],
  key: {
    tufKeyId: "1".repeat(64),
    canonicalKeyId: "2".repeat(64),
    algorithm: "ecdsa-x509",
    backend: "",
    member: "ali\u001bce",
    certificate: "c",
  },
  certificateSha256: "3".repeat(64),
  certificateExpireTime: later,
  decided: { since: earlier, until: at },
  live: { since: earlier, until: undefined },
};
const none: ListAuthorityResponse = {
  authorities: [],
  nextPageToken: "",
  asOf: at,
  knownSince: earlier,
  complete: true,
};
const nothing: Asked = { gun: "", team: "", member: "", key: "", axis: AuthorityAxis.DECIDED };

test("rows stand under a sentence that says what they are, with both times and no control characters", () => {
  const text = authorityText(
    { ...nothing, member: "alice", axis: AuthorityAxis.LIVE },
    { ...none, authorities: [row] },
  );
  const [head, heading, line, ...more] = text.split("\n");
  assert.equal(head, "On Notary, at 2026-03-01T12:00:00Z, member alice may sign:");
  assert.match(heading ?? "", /^GUN +TEAM +MEMBER +ROLES +PATHS +KEY +CERTIFICATE ENDS +DECIDED +LIVE$/);
  const ends =
    "2026-04-01T00:00:00Z +since 2026-02-01T00:00:00Z until 2026-03-01T12:00:00Z +since 2026-02-01T00:00:00Z";
  assert.match(line ?? "", new RegExp(`^${gun} +qa +ali\\S*ce +targets/qa targets/releases +v1 +2{12} +${ends}$`));
  assert.deepEqual(more, [""]);
  assert.ok(!text.includes("\u001b"));
});

test("nothing is said in words, and what is not known is not said to be nothing", () => {
  const told = (asked: Partial<Asked>, answer: Partial<ListAuthorityResponse> = {}): string =>
    authorityText({ ...nothing, ...asked }, { ...none, ...answer });
  const when = "By decision, at 2026-03-01T12:00:00Z,";
  assert.equal(told({ member: "alice" }), `${when} member alice may sign nothing.\n`);
  assert.equal(told({ member: "alice", gun }), `${when} member alice may sign nothing of ${gun}.\n`);
  assert.equal(told({ gun }), `${when} nobody may sign ${gun}.\n`);
  assert.match(told({ gun }, { authorities: [row] }), new RegExp(`^${when} these may sign ${gun}:\n`));
  const late = { complete: false, knownSince: later };
  assert.match(
    told({ gun }, late),
    /^At 2026-03-01T12:00:00Z \S+ was not known here.\n.* is known here since 2026-04-01T00:00:00Z; who could sign it before is unknown\.\n$/,
  );
  assert.match(told({ team: "qa" }, late), /Not all repositories were known then/);
});
