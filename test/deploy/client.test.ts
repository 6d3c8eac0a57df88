import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { issueClient } from "../../deploy/prepare/client.ts";
import { loadPolicies } from "../../src/rpc/policy-set.ts";
import { openPrepared, type Prepared } from "./prepared.ts";

let prepared: Prepared;

before(async () => {
  prepared = await openPrepared();
  assert.equal((await prepared.run()).code, 0);
});

after(() => prepared.remove());

const pathOf = (file: string) => join(prepared.folder, file);
const read = (file: string) => readFileSync(pathOf(file), "utf8");

/** Roles and prefixes of an identity, as imagetrust reads them; undefined for one that the file does not know. */
function rightsOf(name: string): unknown {
  const loaded = loadPolicies(pathOf("imagetrust/policies"));
  assert.ok(loaded.ok);
  const entity = loaded.value.entities.get(`ImageTrust::Identity::"${name}"`);
  const owned = entity?.attrs["owns"] as readonly { readonly id: string }[] | undefined;
  return entity && [entity.parents.map((it) => ("id" in it ? it.id : it)), owned?.map(({ id }) => id)];
}

test("a further client certificate is one of imagetrust's authority, fits its key, and is valid for a year", async () => {
  assert.deepEqual(await prepared.run("client", "ci", "--role", "viewer"), {
    code: 0,
    stdout: "issued ci.pem and ci-key.pem\n",
    stderr: "",
  });
  const certificate = new X509Certificate(read("client/ci.pem"));
  const authority = new X509Certificate(read("imagetrust/client-ca.pem"));
  assert.ok(certificate.checkIssued(authority) && certificate.verify(authority.publicKey));
  assert.ok(certificate.checkPrivateKey(createPrivateKey(read("client/ci-key.pem"))));
  assert.equal(certificate.subject, "CN=ci");
  assert.deepEqual(certificate.keyUsage, ["1.3.6.1.5.5.7.3.2"]);
  const days = (certificate.validToDate.getTime() - Date.now()) / 86_400_000;
  assert.ok(days > 364 && days <= 365, String(days));
  for (const file of ["ci.pem", "ci-key.pem"]) {
    const { mode, uid } = statSync(pathOf(`client/${file}`));
    assert.deepEqual([mode & 0o777, uid], [0o400, statSync(pathOf("client/admin.pem")).uid]);
  }
  assert.deepEqual(rightsOf("ci"), [["viewer"], []]);
});

test("owners are given prefixes, and another call gives other rights in their place", async () => {
  const first = ["client", "portal", "--owns", "dtr.example.org/dev/", "--owns", "dtr.example.org/base", "--days", "7"];
  assert.equal((await prepared.run(...first)).code, 0);
  assert.deepEqual(rightsOf("portal"), [[], ["dtr.example.org/dev/", "dtr.example.org/base"]]);
  const ends = new X509Certificate(read("client/portal.pem")).validToDate.getTime();
  assert.ok(ends - Date.now() <= 7 * 86_400_000);
  assert.equal((await prepared.run("client", "portal", "--role", "auditor")).code, 0);
  assert.deepEqual(rightsOf("portal"), [["auditor"], []]);
  assert.deepEqual(rightsOf("admin"), [["admin"], []]);
});

test("without rights asked for, a certificate is renewed and the rights stay", async () => {
  const old = read("client/admin.pem");
  assert.equal((await prepared.run("client", "admin")).code, 0);
  assert.notEqual(read("client/admin.pem"), old);
  assert.deepEqual(rightsOf("admin"), [["admin"], []]);
});

test("rights are withdrawn from one identity, and from nobody by a slip of the pen", async () => {
  assert.equal((await prepared.run("client", "gone", "--role", "admin")).code, 0);
  assert.equal((await prepared.run("withdraw", "gone")).code, 0);
  assert.equal(rightsOf("gone"), undefined);
  assert.deepEqual(rightsOf("viewer"), [["viewer"], []]);
  const entities = read("imagetrust/policies/entities.json");
  assert.deepEqual(await prepared.run("withdraw", "gone"), {
    code: 1,
    stdout: "",
    stderr: "prepare: gone has no rights\n",
  });
  assert.equal(read("imagetrust/policies/entities.json"), entities);
});

const refused = [
  { name: "ca", says: /the name ca is taken/ },
  { name: "notary-ca", says: /is taken/ },
  { name: "viewer-key", says: /is taken/ },
  { name: "../imagetrust/server", says: /NAME must be/ },
  { name: "Portal", says: /NAME must be/ },
  { name: "bad", owns: ["*"], says: /owns "\*", which is neither a prefix/ },
];

test("a name that would take another file's place, and rights that imagetrust would refuse, change nothing", async () => {
  const entities = read("imagetrust/policies/entities.json");
  const authority = read("client/ca.pem");
  for (const { name, owns = [], says } of refused) {
    const request = { name, owns, role: "admin", days: 1 };
    await assert.rejects(issueClient(prepared.folder, request, new Date()), says);
  }
  assert.equal(read("imagetrust/policies/entities.json"), entities);
  assert.equal(read("client/ca.pem"), authority);
  assert.ok(!existsSync(pathOf("client/bad.pem")) && !existsSync(pathOf("imagetrust/policies.new")));
});

test("policies of one's own count: what does not fit them is refused", async () => {
  const own = pathOf("imagetrust/policies/own.cedar");
  writeFileSync(own, '@id("own") permit(principal, action, resource) when { principal.tem };');
  const request = { name: "late", owns: [], role: "viewer", days: 1 };
  await assert.rejects(issueClient(prepared.folder, request, new Date()), /tem/);
  rmSync(own);
  assert.ok(!existsSync(pathOf("client/late.pem")));
});

test("without the authority's key, or before the first start, it says so", async () => {
  const other = await openPrepared();
  const early = await other.run("client", "ci");
  assert.equal(early.code, 1);
  assert.match(early.stderr, /nothing is prepared yet/);
  mkdirSync(join(other.folder, "client"));
  writeFileSync(join(other.folder, "client/complete"), "");
  const keyless = await other.run("client", "ci");
  assert.equal(keyless.code, 1);
  assert.match(keyless.stderr, /the authority's key cannot be read in .* \(ENOENT\)/);
  await other.remove();
});
