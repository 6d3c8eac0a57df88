import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { renderConfigurationPage } from "../../scripts/docs.ts";
import { parseConfig, parseMigrationUrl } from "../../src/config.ts";
import { Fault } from "../../src/errors.ts";

const directory = mkdtempSync(join(tmpdir(), "imagetrust-config-"));
after(() => rmSync(directory, { recursive: true }));

function file(name: string, content: string): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

const notary = JSON.stringify([
  { name: "main", baseUrl: "https://notary.example.org", registryHosts: ["dtr.example.org"] },
]);
const least = { IMAGETRUST_NOTARY_SERVERS: notary };

function faultsOf(environment: Record<string, string>): Map<string, string> {
  try {
    parseConfig(environment);
  } catch (error) {
    assert.ok(error instanceof Fault);
    return new Map(error.fields.map(({ field, fault }) => [field, fault]));
  }
  return new Map();
}

test("with a Notary server alone everything else has its default and the development stand-ins", () => {
  const config = parseConfig(least);
  assert.deepEqual(config.listen, { host: "127.0.0.1", port: 8443 });
  assert.deepEqual(config.metricsListen, { host: "127.0.0.1", port: 9464 });
  assert.equal(config.databaseUrl, undefined);
  assert.equal(config.tls, undefined);
  assert.equal(config.policyDirectory, undefined);
  assert.equal(config.keyEncryptionKey, undefined);
  assert.deepEqual([config.rootLifeDays, config.targetsLifeDays], [3650, 180]);
  assert.equal(config.notaryServers[0]?.publicUrl, "https://notary.example.org");
  assert.deepEqual(config.unknownVariables, []);
});

test("every fault is named at once, by its variable", () => {
  const faults = faultsOf({
    IMAGETRUST_LISTEN: "8443",
    IMAGETRUST_METRICS_LISTEN: "[::]:70000",
    DATABASE_URL: "mysql://root:hunter2@db/x",
    IMAGETRUST_DATABASE_CONNECTIONS: "many",
    IMAGETRUST_TLS_CERT_FILE: "/nonexistent.pem",
    IMAGETRUST_DEPLOYMENT: "Prod!",
    IMAGETRUST_TARGETS_LIFE_DAYS: "0",
    IMAGETRUST_LOG_LEVEL: "loud",
    IMAGETRUST_TRACE_SAMPLING_RATIO: "1.5",
    IMAGETRUST_NOTARY_SERVERS: JSON.stringify([
      { name: "main", baseUrl: "ftp://x", registryHosts: ["dtr.example.org"] },
      { name: "main", baseUrl: "https://notary.example.org", registryHosts: [] },
    ]),
  });
  assert.deepEqual(
    new Set(faults.keys()),
    new Set([
      "DATABASE_URL",
      "IMAGETRUST_DATABASE_CONNECTIONS",
      "IMAGETRUST_DEPLOYMENT",
      "IMAGETRUST_KEY_ENCRYPTION_KEY_FILE",
      "IMAGETRUST_LISTEN",
      "IMAGETRUST_LOG_LEVEL",
      "IMAGETRUST_METRICS_LISTEN",
      "IMAGETRUST_NOTARY_SERVERS[0].baseUrl",
      "IMAGETRUST_NOTARY_SERVERS[1].name",
      "IMAGETRUST_NOTARY_SERVERS[1].registryHosts",
      "IMAGETRUST_POLICY_DIR",
      "IMAGETRUST_TARGETS_LIFE_DAYS",
      "IMAGETRUST_TLS_CERT_FILE",
      "IMAGETRUST_TLS_CLIENT_CA_FILE",
      "IMAGETRUST_TLS_KEY_FILE",
      "IMAGETRUST_TRACE_SAMPLING_RATIO",
    ]),
  );
  assert.doesNotMatch([...faults.values()].join(), /hunter2/);
});

test("secrets may come from files, and never from both places", () => {
  const url = file("url", "postgres://imagetrust_app:secret@db.example.org/imagetrust\n");
  const key = file("kek", Buffer.alloc(32, 7).toString("base64"));
  const config = parseConfig({
    ...least,
    IMAGETRUST_DATABASE_URL_FILE: url,
    IMAGETRUST_KEY_ENCRYPTION_KEY_FILE: key,
  });
  assert.equal(config.databaseUrl, "postgres://imagetrust_app:secret@db.example.org/imagetrust");
  assert.deepEqual(config.keyEncryptionKey, { file: key });
  const twice = faultsOf({
    ...least,
    DATABASE_URL: "postgres://db/x",
    IMAGETRUST_DATABASE_URL_FILE: url,
    IMAGETRUST_KEY_ENCRYPTION_KEY: "x",
    IMAGETRUST_KEY_ENCRYPTION_KEY_FILE: key,
  });
  assert.deepEqual([...twice.keys()], ["IMAGETRUST_DATABASE_URL_FILE", "IMAGETRUST_KEY_ENCRYPTION_KEY_FILE"]);
});

test("member authorities are files that can be read, and revocation lists need them", () => {
  const [ca, list] = [file("ca.pem", "x"), file("ca.crl", "x")];
  const given = {
    ...least,
    IMAGETRUST_MEMBER_CA_FILE: ca,
    IMAGETRUST_MEMBER_CRL_FILES: `${list}, ${list}`,
    IMAGETRUST_REQUIRE_POSSESSION_PROOF: "on",
  };
  const config = parseConfig(given);
  assert.deepEqual(config.memberAuthorities, { bundleFile: ca, listFiles: [list, list] });
  assert.equal(config.requirePossessionProof, true);
  const { memberAuthorities, requirePossessionProof } = parseConfig(least);
  assert.deepEqual([memberAuthorities, requirePossessionProof], [undefined, false]);
  const without = faultsOf({
    ...least,
    IMAGETRUST_MEMBER_CRL_FILES: `${list},/nonexistent`,
    IMAGETRUST_LOG_LEVEL: "loud",
  });
  assert.deepEqual(
    new Set(without.keys()),
    new Set(["IMAGETRUST_MEMBER_CA_FILE", "IMAGETRUST_MEMBER_CRL_FILES", "IMAGETRUST_LOG_LEVEL"]),
  );
  const wrong = faultsOf({
    ...given,
    IMAGETRUST_MEMBER_CRL_FILES: `${list},`,
    IMAGETRUST_REQUIRE_POSSESSION_PROOF: "yes",
  });
  assert.deepEqual(
    new Set(wrong.keys()),
    new Set(["IMAGETRUST_MEMBER_CRL_FILES", "IMAGETRUST_REQUIRE_POSSESSION_PROOF"]),
  );
});

test("a file with a wrong database URL is named without its content", () => {
  const url = file("bad-url", "db.example.org password=hunter2");
  const faults = faultsOf({ ...least, IMAGETRUST_DATABASE_URL_FILE: url, IMAGETRUST_KEY_ENCRYPTION_KEY: "x" });
  assert.match(faults.get("IMAGETRUST_DATABASE_URL_FILE") ?? "", /postgres:\/\//);
  assert.doesNotMatch([...faults.values()].join(), /hunter2/);
});

test("Notary servers may stand in a file; text that is no list of servers is refused", () => {
  assert.equal(parseConfig({ IMAGETRUST_NOTARY_SERVERS_FILE: file("n", notary) }).notaryServers[0]?.name, "main");
  assert.ok(faultsOf({ IMAGETRUST_NOTARY_SERVERS: "{" }).has("IMAGETRUST_NOTARY_SERVERS"));
  assert.ok(faultsOf({}).has("IMAGETRUST_NOTARY_SERVERS"));
  const faults = faultsOf({ IMAGETRUST_NOTARY_SERVERS: '[{"name":"a","baseUrl":"https://a","registryHost":["x.y"]}]' });
  assert.match(faults.get("IMAGETRUST_NOTARY_SERVERS[0]") ?? "", /registryHost/);
});

test("an empty variable is not set, and a misspelt one is named", () => {
  const config = parseConfig({
    ...least,
    IMAGETRUST_LISTEN: "",
    IMAGETRUST_LITSEN: "127.0.0.1:1",
    IMAGETRUST_ADDRESS: "localhost:8443",
    IMAGETRUST_SERVICE_HOST: "10.0.0.1",
    IMAGETRUST_PORT: "tcp://10.0.0.1:8443",
    IMAGETRUST_PORT_8443_TCP: "tcp://10.0.0.1:8443",
  });
  assert.equal(config.listen.port, 8443);
  assert.deepEqual(config.unknownVariables, ["IMAGETRUST_LITSEN"]);
});

test("metrics can be switched off, and addresses may be IPv6", () => {
  const config = parseConfig({ ...least, IMAGETRUST_METRICS_LISTEN: "off", IMAGETRUST_LISTEN: "[::]:0" });
  assert.equal(config.metricsListen, undefined);
  assert.deepEqual(config.listen, { host: "::", port: 0 });
});

test("migrate needs the owner's URL and nothing else", () => {
  assert.equal(
    parseMigrationUrl({ IMAGETRUST_MIGRATION_DATABASE_URL: "postgres://owner@db/x", IMAGETRUST_LISTEN: "nonsense" }),
    "postgres://owner@db/x",
  );
  assert.throws(() => parseMigrationUrl({}), /IMAGETRUST_MIGRATION_DATABASE_URL must be set/);
});

test("docs/configuration.md is what scripts/docs makes", async () => {
  const page = await readFile(new URL("../../docs/configuration.md", import.meta.url), "utf8");
  assert.equal(page, renderConfigurationPage(), "run scripts/docs");
});
