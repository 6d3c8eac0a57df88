import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import type { RoleName } from "../../src/names.ts";
import type { Tip } from "../../src/trust/newest-files.ts";
import { type Evidence, judge, type Readback, tipFrom } from "../../src/trust/publisher/evidence.ts";
import type { UploadPart } from "../../src/trust/publisher/upload-store.ts";
import { parseRoot, parseTargets } from "../../src/tuf/envelope.ts";
import { expires, listFile, people, rootFile, type Signer, signed, targetsFile } from "../tuf/collection.ts";

const root = parseRoot(rootFile(1)).content;
const earlier = { root: rootFile(1), targets: targetsFile(4) };
const ours = { root: rootFile(2), targets: targetsFile(5) };
const payloads = { root: parseRoot(ours.root).payload, targets: parseTargets(ours.targets).payload };
const again = signed(payloads.targets, people.targets);
const rootAgain = signed(payloads.root, people.root);
const other = targetsFile(5, { keys: [], roles: [] });
const byStranger = signed(payloads.targets, people.stranger);

const both = [partOf("root", 2, ours.root), partOf("targets", 5, ours.targets)];
const targetsOnly = [partOf("targets", 5, ours.targets)];

const slotsOf = (files: { readonly root?: Buffer; readonly targets?: Buffer }): Readback["slots"] =>
  new Map(Object.entries(files).map(([role, bytes]) => [role as RoleName, bytes]));

function partOf(role: "root" | "targets", version: number, envelope: Buffer): UploadPart {
  const payload = payloads[role];
  const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest();
  const hashes = { payloadSha256: sha256(payload), envelopeSha256: sha256(envelope) };
  return { role: role as RoleName, version, payload, expiresAt: expires, envelope, ...hashes };
}

/** A timestamp with the snapshot it names, which lists these files, or those of before in their place. */
function tip(files: Readonly<Record<string, Buffer>>, version = 6): Tip {
  const snapshot = listFile("Snapshot", version, { ...earlier, ...files }, people.snapshot);
  const found = tipFrom(listFile("Timestamp", version, { snapshot }, people.timestamp), snapshot, root);
  assert.ok(found);
  return found;
}

interface Case {
  readonly name: string;
  readonly parts: readonly UploadPart[];
  readonly slots: { readonly root?: Buffer; readonly targets?: Buffer };
  readonly tips?: readonly Tip[];
  readonly current?: Readonly<Record<string, number>>;
  readonly kind: Evidence["kind"];
  readonly detail?: RegExp;
}

const elsewhere = tip({ targets: other });

const cases: readonly Case[] = [
  {
    name: "our bytes in every slot, and a snapshot that names them all, have landed",
    parts: both,
    slots: ours,
    tips: [tip(ours)],
    kind: "LANDED",
  },
  {
    name: "our bytes that an earlier snapshot named have landed, whatever was written since",
    parts: targetsOnly,
    slots: ours,
    tips: [tip(ours, 6), tip({ targets: other }, 7)],
    kind: "LANDED",
  },
  {
    name: "our bytes in the slots alone prove nothing yet",
    parts: both,
    slots: ours,
    kind: "OPEN",
  },
  {
    name: "our payload under another of our signatures is imported",
    parts: targetsOnly,
    slots: { targets: again },
    tips: [tip({ targets: again })],
    kind: "SAME_PAYLOAD",
  },
  {
    name: "our root's payload under another of our signatures is imported beside bytes that are ours",
    parts: both,
    slots: { ...ours, root: rootAgain },
    tips: [tip({ ...ours, root: rootAgain })],
    kind: "SAME_PAYLOAD",
  },
  {
    name: "our payload under another of our signatures that no snapshot names yet is open",
    parts: targetsOnly,
    slots: { targets: again },
    kind: "OPEN",
  },
  {
    name: "our payload signed by a stranger is lost",
    parts: targetsOnly,
    slots: { targets: byStranger },
    kind: "LOST",
    detail: /5\.targets holds other bytes \(sha256 [0-9a-f]{64}\)/,
  },
  {
    name: "another file of our own key in the slot is lost",
    parts: targetsOnly,
    slots: { targets: other },
    tips: [tip({ targets: other })],
    kind: "LOST",
    detail: /5\.targets holds other bytes/,
  },
  {
    name: "bytes that are no metadata in the slot are open: no slot can hold them",
    parts: targetsOnly,
    slots: { targets: Buffer.from("no metadata") },
    tips: [elsewhere],
    kind: "OPEN",
  },
  {
    name: "a file of another version in the slot is open: no slot can hold it",
    parts: targetsOnly,
    slots: { targets: targetsFile(6) },
    kind: "OPEN",
  },
  {
    name: "one slot that is taken loses the whole upload",
    parts: both,
    slots: { ...ours, root: rootFile(2, { expires: new Date(0) }) },
    tips: [tip(ours)],
    kind: "LOST",
    detail: /2\.root/,
  },
  {
    name: "an empty slot below the version that Notary serves is lost",
    parts: targetsOnly,
    slots: {},
    current: { targets: 6 },
    kind: "LOST",
    detail: /targets is at version 6, and version 5 is not there/,
  },
  {
    name: "an empty slot at the version that Notary served is open: it was filled in between",
    parts: targetsOnly,
    slots: {},
    current: { targets: 5 },
    kind: "OPEN",
  },
  {
    name: "an empty slot above the version that Notary serves is open",
    parts: targetsOnly,
    slots: {},
    current: { targets: 4 },
    tips: [elsewhere],
    kind: "OPEN",
  },
  {
    name: "nothing at all is open",
    parts: both,
    slots: {},
    kind: "OPEN",
  },
  {
    name: "one of two slots filled is open",
    parts: both,
    slots: { targets: ours.targets },
    tips: [tip({ targets: ours.targets })],
    kind: "OPEN",
  },
  {
    name: "our bytes in the slots under other hashes in every snapshot since cannot be read by anybody",
    parts: targetsOnly,
    slots: ours,
    tips: [elsewhere, tip({ targets: again }, 7)],
    kind: "UNREADABLE",
  },
  {
    name: "a snapshot that names only one of two files leaves the other unreadable",
    parts: both,
    slots: ours,
    tips: [tip({ root: ours.root })],
    kind: "UNREADABLE",
  },
];

for (const { name, parts, slots, tips = [], current = {}, kind, detail } of cases) {
  test(name, () => {
    const readback: Readback = {
      slots: slotsOf(slots),
      tips,
      current: new Map(Object.entries(current).map(([role, version]) => [role as RoleName, version])),
    };
    const evidence = judge(parts, readback, root);
    assert.equal(evidence.kind, kind);
    if (detail !== undefined) assert.match("detail" in evidence ? evidence.detail : "", detail);
  });
}

test("evidence of a landing is the newest pair of lists that names it", () => {
  const tips = [tip(ours, 6), tip(ours, 7), tip({ targets: other }, 8)];
  const evidence = judge(both, { slots: slotsOf(ours), tips, current: new Map() }, root);
  assert.equal(evidence.kind === "LANDED" && evidence.tip.timestamp.version, 7);
});

test("an import carries the very bytes of the slot, and none that are ours", () => {
  const slots = slotsOf({ ...ours, targets: again });
  const evidence = judge(both, { slots, tips: [tip({ ...ours, targets: again })], current: new Map() }, root);
  assert.ok(evidence.kind === "SAME_PAYLOAD");
  assert.deepEqual([...evidence.imported], [["targets", again]]);
});

test("open evidence says whether the slots hold our bytes", () => {
  const of = (files: Partial<typeof ours>) =>
    judge(targetsOnly, { slots: slotsOf(files), tips: [], current: new Map() }, root);
  assert.deepEqual(
    [of(ours), of({})],
    [
      { kind: "OPEN", slotsAreOurs: true },
      { kind: "OPEN", slotsAreOurs: false },
    ],
  );
});

const snapshot = listFile("Snapshot", 6, ours, people.snapshot);
const timestamp = (names: Buffer, by: Signer) => listFile("Timestamp", 6, { snapshot: names }, by);
const strangers = listFile("Snapshot", 6, ours, people.stranger);

for (const [name, pair] of Object.entries({
  "a timestamp that names another snapshot": [timestamp(Buffer.from("another"), people.timestamp), snapshot],
  "a timestamp that a stranger signed": [timestamp(snapshot, people.stranger), snapshot],
  "a snapshot that a stranger signed": [timestamp(strangers, people.timestamp), strangers],
  "a timestamp that is no metadata": [Buffer.from("no metadata"), snapshot],
} as const)) {
  test(`${name} proves nothing`, () => {
    const [named, list] = pair;
    assert.equal(tipFrom(named, list, root), undefined);
  });
}
