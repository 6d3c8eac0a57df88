import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { RoleName } from "../../src/names.ts";
import { maxVersion } from "../../src/tuf/payload.ts";
import { verifyAbsence, verifyCollection } from "../../src/tuf/verify.ts";
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
  teamRole,
  walkOf,
} from "./collection.ts";

const { root1, root2, targets4 } = history;
const { timestamp, member, stranger } = people;

test("newer snapshot and timestamp are given back to be remembered, each once", () => {
  const newer = walkOf({ root: root2, targets: targets4 }, { snapshotVersion: 6, timestampVersion: 8 });
  const between = listFile("Timestamp", 7, { snapshot: newer.snapshot }, timestamp);
  const roles = { role: "timestamp" as RoleName };
  const slots = [
    { ...roles, version: 8, bytes: newer.timestamp },
    { ...roles, version: 7, bytes: between },
  ];
  const walk = walkOf({ root: root2, targets: targets4 }, { snapshotVersion: 6, timestampVersion: 7 });
  const { verified } = verifyCollection(pins, { slots, walk, delegations: new Map() }, now);
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

test("roots of ours that have landed are not foreign; those of others are, whichever of the two they are", () => {
  const known = new Map([["1.root", digestOf(root1)]]);
  const landed = { root1, root2: undefined, timestamp: healthyWalk.timestamp };
  assert.equal(verifyAbsence(landed, known), undefined);
  assert.equal(verifyAbsence({ ...landed, root1: rootFile(1) }, known)?.kind, "FOREIGN_TRUST");
  assert.equal(verifyAbsence({ ...landed, root2 }, known)?.kind, "FOREIGN_TRUST");
  const knownBoth = new Map([...known, ["2.root", digestOf(root2)]]);
  assert.equal(verifyAbsence({ ...landed, root2 }, knownBoth), undefined);
  assert.equal(verifyAbsence({ ...landed, root1: rootFile(1), root2 }, knownBoth)?.kind, "FOREIGN_TRUST");
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
