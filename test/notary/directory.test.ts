import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Fault } from "../../src/errors.ts";
import type { Gun } from "../../src/names.ts";
import { openNotaryServers } from "../../src/notary/directory.ts";
import { type NotaryServerSettings, parseNotarySettings } from "../../src/notary/settings.ts";
import { layTls } from "../stack/tls.ts";

const folder = mkdtempSync(join(tmpdir(), "imagetrust-notary-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const gun = (text: string) => text as Gun;

function faultsOf(settings: readonly NotaryServerSettings[]): readonly string[] {
  try {
    parseNotarySettings(settings);
  } catch (error) {
    assert.ok(error instanceof Fault);
    assert.equal(error.reason, "INVALID_FIELD");
    for (const { field, fault } of error.fields) assert.ok(error.message.includes(`${field} ${fault}`));
    return error.fields.map(({ field, fault }) => `${field} ${fault}`);
  }
  return [];
}

const good: NotaryServerSettings = { name: "main", baseUrl: "https://notary.example.org", registryHosts: ["*"] };

test("settings are filled up with defaults that are safe for notary-server 0.7", () => {
  const [endpoint] = parseNotarySettings([good]);
  assert.equal(endpoint?.concurrency, 1);
  assert.equal(endpoint?.requestTimeoutMs, 30_000);
  assert.equal(endpoint?.maxBodyBytes, 16 * 1024 ** 2);
});

const serverFaults: readonly (readonly [string, Partial<NotaryServerSettings>, RegExp])[] = [
  ["a name in capitals", { name: "Main" }, /^notaryServers\[0\]\.name must be/],
  ["no registry host", { registryHosts: [] }, /registryHosts must hold at least one/],
  ["a registry host with a path", { registryHosts: ["dtr.example.org/dev"] }, /registryHosts must hold registry hosts/],
  ["a wildcard in the middle", { registryHosts: ["a.*.org"] }, /registryHosts must hold registry hosts/],
  ["no URL", { baseUrl: "notary" }, /baseUrl must be an https URL/],
  ["another scheme", { baseUrl: "ftp://notary.example.org" }, /baseUrl must be an https URL/],
  ["plain http to another machine", { baseUrl: "http://notary.example.org" }, /baseUrl must use https/],
  ["plain http to a name like loopback", { baseUrl: "http://127.0.0.1.example.org" }, /baseUrl must use https/],
  ["a password in the URL", { baseUrl: "https://a:b@notary.example.org" }, /must not hold a user or a password/],
  ["a query in the URL", { baseUrl: "https://notary.example.org/?a=b" }, /must not hold a query/],
  ["concurrency 0", { concurrency: 0 }, /concurrency must be a whole number/],
  ["half a millisecond", { requestTimeoutMs: 0.5 }, /requestTimeoutMs must be a whole number/],
  ["no body allowed", { maxBodyBytes: 0 }, /maxBodyBytes must be a whole number/],
  ["a CA file that is not there", { caFile: "/nowhere/ca.pem" }, /caFile cannot be read \(ENOENT\)/],
  ["a client certificate without key", { clientCertFile: "/nowhere/cert.pem" }, /clientKeyFile must be given together/],
];

for (const [name, change, expected] of serverFaults) {
  test(`settings with ${name} are refused`, () => {
    const faults = faultsOf([{ ...good, ...change }]);
    assert.ok(
      faults.some((fault) => expected.test(fault)),
      faults.join("\n"),
    );
  });
}

test("every loopback address may be reached over plain http", () => {
  for (const baseUrl of ["http://127.0.0.1:4443", "http://[::1]:4443", "http://localhost/notary", "http://127.8.8.8"]) {
    assert.deepEqual(faultsOf([{ ...good, baseUrl }]), []);
  }
});

test("one error names every fault of every server", () => {
  const faults = faultsOf([
    { name: "a", baseUrl: "https://one.example.org/", registryHosts: ["*", "dtr.example.org"] },
    { name: "a", baseUrl: "https://one.example.org", registryHosts: ["dtr.example.org"], concurrency: -1 },
    { name: "c", baseUrl: "http://far.example.org", registryHosts: ["*"] },
  ]);
  assert.deepEqual(
    faults.map((fault) => fault.split(" ", 4).join(" ")),
    [
      "notaryServers[1].concurrency must be a",
      "notaryServers[2].baseUrl must use https:",
      "notaryServers[1].name must not repeat",
      "notaryServers[1].baseUrl must not repeat",
      "notaryServers[1].registryHosts must not repeat",
      "notaryServers[2].registryHosts must not repeat",
    ],
  );
});

test("no server at all is refused", () => {
  assert.match(faultsOf([])[0] ?? "", /at least one/);
});

test("TLS files must hold what they are for", async () => {
  const { caFile, server, signer } = await layTls(folder);
  const text = join(folder, "text");
  writeFileSync(text, "no certificate");
  const withTls = (files: Partial<NotaryServerSettings>) => faultsOf([{ ...good, ...files }]).join("\n");
  const client = { clientCertFile: server.certFile, clientKeyFile: server.keyFile };
  assert.equal(withTls({ caFile, ...client }), "");
  assert.match(withTls({ caFile: text }), /caFile must hold PEM certificates/);
  assert.match(withTls({ ...client, clientKeyFile: signer.keyFile }), /clientKeyFile must hold the unencrypted/);
  assert.match(withTls({ ...client, clientCertFile: text }), /clientKeyFile must hold the unencrypted/);
  assert.match(withTls({ caFile, baseUrl: "http://127.0.0.1" }), /caFile has no meaning over plain http/);
});

const servers = openNotaryServers([
  { name: "rest", baseUrl: "https://rest.example.org", registryHosts: ["*"] },
  { name: "org", baseUrl: "https://org.example.org", registryHosts: ["*.example.org", "*.example.org:5000"] },
  { name: "eu", baseUrl: "https://eu.example.org", registryHosts: ["*.eu.example.org"] },
  { name: "dtr", baseUrl: "https://dtr.example.org/notary/", registryHosts: ["dtr.eu.example.org"] },
]);
after(() => servers.close());

test("a GUN goes to the server whose registry hosts fit most closely", () => {
  const chosen = (text: string) => servers.serverFor(gun(text)).name;
  assert.equal(chosen("dtr.eu.example.org/a"), "dtr");
  assert.equal(chosen("hub.eu.example.org/a"), "eu");
  assert.equal(chosen("hub.example.org/a"), "org");
  assert.equal(chosen("hub.example.org:5000/a"), "org");
  assert.equal(chosen("hub.example.org:6000/a"), "rest");
  assert.equal(chosen("example.org/a"), "rest");
  assert.equal(chosen("notexample.org/a"), "rest");
});

test("a server asked for by name must serve the registry host", () => {
  assert.equal(servers.serverFor(gun("dtr.eu.example.org/a"), "org").name, "org");
  const refused = (text: string, name: string) => () => servers.serverFor(gun(text), name);
  assert.throws(refused("docker.io/a", "org"), { reason: "NO_SUCH_NOTARY" });
  assert.throws(refused("docker.io/a", "nobody"), { reason: "NO_SUCH_NOTARY" });
});

test("a bound collection finds its server by name only", () => {
  assert.equal(servers.byName("eu").name, "eu");
  assert.throws(() => servers.byName("gone"), { reason: "NO_SUCH_NOTARY", message: /gone; configured are rest, org/ });
});

test("a GUN that no server serves is refused", async () => {
  const few = openNotaryServers([{ ...good, registryHosts: ["dtr.example.org"] }]);
  assert.throws(() => few.serverFor(gun("hub.example.org/a")), { reason: "NO_SUCH_NOTARY" });
  await few.close();
});

test("the base URL keeps its sub-path without the slash at its end", () => {
  assert.equal(servers.byName("dtr").baseUrl, "https://dtr.example.org/notary");
});
