import assert from "node:assert/strict";
import { test } from "node:test";
import type { RoleName } from "../../src/names.ts";
import { tufKeyIdOf } from "../../src/tuf/key.ts";
import { maxVersion } from "../../src/tuf/payload.ts";
import { type DelegationState, type Pins, verifyCollection } from "../../src/tuf/verify.ts";
import {
  delegationFile,
  digestOf,
  healthy,
  history,
  now,
  people,
  pins,
  targetsFile,
  teamRole,
  walkOf,
} from "./collection.ts";

interface Row {
  readonly name: string;
  readonly file: Buffer | undefined;
  readonly role?: RoleName;
  readonly knowing?: Partial<Pins>;
  readonly state: DelegationState;
  readonly detail?: RegExp;
}

const { member, colleague, former, stranger } = people;
const seen = (version: number): Partial<Pins> => ({ highest: new Map([...pins.highest, [teamRole, version]]) });
const formerly = { formerKeys: new Map([[teamRole, [former.key]]]) };
const removed = "targets/gone" as RoleName;
const oldFile = delegationFile(2, member, { expires: new Date("2029-12-31T23:59:59Z") });

const rows: readonly Row[] = [
  { name: "no file", file: undefined, state: "NEVER_SIGNED" },
  { name: "no file where one was", file: undefined, knowing: seen(3), state: "SUSPECT", detail: /3 was there before/ },
  { name: "a first file by a member", file: delegationFile(1, member), state: "VALID" },
  { name: "a newer file by another member", file: delegationFile(4, colleague), knowing: seen(3), state: "VALID" },
  { name: "the same file again", file: delegationFile(3, member), knowing: seen(3), state: "VALID" },
  { name: "an older file", file: delegationFile(2, member), knowing: seen(3), state: "SUSPECT", detail: /3 was there/ },
  { name: "an expired file", file: oldFile, state: "VALID", detail: /^Expired at 2029-12-31/ },
  {
    name: "a file at the greatest version",
    file: delegationFile(maxVersion, member),
    state: "VALID",
    detail: /jumped/,
  },
  {
    name: "a file far ahead",
    file: delegationFile(10_004, member),
    knowing: seen(3),
    state: "VALID",
    detail: /jumped/,
  },
  { name: "a stranger's file", file: delegationFile(1, stranger), state: "SUSPECT" },
  {
    name: "a stranger's file, all former keys known",
    file: delegationFile(3, stranger),
    knowing: { ...seen(3), ...formerly },
    state: "SUSPECT",
  },
  {
    name: "a removed signer's file, the key known",
    file: delegationFile(9, former),
    knowing: formerly,
    state: "ORPHANED",
  },
  {
    name: "a removed signer's file that was verified before",
    file: delegationFile(3, former),
    knowing: seen(3),
    state: "ORPHANED",
  },
  {
    name: "a removed signer's file, newer than any verified",
    file: delegationFile(4, former),
    knowing: seen(3),
    state: "SUSPECT",
  },
  {
    name: "a removed role's file, its keys known",
    role: removed,
    file: delegationFile(1, former),
    knowing: { formerKeys: new Map([[removed, [former.key]]]) },
    state: "ORPHANED",
  },
  { name: "a file of a role we never delegated", role: removed, file: delegationFile(1, member), state: "SUSPECT" },
  { name: "bytes that are no metadata", file: Buffer.from("x"), state: "SUSPECT", detail: /cannot be read/ },
];

for (const { name, file, role = teamRole, knowing, state, detail } of rows) {
  test(`${name}: ${state}`, () => {
    const shown = { ...healthy, delegations: new Map([[role, file]]) };
    const verdict = verifyCollection({ ...pins, ...knowing }, shown, now);
    const found = verdict.delegations.get(role);
    assert.equal(found?.state, state, found?.detail);
    assert.match(found?.detail ?? "", detail ?? /^/);
    assert.equal(verdict.fault, undefined);
    const highest = { ...pins, ...knowing }.highest.get(role) ?? 0;
    const remembered = state === "VALID" && (found?.file?.version ?? 0) > highest;
    assert.deepEqual(
      verdict.verified.map((entry) => entry.bytes),
      remembered ? [file] : [],
    );
  });
}

test("a delegation file is judged by our newest targets once these are seen to have landed", () => {
  const without = targetsFile(5, { keys: [], roles: [] });
  const known = new Map([...pins.known, ["5.targets", digestOf(without)]]);
  const shown = {
    slots: [],
    walk: walkOf({ root: pins.root, targets: without }),
    delegations: new Map([[teamRole, delegationFile(3, member)]]),
  };
  const { delegations, fault } = verifyCollection({ ...pins, known, ...seen(3) }, shown, now);
  assert.equal(fault, undefined);
  assert.equal(delegations.get(teamRole)?.state, "ORPHANED");
});

test("a delegation file is judged by our newest targets, not by older or foreign ones that Notary shows", () => {
  const strangersRole = { name: teamRole, keyIds: [tufKeyIdOf(stranger.key)], threshold: 1, paths: [""] };
  const strange = targetsFile(5, { keys: [stranger.key], roles: [strangersRole] }, stranger);
  for (const shownTargets of [history.targets2, strange]) {
    const walk = walkOf({ root: pins.root, targets: shownTargets });
    const stateOf = (file: Buffer) =>
      verifyCollection(pins, { slots: [], walk, delegations: new Map([[teamRole, file]]) }, now).delegations.get(
        teamRole,
      );
    assert.equal(stateOf(delegationFile(3, member))?.state, "VALID");
    assert.equal(stateOf(delegationFile(3, stranger))?.state, "SUSPECT");
  }
});

test("the view of a file is given whatever it is worth", () => {
  const shown = { ...healthy, delegations: new Map([[teamRole, delegationFile(7, stranger)]]) };
  const file = verifyCollection(pins, shown, now).delegations.get(teamRole)?.file;
  assert.equal(file?.version, 7);
  assert.deepEqual(file?.tags, ["v1"]);
});
