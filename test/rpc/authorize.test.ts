import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createAuthorizer, openPolicyDirectory } from "../../src/rpc/authorize.ts";
import { loadPolicies } from "../../src/rpc/policy-set.ts";
import { auditOf, certificate, collection, collectionsUnder, member, rollout, team } from "../../src/rpc/resource.ts";
import { collectedLog, noMetrics, until } from "./fixtures.ts";

const directories: string[] = [];
after(() => directories.forEach((directory) => void rmSync(directory, { recursive: true, force: true })));

function policyDirectory(files: Readonly<Record<string, string>>): string {
  const directory = mkdtempSync(join(tmpdir(), "imagetrust-policies-"));
  directories.push(directory);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content);
  return directory;
}

const uid = (type: string, id: string) => ({ type: `ImageTrust::${type}`, id });
const identity = (id: string, attrs: Record<string, unknown>, ...parents: unknown[]) => ({
  uid: uid("Identity", id),
  attrs,
  parents,
});
const entities = JSON.stringify([
  identity("root", {}, uid("Role", "admin")),
  identity("spiffe://x/dev", { owns: [uid("Prefix", "dtr.example.org/dev/")] }),
  identity("one-repo", { owns: [uid("Prefix", "dtr.example.org/dev/nginx")] }),
  identity("qa-lead", { teams: [uid("Team", "qa")] }),
  identity("alice", { members: [uid("Member", "alice")] }),
  identity("watcher", {}, uid("Role", "viewer")),
  identity("inspector", {}, uid("Group", "revision")),
  { uid: uid("Group", "revision"), attrs: {}, parents: [uid("Role", "auditor")] },
]);

const loaded = loadPolicies(policyDirectory({ "entities.json": entities }));
assert.ok(loaded.ok, JSON.stringify(loaded));
const authorizer = createAuthorizer(loaded.value);

const devNginx = collection("dtr.example.org/dev/nginx");
const prodNginx = collection("dtr.example.org/prod/nginx");
const all = ["root", "spiffe://x/dev", "one-repo", "qa-lead", "alice", "watcher", "inspector", "stranger"];
const readers = ["watcher", "inspector", "root"];

/** Who is permitted; everybody else of `all` is not. */
const table: readonly (readonly [string, ReturnType<typeof collection>, readonly string[]])[] = [
  ["InitializeTrust", devNginx, ["root", "spiffe://x/dev", "one-repo"]],
  ["Delegate", devNginx, ["root", "spiffe://x/dev", "one-repo"]],
  ["Undelegate", devNginx, ["root", "spiffe://x/dev", "one-repo"]],
  ["DeleteTrust", devNginx, ["root", "spiffe://x/dev", "one-repo"]],
  ["Delegate", prodNginx, ["root"]],
  ["Delegate", collection("dtr.example.org/devious/nginx"), ["root"]],
  ["Delegate", collection("dtr.example.org/dev/nginx-exporter"), ["root", "spiffe://x/dev"]],
  ["Delegate", collection("evil.org/dtr.example.org/dev/nginx"), ["root"]],
  ["Delegate", collection(`dtr.example.org/dev/${"a".repeat(300)}`), ["root"]],
  ["Delegate", collection(""), ["root"]],
  ["BatchDelegate", devNginx, ["root", "spiffe://x/dev", "one-repo"]],
  ["BatchDelegate", collectionsUnder("dtr.example.org/"), ["root"]],
  ["CreateDelegationRule", collectionsUnder("dtr.example.org/dev/"), ["root", "spiffe://x/dev"]],
  ["CreateDelegationRule", collectionsUnder("dtr.example.org/dev/web/"), ["root", "spiffe://x/dev"]],
  ["CreateDelegationRule", collectionsUnder("dtr.example.org/"), ["root"]],
  ["DeleteDelegationRule", collectionsUnder("dtr.example.org/dev/"), ["root", "spiffe://x/dev"]],
  ["DeleteDelegationRule", collectionsUnder("dtr.example.org/prod/"), ["root"]],
  ["ListDelegationRules", collectionsUnder("dtr.example.org/dev/"), [...readers, "spiffe://x/dev"]],
  ["ListDelegationRules", team("qa"), [...readers, "qa-lead"]],
  ["ListRollouts", rollout(""), readers],
  ["WatchRollout", rollout("1"), all.filter((id) => id !== "stranger")],
  ["CancelRollout", rollout("1"), ["root", "spiffe://x/dev", "one-repo", "qa-lead", "alice"]],
  ["GetTrust", devNginx, [...readers, "spiffe://x/dev", "one-repo"]],
  ["GetDelegation", prodNginx, readers],
  ["ListTrusts", collectionsUnder(""), readers],
  ["ListTrusts", collectionsUnder("dtr.example.org/dev"), readers],
  ["ListTrusts", collectionsUnder("dtr.example.org/dev/"), [...readers, "spiffe://x/dev"]],
  ["ListTrusts", collectionsUnder("dtr.example.org/dev/nginx"), [...readers, "spiffe://x/dev"]],
  ["ListDelegations", devNginx, [...readers, "spiffe://x/dev", "one-repo"]],
  ["ListDelegations", team("qa"), [...readers, "qa-lead"]],
  ["ListAuthority", devNginx, [...readers, "spiffe://x/dev", "one-repo"]],
  ["ListAuthority", collectionsUnder("dtr.example.org/dev/"), [...readers, "spiffe://x/dev"]],
  ["ListAuthority", team("qa"), [...readers, "qa-lead"]],
  ["ListAuthority", member("alice"), readers],
  ["ListAuthority", certificate("1b"), readers],
  ["CreateTeam", team("qa"), ["root", "qa-lead"]],
  ["CreateTeam", team("ops"), ["root"]],
  ["UpdateTeam", team("qa"), ["root", "qa-lead"]],
  ["AddMember", team("qa"), ["root", "qa-lead"]],
  ["RemoveMember", team("ops"), ["root"]],
  ["DeleteTeam", team("qa"), ["root", "qa-lead"]],
  ["GetTeam", team("ops"), all.filter((id) => id !== "stranger")],
  ["ListCertificates", member("bob"), all.filter((id) => id !== "stranger")],
  ["ListTeams", team(""), all.filter((id) => id !== "stranger")],
  ["SubmitCertificate", member("alice"), ["root", "alice"]],
  ["SubmitCertificate", member("bob"), ["root"]],
  ["CreatePossessionChallenge", member("alice"), ["root", "alice"]],
  ["RevokeCertificate", certificate("0190f7d3-0f3c-7cc1-9b3e-2f1c0d3e4a5b"), ["root"]],
  ["GetRollout", rollout("0190f7d3-0f3c-7cc1-9b3e-2f1c0d3e4a5b"), all.filter((id) => id !== "stranger")],
  ["ListAuditRecords", auditOf({ gun: "", team: "", member: "" }), ["root", "inspector"]],
  ["GetAuditRecord", auditOf({ gun: "", team: "", member: "" }), ["root", "inspector"]],
  [
    "ListAuditRecords",
    auditOf({ gun: "dtr.example.org/dev/nginx", team: "", member: "" }),
    ["root", "inspector", "spiffe://x/dev", "one-repo"],
  ],
  [
    "ListAuditRecords",
    auditOf({ gun: "dtr.example.org/prod/nginx", team: "qa", member: "" }),
    ["root", "inspector", "qa-lead"],
  ],
  ["ListAuditRecords", auditOf({ gun: "", team: "", member: "alice" }), ["root", "inspector", "alice"]],
];

for (const [action, resource, permitted] of table) {
  test(`the default set permits ${action} on ${resource.type} "${resource.id.slice(0, 60)}" to ${permitted.join(", ")} only`, () => {
    const found = all.filter((caller) => authorizer.decide(caller, action, resource).decision === "ALLOW");
    assert.deepEqual(new Set(found), new Set(permitted));
  });
}

test("a decision names action, resource and the deciding policies with their version", () => {
  const { version } = authorizer;
  assert.match(version, /^[0-9a-f]{12}$/);
  assert.deepEqual(authorizer.decide("spiffe://x/dev", "Delegate", devNginx), {
    action: "Delegate",
    resource: 'Collection::"dtr.example.org/dev/nginx"',
    decision: "ALLOW",
    policies: [`owner@${version}`],
  });
  assert.deepEqual(authorizer.decide("stranger", "Delegate", devNginx).policies, [`default-deny@${version}`]);
});

test("what the schema does not know is denied, to admins too", () => {
  assert.equal(authorizer.decide("root", "Explode", devNginx).decision, "DENY");
  assert.equal(authorizer.decide("root", "GetAuditRecord", devNginx).decision, "DENY");
});

test("the default set is what the documentation describes", () => {
  const ids = ["admin", "owner", "team-owner", "member-owner", "participant", "viewer", "auditor"];
  assert.deepEqual(new Set(Object.keys(loaded.value.policies)), new Set(ids));
});

test("policies of one's own replace the default set and may speak of attributes", () => {
  const own = loadPolicies(
    policyDirectory({
      "a.cedar":
        '@id("night") permit(principal, action == ImageTrust::Action::"GetTrust", resource) when { resource.gun like "*/public/*" };',
      "entities.json": "[]",
    }),
  );
  assert.ok(own.ok);
  const night = createAuthorizer(own.value);
  assert.equal(night.decide("anybody", "GetTrust", collection("a.b/public/c")).decision, "ALLOW");
  assert.equal(night.decide("anybody", "GetTrust", devNginx).decision, "DENY");
});

test("a broken directory is refused at the start with every fault named", async () => {
  const directory = policyDirectory({
    "a.cedar": "permit(principal action, resource);",
    "b.cedar":
      '@id("x") permit(principal, action, resource) when { principal.tem };\npermit(principal, action, resource);',
    "c.cedar": '@id("x") permit(principal, action, resource);',
    "entities.json": JSON.stringify([
      identity("a", { owns: [uid("Prefix", "/dev/")] }),
      identity("b", { own: [] }),
      identity("b", {}, uid("Rol", "admin")),
      "text",
    ]),
  });
  await assert.rejects(openPolicyDirectory(directory, collectedLog().log, noMetrics), (error: Error) => {
    for (const fault of [
      /a\.cedar:1: unexpected token/,
      /attribute `tem`/,
      /every policy needs an @id/,
      /@id "x" is used twice/,
      /entities\.json\[0\].*owns "\/dev\/"/,
      /entities\.json\[1\].*`own`/,
      /entities\.json\[2\].*Rol/,
      /entities\.json\[3\]/,
    ]) {
      assert.match(error.message, fault);
    }
    return true;
  });
});

test("a directory that is missing, has no entities, or holds no JSON is refused with words", () => {
  const faultsOf = (directory: string) => {
    const answer = loadPolicies(directory);
    return answer.ok ? "" : answer.faults.join();
  };
  assert.match(faultsOf("/nonexistent"), /cannot be read \(ENOENT\)/);
  assert.match(faultsOf(policyDirectory({})), /entities\.json is missing/);
  assert.match(faultsOf(policyDirectory({ "entities.json": "{" })), /must be a JSON list/);
});

test("changed policies are taken up; broken ones are refused, said so, and the last good set goes on", async () => {
  const directory = policyDirectory({ "entities.json": entities });
  const { log, lines } = collectedLog();
  const reloads: string[] = [];
  const metrics = { ...noMetrics, policiesReloaded: (result: string) => void reloads.push(result) };
  const policies = await openPolicyDirectory(directory, log, metrics, 60_000);
  after(() => policies.close());
  const before = policies.version;
  assert.equal(policies.decide("newcomer", "Delegate", devNginx).decision, "DENY");

  writeFileSync(join(directory, "entities.json"), JSON.stringify([identity("newcomer", {}, uid("Role", "admin"))]));
  await until(() => policies.version !== before);
  assert.equal(policies.decide("newcomer", "Delegate", devNginx).decision, "ALLOW");
  assert.equal(policies.decide("root", "Delegate", devNginx).decision, "DENY");

  const good = policies.version;
  writeFileSync(join(directory, "entities.json"), "nonsense");
  await policies.reload();
  assert.equal(policies.version, good);
  assert.equal(policies.decide("newcomer", "Delegate", devNginx).decision, "ALLOW");
  assert.deepEqual(reloads, ["changed", "kept"]);
  assert.match(lines.join(), /kept the old policies/);
});

test("an answer is shared among the repositories of a prefix, under the name of each, and never where a policy looks at one", () => {
  const decide = (by: typeof authorizer, gun: string) => by.decide("spiffe://x/dev", "Delegate", collection(gun));
  const [one, other] = ["dtr.example.org/dev/one", "dtr.example.org/dev/other"].map((gun) => decide(authorizer, gun));
  assert.deepEqual([one?.decision, one?.resource], ["ALLOW", 'Collection::"dtr.example.org/dev/one"']);
  assert.deepEqual(other, { ...one, resource: 'Collection::"dtr.example.org/dev/other"' });
  const policies = {
    owner: '@id("owner") permit(principal, action, resource) when { resource in principal.owns };',
    never: '@id("never") forbid(principal, action, resource) when { resource has gun && resource.gun like "*/other" };',
  };
  assert.ok(loaded.ok);
  const narrow = createAuthorizer({ ...loaded.value, policies });
  assert.equal(decide(narrow, "dtr.example.org/dev/one").decision, "ALLOW");
  assert.equal(decide(narrow, "dtr.example.org/dev/other").decision, "DENY");
});
