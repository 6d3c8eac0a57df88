import assert from "node:assert/strict";
import { test } from "node:test";
import { maxVersion } from "../../src/tuf/payload.ts";
import { type CollectionFault, verifyCollection } from "../../src/tuf/verify.ts";
import { healthy, healthyWalk, listFile, now, people, pins, rootFile, targetsFile } from "./collection.ts";
import {
  expiredCollection,
  expiredTimestamp,
  grownSnapshot,
  grownTimestamp,
  highest,
  inFlight,
  know,
  misnamingTimestamp,
  newestRootSlot,
  noWalk,
  type Observation,
  otherInFlight,
  otherTargets4,
  root1,
  rotatedRoot,
  sharedRoot,
  sharing,
  slot,
  swap,
  targets2,
  targets4,
  unsignedTimestamp,
  walk,
} from "./observations.ts";

const { root, targets, snapshot, timestamp, member, stranger } = people;
const timestampOf = (version: number, signer = timestamp): Buffer =>
  listFile("Timestamp", version, { snapshot: healthyWalk.snapshot }, signer);
const strangersTargets = targetsFile(5, {}, stranger);
const { timestamp: healthyTimestamp } = healthyWalk;
const nothingVerified = { highest: new Map<string, number>() };

const table: Readonly<
  Record<Exclude<CollectionFault, "FOREIGN_TRUST"> | "BENIGN", Readonly<Record<string, Observation>>>
> = {
  BENIGN: {
    "nothing behind our newest files": { walk: undefined },
    "the files we published": {},
    "snapshot and timestamp renewed by a GET": walk({}, { snapshotVersion: 9, timestampVersion: 12 }),
    "a first look, nothing verified yet": walk({}, { timestampVersion: 20_000 }, nothingVerified),
    "a snapshot that lists a removed role": swap({ snapshot: grownSnapshot, timestamp: grownTimestamp }),
    "an expired timestamp": swap({ timestamp: expiredTimestamp }),
    "expired root and targets of ours": expiredCollection,
    "our own open upload in its slot": slot("targets", 5, inFlight, know("5.targets", inFlight)),
    "either of two uploads of one version": slot("targets", 5, inFlight, know("5.targets", otherInFlight, inFlight)),
    "our own open upload, landed": walk({ targets: inFlight }, {}, know("5.targets", inFlight)),
    "our own root that rotates the snapshot key, landed": walk(
      { root: rotatedRoot },
      { snapshotBy: stranger },
      know("3.root", rotatedRoot),
    ),
    "an older root of ours in its slot": slot("root", 1, root1),
    "a gap between targets of ours": slot("targets", 3, undefined),
    "an older timestamp, asked for by its version": slot("timestamp", 3, timestampOf(3)),
    "no newer timestamp": slot("timestamp", 7, undefined),
    "anything in a delegation's slot": slot("targets/qa", 1, Buffer.from("{}")),
    "a timestamp 10,000 versions ahead": walk({}, { timestampVersion: 10_006 }),
  },
  DATABASE_BEHIND: {
    "newer targets by our key, unknown to us, in the slot": slot("targets", 5, inFlight),
    "newer targets by our key, unknown to us, in the walk": walk({ targets: inFlight }),
    "newer root by our key, unknown to us": slot("root", 3, rootFile(3)),
    "newer root by our key that names other server keys": walk({ root: rotatedRoot }, { snapshotBy: stranger }),
    "other bytes by our key where our upload should be": slot("targets", 5, otherInFlight, know("5.targets", inFlight)),
    "newer targets by our key, and the timestamp gone": { ...slot("targets", 5, inFlight), walk: noWalk },
    "targets by our key that jump": walk({ targets: targetsFile(maxVersion) }),
  },
  FOREIGN_CHANGE: {
    "other targets at a known version": walk({ targets: otherTargets4 }),
    "other targets at a known version, in the slot": slot("targets", 4, otherTargets4),
    "our targets signed by another key": walk({ targets: targetsFile(4, {}, stranger) }),
    "a root of others in our first slot": slot("root", 1, rootFile(1, {}, stranger)),
    "targets in a gap that we left": slot("targets", 3, targetsFile(3)),
    "a stranger's targets in a gap": slot("targets", 3, targetsFile(3, {}, stranger)),
    "newer targets of ours in an older slot": slot("targets", 2, targets4),
    "bytes that are no metadata at a known version": slot("targets", 4, Buffer.from("{}")),
    "newer targets by the other holder of the role": slot("targets", 5, strangersTargets, sharing),
    "a stranger's targets where our upload should be": slot(
      "targets",
      5,
      strangersTargets,
      know("5.targets", inFlight),
    ),
  },
  ROLLBACK: {
    "older targets of ours as the newest": walk({ targets: targets2 }),
    "an older root of ours as the newest": walk({ root: root1 }),
    "targets below our upload that was already seen": walk({}, {}, highest("targets", 5)),
    "older targets of ours in a newer slot": slot("targets", 5, targets4),
    "an older root of ours in a newer slot": slot("root", 3, root1),
    "an older timestamp": walk({}, { timestampVersion: 5 }),
    "an older snapshot": walk({}, { snapshotVersion: 4 }),
    "an older timestamp in a newer slot": slot("timestamp", 7, healthyTimestamp),
    "no timestamp, but other files": { slots: [newestRootSlot], walk: noWalk },
  },
  BAD_SIGNATURE: {
    "newer targets by a stranger": slot("targets", 5, strangersTargets),
    "newer targets by a stranger, in the walk": walk({ targets: strangersTargets }),
    "newer targets by the root key": slot("targets", 5, targetsFile(5, {}, root)),
    "newer targets by a member": slot("targets", 5, targetsFile(5, {}, member)),
    "a newer root by a stranger": slot("root", 3, rootFile(3, {}, stranger)),
    "newer bytes that are no metadata": slot("targets", 5, Buffer.from("[]")),
    "targets that are no metadata": walk({ targets: Buffer.from("null") }),
    "targets far ahead by a stranger": walk({ targets: targetsFile(maxVersion, {}, stranger) }),
    "a timestamp by the snapshot key": walk({}, { timestampBy: snapshot }),
    "a snapshot by the targets key": walk({}, { snapshotBy: targets }),
    "a timestamp that is no metadata": swap({ timestamp: Buffer.from("{") }),
    "a timestamp without a signature": swap({ timestamp: unsignedTimestamp }),
    "a snapshot that the timestamp does not name": swap({ snapshot: grownSnapshot }),
    "a snapshot of another length than named": swap({ timestamp: misnamingTimestamp }),
    "targets that the snapshot does not name": swap({ targets: inFlight }, know("5.targets", inFlight)),
  },
  FOREIGN_KEY: {
    "a timestamp by a key our root does not name": walk({}, { timestampBy: stranger }),
    "a snapshot by a key our root does not name": walk({}, { snapshotBy: stranger }),
    "a timestamp in its slot by such a key": slot("timestamp", 7, timestampOf(7, stranger)),
  },
  VANISHED: {
    "nothing at all any more": { walk: noWalk },
    "the snapshot that the timestamp names is gone": { walk: { ...noWalk, timestamp: healthyTimestamp } },
    "the targets that the snapshot names are gone": swap({ targets: undefined }),
    "the root that the snapshot names is gone": swap({ root: undefined }),
    "our newest targets gone from their slot": slot("targets", 4, undefined),
    "an older root of ours gone from its slot": slot("root", 1, undefined),
  },
  FAST_FORWARD: {
    "a timestamp 10,001 versions ahead": walk({}, { timestampVersion: 10_007 }),
    "a snapshot far ahead": walk({}, { snapshotVersion: 20_000 }),
    "a timestamp in its slot far ahead": slot("timestamp", 10_007, timestampOf(10_007)),
    "a timestamp near the greatest version, one step ahead": walk(
      {},
      { timestampVersion: maxVersion - 1 },
      highest("timestamp", maxVersion - 2),
    ),
    "a first look at the greatest version": walk({}, { timestampVersion: maxVersion }, nothingVerified),
    "targets far ahead by the other holder of the role": walk(
      { root: sharedRoot, targets: targetsFile(10_005, {}, stranger) },
      {},
      sharing,
    ),
  },
};

for (const [kind, observations] of Object.entries(table)) {
  for (const [name, { knowing, ...shown }] of Object.entries(observations)) {
    test(`${name}: ${kind}`, () => {
      const { fault } = verifyCollection({ ...pins, ...knowing }, { ...healthy, ...shown }, now);
      assert.equal(fault?.kind ?? "BENIGN", kind, fault?.detail);
      if (fault !== undefined) assert.match(fault.detail, /^\S.*\.$/);
    });
  }
}
