import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { RoleName } from "../../src/names.ts";
import { type StandingSignature, standingOfTag, stateOfSignature } from "../../src/trust/signed/tag-view.ts";

const now = new Date("2026-03-01T12:00:00Z");
const later = new Date("2027-03-01T12:00:00Z");
const verdict = { isValid: true, expires: later, paths: [""] };
const signature = (role: string, image = "a", state: StandingSignature["state"] = "TRUSTED"): StandingSignature => ({
  role: role as RoleName,
  state,
  digest: `sha256:${image}`,
  length: image.length,
});

test("a signature is trusted while its file is valid, unexpired, and its role may sign the tag", () => {
  assert.equal(stateOfSignature("1.0", verdict, now), "TRUSTED");
  assert.equal(stateOfSignature("1.0", { ...verdict, paths: ["2", "1."] }, now), "TRUSTED");
  assert.equal(stateOfSignature("1.0", { ...verdict, paths: ["2", "1.1"] }, now), "OUTSIDE_PATHS");
  assert.equal(stateOfSignature("1.0", { ...verdict, paths: [] }, now), "OUTSIDE_PATHS");
  assert.equal(stateOfSignature("1.0", { ...verdict, expires: now }, now), "EXPIRED");
  assert.equal(stateOfSignature("1.0", { isValid: false, expires: now, paths: [] }, now), "ORPHANED");
});

test("docker pulls what targets/releases says, else the top-level targets, and from no team's own role", () => {
  const standing = { released: true, orphaned: false, disputed: false, digest: "sha256:a", length: 1 };
  assert.deepEqual(standingOfTag([signature("targets/releases")]), standing);
  assert.deepEqual(standingOfTag([signature("targets")]), standing);
  assert.deepEqual(standingOfTag([signature("targets/qa")]), { ...standing, released: false });
  const both = standingOfTag([signature("targets", "b"), signature("targets/releases", "a")]);
  assert.deepEqual(both, { ...standing, disputed: true });
});

test("a tag is disputed when trusted roles name different images, and then only a released one has a digest", () => {
  const disputed = standingOfTag([signature("targets/qa", "a"), signature("targets/ops", "b")]);
  assert.deepEqual(disputed, { released: false, orphaned: false, disputed: true, digest: "", length: 0 });
  assert.ok(!standingOfTag([signature("targets/qa", "a"), signature("targets/ops", "b", "ORPHANED")]).disputed);
});

test("a tag is orphaned when no signature of it is trusted", () => {
  for (const state of ["ORPHANED", "EXPIRED", "OUTSIDE_PATHS"] as const) {
    const standing = standingOfTag([signature("targets/releases", "a", state), signature("targets/qa", "b", state)]);
    assert.deepEqual(standing, { released: false, orphaned: true, disputed: false, digest: "", length: 0 });
  }
});

test("a standing never claims two things that exclude each other, whatever the signatures and their order", () => {
  const signatures = fc.uniqueArray(
    fc.record({
      role: fc.constantFrom("targets", "targets/ops", "targets/qa", "targets/releases").map((role) => role as RoleName),
      state: fc.constantFrom("TRUSTED", "ORPHANED", "EXPIRED", "OUTSIDE_PATHS"),
      digest: fc.constantFrom("sha256:a", "sha256:b"),
      length: fc.constant(1),
    }),
    { selector: ({ role }) => role, minLength: 1 },
  );
  fc.assert(
    fc.property(signatures, (all) => {
      const standing = standingOfTag(all);
      assert.ok(!(standing.orphaned && (standing.released || standing.disputed)));
      assert.equal(standing.digest === "", standing.orphaned || (standing.disputed && !standing.released));
      const trusted: readonly string[] = all.filter(({ state }) => state === "TRUSTED").map(({ digest }) => digest);
      assert.ok(standing.digest === "" || trusted.includes(standing.digest));
      assert.deepEqual(standingOfTag([...all].reverse()), standing);
    }),
  );
});
