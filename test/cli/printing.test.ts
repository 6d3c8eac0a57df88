import assert from "node:assert/strict";
import { test } from "node:test";
import type { Command } from "commander";
import fc from "fast-check";
import { AuditRecord, AuditSeverity, AuditStage } from "../../gen/imagetrust/v1/audit.ts";
import { Outcome, PublicationState, RolloutKind, WarningCode } from "../../gen/imagetrust/v1/change.ts";
import { Delegation } from "../../gen/imagetrust/v1/delegation.ts";
import { Certificate, CertificateState, Member, MemberKind, RevocationReason } from "../../gen/imagetrust/v1/team.ts";
import { CollectionState, Trust } from "../../gen/imagetrust/v1/trust.ts";
import { recordText } from "../../src/cli/audit-text.ts";
import { jsonOf } from "../../src/cli/json.ts";
import { outcomeText } from "../../src/cli/outcome-text.ts";
import { buildProgram } from "../../src/cli/program.ts";
import { details, table } from "../../src/cli/table.ts";
import { processTerminal, type Terminal } from "../../src/cli/terminal.ts";
import { trustText } from "../../src/cli/trust-text.ts";
import { runCaptured } from "./fake-service.ts";

const plain: Terminal = {
  out: () => {},
  err: () => {},
  colour: false,
  isTerminal: false,
  input: async function* () {},
  onInterrupt: () => () => undefined,
};

test("columns are as wide as their widest cell, and lines end without blanks", () => {
  const text = table(
    ["TEAM", "N"],
    [
      ["qa", "12"],
      ["operations", ""],
    ],
  );
  assert.equal(text, "TEAM        N\nqa          12\noperations\n");
});

test("characters of several code points count as one", () => {
  assert.equal(table(["A", "B"], [["e\u0301e\u0301", "x"]]), "A   B\ne\u0301e\u0301  x\n");
});

test("details leave out what is empty", () => {
  assert.equal(
    details([
      ["Team", "qa"],
      ["Name", ""],
      ["Labels", "a=b"],
    ]),
    "Team    qa\nLabels  a=b\n",
  );
});

test("no cell can send anything to the terminal or break its line", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.string({ unit: "binary" }), fc.string({ unit: "binary" }))), (rows) => {
      const text = table(["A", "B"], rows);
      assert.equal(text.split("\n").length, rows.length + 2);
      assert.doesNotMatch(text.replaceAll("\n", ""), /[\p{Cc}\u202a-\u202e\u2066-\u2069]/u);
    }),
  );
});

test("what the service says cannot colour or move the cursor", () => {
  const evil = "\u001b[2J\u202eevil";
  const trust = Trust.fromPartial({
    gun: evil,
    displayName: evil,
    labels: { [evil]: evil },
    publication: { detail: evil },
  });
  const record = AuditRecord.fromPartial({
    eventType: evil,
    reason: evil,
    change: { diff: [evil] },
    actor: { id: evil },
  });
  const outcome = Outcome.fromPartial({
    plan: { summary: evil, warnings: [{ message: evil, tags: [evil] }] },
    rollout: { id: evil },
    publications: [{ gun: evil, detail: evil }],
    state: PublicationState.PENDING,
  });
  const asked = { ...outcome, validatedOnly: true, planEtag: evil };
  for (const text of [
    trustText(plain, trust),
    recordText(record),
    outcomeText(plain, outcome, true),
    outcomeText(plain, asked, true),
  ]) {
    assert.match(text, /evil/);
    assert.doesNotMatch(text.replaceAll("\n", ""), /[\p{Cc}\u202e]/u);
  }
});

test("states have colour on a terminal only, and not with NO_COLOR", () => {
  const outcome = Outcome.fromPartial({ state: PublicationState.PUBLISHED });
  assert.equal(
    outcomeText({ ...plain, colour: true }, outcome, true),
    "\u001b[32mPUBLISHED\u001b[0m: live on Notary.\n",
  );
  assert.equal(outcomeText(plain, outcome, true), "PUBLISHED: live on Notary.\n");
  const { isTTY } = process.stdout;
  try {
    process.stdout.isTTY = true;
    process.env["NO_COLOR"] = "1";
    assert.equal(processTerminal().colour, false);
    delete process.env["NO_COLOR"];
    assert.equal(processTerminal().colour, true);
    process.stdout.isTTY = false;
    assert.equal(processTerminal().colour, false);
  } finally {
    process.stdout.isTTY = isTTY;
  }
});

test("JSON holds 64-bit integers as strings, times as ISO 8601, bytes as base64 and enums by name", () => {
  const time = new Date("2026-03-01T12:00:00.500Z");
  const printed = (message: object) => JSON.parse(jsonOf(message));
  const publications = [{ gun: "g", state: PublicationState.BLOCKED, generation: 2n ** 60n, publishTime: time }];
  assert.partialDeepStrictEqual(
    printed(
      Outcome.fromPartial({
        state: PublicationState.PENDING,
        publications,
        rollout: { kind: RolloutKind.TEAM_CHANGE },
        plan: { warnings: [{ code: WarningCode.TEAM_WITHOUT_SIGNER }] },
      }),
    ),
    {
      state: "PENDING",
      publications: [
        {
          state: "BLOCKED",
          generation: "1152921504606846976",
          publishTime: "2026-03-01T12:00:00.500Z",
          pendingReason: "UNSPECIFIED",
          blockReason: "UNSPECIFIED",
        },
      ],
      rollout: { kind: "TEAM_CHANGE", total: 0 },
      plan: { warnings: [{ code: "TEAM_WITHOUT_SIGNER" }] },
    },
  );
  const record = AuditRecord.fromPartial({
    stage: AuditStage.DENIED,
    severity: AuditSeverity.WARNING,
    subject: { type: 2, id: "qa" },
    actor: { type: 1 },
    authorization: { decision: 2 },
    leaf: Buffer.from("{}"),
  });
  assert.partialDeepStrictEqual(printed(record), {
    stage: "DENIED",
    severity: "WARNING",
    subject: { type: "TEAM", id: "qa" },
    actor: { type: "CALLER" },
    authorization: { decision: "DENY" },
    leaf: "e30=",
    index: "0",
  });
});

test("enum fields of one name are told apart by their message, and unknown numbers stay numbers", () => {
  const stateOf = (message: object) => JSON.parse(jsonOf(message)).state;
  assert.equal(stateOf(Trust.fromPartial({ state: CollectionState.IN_SYNC })), "IN_SYNC");
  assert.equal(stateOf(Delegation.fromPartial({ state: PublicationState.PUBLISHED })), "PUBLISHED");
  assert.equal(stateOf({ ...Trust.fromPartial({}), state: 99 }), 99);
  const certificate = Certificate.fromPartial({
    state: CertificateState.REVOKED,
    revocationReason: RevocationReason.LEFT,
  });
  assert.partialDeepStrictEqual(JSON.parse(jsonOf(certificate)), { state: "REVOKED", revocationReason: "LEFT" });
  assert.equal(JSON.parse(jsonOf(Member.fromPartial({ kind: MemberKind.ROBOT }))).kind, "ROBOT");
});

/** Every command of the tree, groups included. */
function commandsBelow(command: Command, path = ""): readonly (readonly [path: string, command: Command])[] {
  return command.commands.flatMap((one) => {
    const name = `${path} ${one.name()}`.trimStart();
    return [[name, one] as const, ...commandsBelow(one, name)];
  });
}

const tree = commandsBelow(buildProgram(plain, async () => {}));

test("every command of the tree has a --help that says how to use it", async () => {
  assert.ok(tree.length > 25);
  for (const [path] of tree) {
    const { code, out } = await runCaptured(...path.split(" "), "--help");
    assert.equal(code, 0, path);
    assert.ok(out.startsWith(`Usage: imagetrust ${path}`), path);
    assert.doesNotMatch(out, /undefined|null/, path);
  }
});

for (const [option, commands] of [
  [
    "--accept-orphaned",
    [
      "apply",
      "certificate replace",
      "certificate revoke",
      "delegate",
      "delegate-batch",
      "member remove",
      "member revoke",
      "rule create",
      "rule delete",
      "undelegate",
    ],
  ],
  [
    "--accept-revived",
    [
      "apply",
      "certificate add",
      "certificate prove",
      "certificate replace",
      "delegate",
      "delegate-batch",
      "member add",
      "rule create",
    ],
  ],
  ["--accept-without-signer", ["apply", "certificate revoke", "member remove", "member revoke"]],
  [
    "--etag",
    [
      "certificate add",
      "certificate prove",
      "certificate replace",
      "certificate revoke",
      "delegate",
      "member add",
      "member remove",
      "member revoke",
      "team create",
      "team delete",
      "team update",
      "trust delete",
      "undelegate",
    ],
  ],
] as const) {
  test(`${option} is offered where it can matter, and nowhere else`, () => {
    const offering = tree.filter(([, command]) => command.options.some(({ long }) => long === option));
    assert.deepEqual(offering.map(([path]) => path).sort(), commands);
  });
}

test("--help names the service's own commands that there are, and says what each exit code means", async () => {
  const { out } = await runCaptured("--help");
  assert.match(out, /`imagetrust serve` and `migrate` run the service itself; each has a --help of its own\./);
  assert.doesNotMatch(out, /signer/);
  assert.match(out, /^ {2}3 {2}accepted, and not live: pending, blocked or superseded by a later change$/m);
});
