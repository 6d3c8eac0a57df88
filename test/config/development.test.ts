import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openDevelopment } from "../../src/development.ts";
import { createLogger } from "../../src/logger.ts";
import { openPolicyDirectory } from "../../src/rpc/authorize.ts";
import { createRpcMetrics } from "../../src/rpc/metrics.ts";
import { collection } from "../../src/rpc/resource.ts";
import { openCertificates } from "../../src/rpc/tls.ts";

const directory = mkdtempSync(join(tmpdir(), "imagetrust-development-"));
after(() => rmSync(directory, { recursive: true }));
const data = join(directory, "data");
const now = new Date();
const log = createLogger("silent");

test("the first start makes certificates that the server takes and keys that others cannot read", async () => {
  const { tls, clients } = await openDevelopment(data, now);
  (await openCertificates(tls, log, createRpcMetrics())).close();
  const server = new X509Certificate(readFileSync(tls.certFile));
  for (const host of ["localhost", "127.0.0.1", "::1"]) assert.ok(server.checkHost(host) ?? server.checkIP(host), host);
  const admin = new X509Certificate(readFileSync(clients.admin.certFile));
  assert.match(admin.subjectAltName ?? "", /URI:spiffe:\/\/imagetrust\.local\/admin/);
  assert.ok(admin.verify(new X509Certificate(readFileSync(tls.clientCaFile)).publicKey));
  for (const key of [tls.keyFile, clients.admin.keyFile, clients.viewer.keyFile, join(data, "tls", "ca.key")]) {
    assert.equal(statSync(key).mode & 0o777, 0o600, key);
  }
});

test("the default policies know admin and viewer", async () => {
  const { policyDirectory } = await openDevelopment(data, now);
  const policies = await openPolicyDirectory(policyDirectory, log, createRpcMetrics());
  policies.close();
  const decide = (name: string, action: string) =>
    policies.decide(`spiffe://imagetrust.local/${name}`, action, collection("a.b/c")).decision;
  assert.deepEqual(
    ["Delegate", "GetTrust"].map((action) => decide("admin", action)),
    ["ALLOW", "ALLOW"],
  );
  assert.deepEqual(
    ["Delegate", "GetTrust"].map((action) => decide("viewer", action)),
    ["DENY", "ALLOW"],
  );
});

test("the next start takes up what is there, entities that were changed included", async () => {
  const { tls, clients, policyDirectory } = await openDevelopment(data, now);
  writeFileSync(join(policyDirectory, "entities.json"), "[]");
  const before = [tls.certFile, tls.clientCaFile, clients.admin.keyFile].map((file) => readFileSync(file, "utf8"));
  await openDevelopment(data, now);
  const again = [tls.certFile, tls.clientCaFile, clients.admin.keyFile].map((file) => readFileSync(file, "utf8"));
  assert.deepEqual(again, before);
  assert.equal(readFileSync(join(policyDirectory, "entities.json"), "utf8"), "[]");
});

test("what is broken, foreign or about to end is made anew, and nothing else", async () => {
  const { tls, clients } = await openDevelopment(data, now);
  const authority = readFileSync(tls.clientCaFile, "utf8");
  writeFileSync(clients.viewer.keyFile, readFileSync(clients.admin.keyFile));
  const foreign = await openDevelopment(join(directory, "other"), now);
  for (const file of ["certFile", "keyFile"] as const) {
    writeFileSync(clients.admin[file], readFileSync(foreign.clients.admin[file]));
  }
  const serverBefore = readFileSync(tls.certFile, "utf8");
  await openDevelopment(data, now);
  const issuer = new X509Certificate(authority).publicKey;
  for (const client of Object.values(clients)) {
    const certificate = new X509Certificate(readFileSync(client.certFile));
    assert.ok(
      certificate.verify(issuer) && certificate.checkPrivateKey(createPrivateKey(readFileSync(client.keyFile))),
    );
  }
  assert.equal(readFileSync(tls.certFile, "utf8"), serverBefore);

  const nearEnd = new Date(now.getTime() + 350 * 86_400_000);
  await openDevelopment(data, nearEnd);
  assert.equal(readFileSync(tls.clientCaFile, "utf8"), authority);
  const server = new X509Certificate(readFileSync(tls.certFile));
  assert.ok(server.validToDate > new Date(nearEnd.getTime() + 300 * 86_400_000));
  assert.equal(statSync(clients.viewer.keyFile).mode & 0o777, 0o600);
});
