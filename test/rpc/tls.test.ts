import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openCertificates } from "../../src/rpc/tls.ts";
import { createAuthority, issueIdentity } from "../../src/x509/authority.ts";
import { collectedLog, noMetrics, until } from "./fixtures.ts";
import { writeTls } from "./test-server.ts";

const directory = mkdtempSync(join(tmpdir(), "imagetrust-tls-"));
after(() => rmSync(directory, { recursive: true }));
const now = new Date();
const authority = await createAuthority("authority", 20, now);
const issue = (days: number) =>
  issueIdentity(authority, { name: "server", purposes: ["server"], dns: ["localhost"], days }, now);

test("files that cannot be used are refused at the start, every fault named", async () => {
  const identity = await issue(10);
  const files = writeTls(directory, { ...identity, privateKeyPem: (await issue(10)).privateKeyPem }, authority);
  writeFileSync(files.clientCaFile, "nothing");
  await assert.rejects(openCertificates(files, collectedLog().log, noMetrics), (error: Error) => {
    assert.match(error.message, /ca\.pem holds no PEM certificate/);
    assert.match(error.message, /server\.key is not the key of the certificate/);
    assert.doesNotMatch(error.message, /BEGIN/);
    return true;
  });
  await assert.rejects(
    openCertificates({ ...files, certFile: "/nonexistent" }, collectedLog().log, noMetrics),
    /nonexistent cannot be read \(ENOENT\)/,
  );
});

test("a certificate that ends within a week is warned of", async () => {
  const { log, lines } = collectedLog();
  const source = await openCertificates(writeTls(directory, await issue(2), authority), log, noMetrics);
  source.close();
  assert.match(lines.join(), /ends within a week/);
});

test("a mounted secret that is swapped by its symlink is taken up by itself", async () => {
  const mount = join(directory, "mount");
  const [first, second] = [await issue(10), await issue(11)];
  for (const [name, identity] of Object.entries({ one: first, two: second })) {
    await mkdir(join(mount, name), { recursive: true });
    writeTls(join(mount, name), identity, authority);
  }
  symlinkSync("one", join(mount, "data"));
  for (const name of ["server.pem", "server.key", "ca.pem"]) symlinkSync(`data/${name}`, join(mount, name));
  const files = {
    certFile: join(mount, "server.pem"),
    keyFile: join(mount, "server.key"),
    clientCaFile: join(mount, "ca.pem"),
  };
  const source = await openCertificates(files, collectedLog().log, noMetrics, 3_600_000);
  after(() => source.close());
  const told: string[] = [];
  source.onChange((material) => told.push(material.cert.toString()));
  symlinkSync("two", join(mount, "data.new"));
  renameSync(join(mount, "data.new"), join(mount, "data"));
  await until(() => told.length > 0);
  assert.equal(source.current.cert.toString(), second.certificatePem);
  assert.deepEqual(told, [second.certificatePem]);
});

test("files that vanish leave the last good pair in use; polling finds what no event told", async () => {
  const files = writeTls(directory, await issue(10), authority);
  const results: string[] = [];
  const metrics = { ...noMetrics, certificatesReloaded: (result: string) => void results.push(result) };
  const source = await openCertificates(files, collectedLog().log, metrics, 20);
  after(() => source.close());
  const before = source.current;
  unlinkSync(files.keyFile);
  await until(() => results.includes("kept"));
  assert.equal(source.current, before);
});
