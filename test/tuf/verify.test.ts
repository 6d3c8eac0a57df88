import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { RoleName } from "../../src/names.ts";
import { tufKeyIdOf } from "../../src/tuf/key.ts";
import { maxVersion } from "../../src/tuf/payload.ts";
import {
  type CollectionFault,
  type ObservedFiles,
  type Pins,
  verifyAbsence,
  verifyCollection,
} from "../../src/tuf/verify.ts";
import {
  delegationFile,
  digestOf,
  healthy,
  healthyWalk,
  history,
  listFile,
  now,
  people,
  pins,
  rootFile,
  signed,
  targetsFile,
  teamRole,
  walkOf,
} from "./collection.ts";

interface Row {
  readonly name: string;
  readonly shows: Partial<ObservedFiles>;
  readonly knowing?: Partial<Pins>;
  readonly means: CollectionFault | "BENIGN";
}

const { root1, root2, targets2, targets4 } = history;
const { root, targets, snapshot, timestamp, member, stranger } = people;

const slot = (role: string, version: number, bytes: Buffer | undefined): Partial<ObservedFiles> => ({
  slots: [{ role: role as RoleName, version, bytes }],
  walk: undefined,
});
const walk = (files: { root?: Buffer; targets?: Buffer }, own: Parameters<typeof walkOf>[1] = {}) => ({
  walk: walkOf({ root: root2, targets: targets4, ...files }, own),
});
const knowing = (version: string, ...files: readonly Buffer[]): Partial<Pins> => ({
  known: new Map([...pins.known, [version, files.map(digestOf)]]),
});

const expired = new Date("2020-01-01T00:00:00Z");
const inFlight = targetsFile(5, { targets: new Map() });
const otherInFlight = targetsFile(5, { roles: [], keys: [] });
const rotatedRoot = rootFile(
  3,
  {
    keys: [root, targets, stranger, timestamp].map(({ key }) => key),
    roles: {
      root: { keyIds: [tufKeyIdOf(root.key)], threshold: 1 },
      targets: { keyIds: [tufKeyIdOf(targets.key)], threshold: 1 },
      snapshot: { keyIds: [tufKeyIdOf(stranger.key)], threshold: 1 },
      timestamp: { keyIds: [tufKeyIdOf(timestamp.key)], threshold: 1 },
    },
  },
  root,
);
const sharedRoot = rootFile(2, {
  keys: [root, targets, stranger, snapshot, timestamp].map(({ key }) => key),
  roles: {
    root: { keyIds: [tufKeyIdOf(root.key)], threshold: 1 },
    targets: { keyIds: [tufKeyIdOf(targets.key), tufKeyIdOf(stranger.key)], threshold: 1 },
    snapshot: { keyIds: [tufKeyIdOf(snapshot.key)], threshold: 1 },
    timestamp: { keyIds: [tufKeyIdOf(timestamp.key)], threshold: 1 },
  },
});
const shared: Partial<Pins> = {
  root: sharedRoot,
  ...knowing("2.root", root2, sharedRoot),
  foreignKeys: new Set([tufKeyIdOf(stranger.key)]),
};
const grown = listFile("Snapshot", 7, { root: root2, targets: targets4, "targets/gone": targets2 }, snapshot);
const until2020 = listFile("Timestamp", 6, { snapshot: healthyWalk.snapshot }, timestamp, expired);
const unsigned = signed(Buffer.from(JSON.stringify(JSON.parse(targets4.toString()).signed)));
const noTimestamp = { timestamp: undefined, snapshot: undefined, root: undefined, targets: undefined };
const oldTargets = targetsFile(4, { expires: expired });
const oldRoot = rootFile(2, { expires: expired });

const rows: readonly Row[] = [
  { name: "nothing behind our newest files", shows: { walk: undefined }, means: "BENIGN" },
  { name: "the files we published", shows: {}, means: "BENIGN" },
  {
    name: "snapshot and timestamp renewed by a GET",
    shows: walk({}, { snapshotVersion: 9, timestampVersion: 12 }),
    means: "BENIGN",
  },
  {
    name: "a first look, nothing verified yet",
    shows: walk({}, { timestampVersion: 20_000 }),
    knowing: { highest: new Map() },
    means: "BENIGN",
  },
  {
    name: "a snapshot that lists a removed role",
    shows: {
      walk: { ...healthyWalk, snapshot: grown, timestamp: listFile("Timestamp", 8, { snapshot: grown }, timestamp) },
    },
    means: "BENIGN",
  },
  { name: "an expired timestamp", shows: { walk: { ...healthyWalk, timestamp: until2020 } }, means: "BENIGN" },
  {
    name: "expired root and targets of ours",
    shows: walk({ root: oldRoot, targets: oldTargets }),
    knowing: {
      root: oldRoot,
      targets: oldTargets,
      known: new Map([
        ["2.root", digestOf(oldRoot)],
        ["4.targets", digestOf(oldTargets)],
      ]),
    },
    means: "BENIGN",
  },
  {
    name: "our own open upload in its slot",
    shows: slot("targets", 5, inFlight),
    knowing: knowing("5.targets", inFlight),
    means: "BENIGN",
  },
  {
    name: "either of two uploads of ours for one version",
    shows: slot("targets", 5, inFlight),
    knowing: knowing("5.targets", otherInFlight, inFlight),
    means: "BENIGN",
  },
  {
    name: "our own open upload, landed",
    shows: walk({ targets: inFlight }),
    knowing: knowing("5.targets", inFlight),
    means: "BENIGN",
  },
  {
    name: "our own root that rotates the snapshot key, landed",
    shows: walk({ root: rotatedRoot }, { snapshotBy: stranger, snapshotVersion: 6, timestampVersion: 7 }),
    knowing: knowing("3.root", rotatedRoot),
    means: "BENIGN",
  },
  { name: "an older root of ours in its slot", shows: slot("root", 1, root1), means: "BENIGN" },
  { name: "a gap between targets of ours", shows: slot("targets", 3, undefined), means: "BENIGN" },
  {
    name: "an older timestamp, asked for by its version",
    shows: slot("timestamp", 3, listFile("Timestamp", 3, { snapshot: healthyWalk.snapshot }, timestamp)),
    means: "BENIGN",
  },

  {
    name: "newer targets by our key, unknown to us, in the slot",
    shows: slot("targets", 5, inFlight),
    means: "DATABASE_BEHIND",
  },
  {
    name: "newer targets by our key, unknown to us, in the walk",
    shows: walk({ targets: inFlight }),
    means: "DATABASE_BEHIND",
  },
  { name: "newer root by our key, unknown to us", shows: slot("root", 3, rootFile(3)), means: "DATABASE_BEHIND" },
  {
    name: "newer root by our key that names other server keys",
    shows: walk({ root: rotatedRoot }, { snapshotBy: stranger }),
    means: "DATABASE_BEHIND",
  },
  {
    name: "other bytes by our key where our upload should be",
    shows: slot("targets", 5, otherInFlight),
    knowing: knowing("5.targets", inFlight),
    means: "DATABASE_BEHIND",
  },
  {
    name: "newer targets by our key, and the timestamp gone",
    shows: { ...slot("targets", 5, inFlight), walk: noTimestamp },
    means: "DATABASE_BEHIND",
  },
  { name: "targets by our key that jump", shows: walk({ targets: targetsFile(maxVersion) }), means: "DATABASE_BEHIND" },

  {
    name: "other targets at a known version",
    shows: walk({ targets: targetsFile(4, { roles: [], keys: [] }) }),
    means: "FOREIGN_CHANGE",
  },
  {
    name: "other targets at a known version, in the slot",
    shows: slot("targets", 4, targetsFile(4, { roles: [], keys: [] })),
    means: "FOREIGN_CHANGE",
  },
  {
    name: "our targets signed by another key",
    shows: walk({ targets: targetsFile(4, {}, stranger) }),
    means: "FOREIGN_CHANGE",
  },
  {
    name: "a root of others in our first slot",
    shows: slot("root", 1, rootFile(1, {}, stranger)),
    means: "FOREIGN_CHANGE",
  },
  { name: "targets in a gap that we left", shows: slot("targets", 3, targetsFile(3)), means: "FOREIGN_CHANGE" },
  {
    name: "bytes that are no metadata at a known version",
    shows: slot("targets", 4, Buffer.from("{}")),
    means: "FOREIGN_CHANGE",
  },
  {
    name: "newer targets by the other holder of the role",
    shows: slot("targets", 5, targetsFile(5, {}, stranger)),
    knowing: shared,
    means: "FOREIGN_CHANGE",
  },
  {
    name: "a stranger's targets where our upload should be",
    shows: slot("targets", 5, targetsFile(5, {}, stranger)),
    knowing: knowing("5.targets", inFlight),
    means: "FOREIGN_CHANGE",
  },

  { name: "older targets of ours as the newest", shows: walk({ targets: targets2 }), means: "ROLLBACK" },
  { name: "an older root of ours as the newest", shows: walk({ root: root1 }), means: "ROLLBACK" },
  {
    name: "targets below our upload that was already seen",
    shows: {},
    knowing: { highest: new Map([...pins.highest, ["targets", 5]]) },
    means: "ROLLBACK",
  },
  { name: "older targets of ours moved to a newer slot", shows: slot("targets", 5, targets4), means: "ROLLBACK" },
  { name: "an older root of ours moved to a newer slot", shows: slot("root", 3, root1), means: "ROLLBACK" },
  { name: "an older timestamp", shows: walk({}, { timestampVersion: 5 }), means: "ROLLBACK" },
  { name: "an older snapshot", shows: walk({}, { snapshotVersion: 4 }), means: "ROLLBACK" },
  {
    name: "an older timestamp moved to a newer slot",
    shows: slot("timestamp", 7, healthyWalk.timestamp),
    means: "ROLLBACK",
  },
  {
    name: "no timestamp, but other files",
    shows: { slots: [{ role: "root" as RoleName, version: 2, bytes: root2 }], walk: noTimestamp },
    means: "ROLLBACK",
  },

  {
    name: "newer targets by a stranger",
    shows: slot("targets", 5, targetsFile(5, {}, stranger)),
    means: "BAD_SIGNATURE",
  },
  {
    name: "newer targets by a stranger, in the walk",
    shows: walk({ targets: targetsFile(5, {}, stranger) }),
    means: "BAD_SIGNATURE",
  },
  {
    name: "newer targets by the root key",
    shows: slot("targets", 5, targetsFile(5, {}, root)),
    means: "BAD_SIGNATURE",
  },
  {
    name: "newer targets by a member, with a key we did not put there",
    shows: slot("targets", 5, targetsFile(5, {}, member)),
    means: "BAD_SIGNATURE",
  },
  { name: "a newer root by a stranger", shows: slot("root", 3, rootFile(3, {}, stranger)), means: "BAD_SIGNATURE" },
  { name: "newer bytes that are no metadata", shows: slot("targets", 5, Buffer.from("[]")), means: "BAD_SIGNATURE" },
  { name: "targets that are no metadata", shows: walk({ targets: Buffer.from("null") }), means: "BAD_SIGNATURE" },
  { name: "a timestamp by the snapshot key", shows: walk({}, { timestampBy: snapshot }), means: "BAD_SIGNATURE" },
  { name: "a snapshot by the targets key", shows: walk({}, { snapshotBy: targets }), means: "BAD_SIGNATURE" },
  {
    name: "a timestamp that is no metadata",
    shows: { walk: { ...healthyWalk, timestamp: Buffer.from("{") } },
    means: "BAD_SIGNATURE",
  },
  {
    name: "a snapshot that the timestamp does not name",
    shows: { walk: { ...healthyWalk, snapshot: grown } },
    means: "BAD_SIGNATURE",
  },
  {
    name: "targets that the snapshot does not name",
    shows: { walk: { ...healthyWalk, targets: inFlight } },
    knowing: knowing("5.targets", inFlight),
    means: "BAD_SIGNATURE",
  },
  { name: "newer targets without a signature", shows: slot("targets", 9, unsigned), means: "BAD_SIGNATURE" },

  {
    name: "a timestamp by a key our root does not name",
    shows: walk({}, { timestampBy: stranger }),
    means: "FOREIGN_KEY",
  },
  {
    name: "a snapshot by a key our root does not name",
    shows: walk({}, { snapshotBy: stranger }),
    means: "FOREIGN_KEY",
  },
  {
    name: "a timestamp in its slot by a key our root does not name",
    shows: slot("timestamp", 7, listFile("Timestamp", 7, { snapshot: healthyWalk.snapshot }, stranger)),
    means: "FOREIGN_KEY",
  },

  { name: "nothing at all any more", shows: { walk: noTimestamp }, means: "VANISHED" },
  {
    name: "the snapshot that the timestamp names is gone",
    shows: { walk: { ...noTimestamp, timestamp: healthyWalk.timestamp } },
    means: "VANISHED",
  },
  {
    name: "the targets that the snapshot names are gone",
    shows: { walk: { ...healthyWalk, targets: undefined } },
    means: "VANISHED",
  },
  {
    name: "the root that the snapshot names is gone",
    shows: { walk: { ...healthyWalk, root: undefined } },
    means: "VANISHED",
  },
  { name: "our newest targets gone from their slot", shows: slot("targets", 4, undefined), means: "VANISHED" },
  { name: "an older root of ours gone from its slot", shows: slot("root", 1, undefined), means: "VANISHED" },

  { name: "a timestamp 10,001 versions ahead", shows: walk({}, { timestampVersion: 10_007 }), means: "FAST_FORWARD" },
  { name: "a timestamp 10,000 versions ahead", shows: walk({}, { timestampVersion: 10_006 }), means: "BENIGN" },
  { name: "a snapshot far ahead", shows: walk({}, { snapshotVersion: 20_000 }), means: "FAST_FORWARD" },
  {
    name: "a timestamp near the greatest version, one step ahead",
    shows: walk({}, { timestampVersion: maxVersion - 1 }),
    knowing: { highest: new Map([...pins.highest, ["timestamp", maxVersion - 2]]) },
    means: "FAST_FORWARD",
  },
  {
    name: "a first look at a timestamp at the greatest version",
    shows: walk({}, { timestampVersion: maxVersion }),
    knowing: { highest: new Map() },
    means: "FAST_FORWARD",
  },
  {
    name: "targets far ahead by the other holder of the role",
    shows: walk({ root: sharedRoot, targets: targetsFile(10_005, {}, stranger) }),
    knowing: shared,
    means: "FAST_FORWARD",
  },
];

for (const row of rows) {
  test(`${row.name}: ${row.means}`, () => {
    const { fault } = verifyCollection({ ...pins, ...row.knowing }, { ...healthy, ...row.shows }, now);
    assert.equal(fault?.kind ?? "BENIGN", row.means, fault?.detail);
    if (fault !== undefined) assert.match(fault.detail, /^\S.*\.$/);
  });
}

test("newer snapshot and timestamp are given back to be remembered, each once", () => {
  const newer = walkOf({ root: root2, targets: targets4 }, { snapshotVersion: 6, timestampVersion: 8 });
  const between = listFile("Timestamp", 7, { snapshot: newer.snapshot }, timestamp);
  const slots = [{ role: "timestamp" as RoleName, version: 7, bytes: between }];
  const { verified } = verifyCollection(pins, { slots, walk: newer, delegations: new Map() }, now);
  const found = verified.map(({ role, version }) => `${version}.${role}`).sort();
  assert.deepEqual(found, ["6.snapshot", "8.timestamp"]);
  assert.equal(verified.find(({ role }) => role === "timestamp")?.bytes, newer.timestamp);
});

test("what is at fault is not given back to be remembered", () => {
  const far = walkOf({ root: root2, targets: targets4 }, { snapshotVersion: 6, timestampVersion: 50_000 });
  const { verified } = verifyCollection(pins, { ...healthy, walk: far }, now);
  assert.deepEqual(
    verified.map(({ role }) => role),
    ["snapshot"],
  );
  const foreign = walkOf(
    { root: root2, targets: targets4 },
    { snapshotVersion: 9, snapshotBy: stranger, timestampVersion: 9 },
  );
  const seen = verifyCollection(pins, { ...healthy, walk: foreign }, now).verified;
  assert.deepEqual(
    seen.map(({ role }) => role),
    ["timestamp"],
  );
});

test("no change of a byte of what Notary shows passes as benign with other root or targets", () => {
  const parts = ["timestamp", "snapshot", "root", "targets"] as const;
  const mutation = fc.record({
    part: fc.constantFrom(...parts),
    at: fc.nat(),
    to: fc.integer({ min: 0, max: 255 }),
    kind: fc.constantFrom("replace", "insert", "remove"),
  });
  fc.assert(
    fc.property(fc.array(mutation, { minLength: 1, maxLength: 3 }), fc.boolean(), (mutations, bySlot) => {
      const shown = { ...healthyWalk };
      for (const { part, at, to, kind } of mutations) {
        const bytes = [...shown[part]];
        bytes.splice(at % bytes.length, kind === "insert" ? 0 : 1, ...(kind === "remove" ? [] : [to]));
        shown[part] = Buffer.from(bytes);
      }
      const slots = [
        { role: "root" as RoleName, version: 2, bytes: shown.root },
        { role: "targets" as RoleName, version: 4, bytes: shown.targets },
      ];
      const files = bySlot ? { slots, walk: undefined } : { slots: [], walk: shown };
      const { fault } = verifyCollection(pins, { ...files, delegations: new Map() }, now);
      const changed = !shown.root.equals(root2) || !shown.targets.equals(targets4);
      assert.ok(fault !== undefined || !changed);
    }),
    { numRuns: 500 },
  );
});

test("trust may only be initialized where Notary holds nothing", () => {
  const absent = { root1: undefined, root2: undefined, timestamp: undefined };
  assert.equal(verifyAbsence(absent), undefined);
  for (const part of ["root1", "root2", "timestamp"] as const) {
    assert.equal(verifyAbsence({ ...absent, [part]: Buffer.from("anything") })?.kind, "FOREIGN_TRUST");
  }
});

test("a first root of ours that has landed is not foreign; one of others is, and so is a second", () => {
  const known = new Map([["1.root", digestOf(root1)]]);
  const landed = { root1, root2: undefined, timestamp: healthyWalk.timestamp };
  assert.equal(verifyAbsence(landed, known), undefined);
  assert.equal(verifyAbsence({ ...landed, root1: rootFile(1) }, known)?.kind, "FOREIGN_TRUST");
  assert.equal(verifyAbsence({ ...landed, root2 }, known)?.kind, "FOREIGN_TRUST");
});

test("pins that are no metadata are our own damage, and said so", () => {
  const damaged = { ...pins, targets: Buffer.from("{}") };
  assert.throws(() => verifyCollection(damaged, healthy, now), { name: "MetadataError" });
});

test("a delegation file never blocks the collection", () => {
  const files = [
    delegationFile(maxVersion, member),
    delegationFile(3, stranger),
    Buffer.from("{}"),
    Buffer.alloc(0),
    undefined,
  ];
  for (const bytes of files) {
    const { fault } = verifyCollection(pins, { ...healthy, delegations: new Map([[teamRole, bytes]]) }, now);
    assert.equal(fault, undefined);
  }
});
