import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { parseConfig, parseMigrationUrl } from "../../src/config.ts";
import { Fault } from "../../src/errors.ts";
import { loadPolicies } from "../../src/rpc/policy-set.ts";
import { settings } from "../../src/settings.ts";

const directory = mkdtempSync(join(tmpdir(), "imagetrust-hostile-"));
after(() => rmSync(directory, { recursive: true }));

/** What an environment can hold: no NUL. */
const text = fc.string({ unit: "binary", maxLength: 80 }).map((value) => value.replaceAll("\0", ""));
const plausible = fc.constantFrom(
  ...["", "off", "127.0.0.1:0", "[::]:1", "[::1", "1", "0", "999999999", "1e3", "-1", ".5", "debug", "imagetrust"],
  ...[
    "postgres://u:hunter2@db/x",
    "postgres://",
    "mysql://u:hunter2@db/x",
    "/",
    "/nonexistent",
    "https://a",
    "{}",
    "[]",
  ],
);
const server = fc.record(
  {
    name: fc.oneof(text, fc.constantFrom("main", "other")),
    baseUrl: fc.oneof(text, fc.constantFrom("https://a.b", "http://127.0.0.1:1", "http://a", "https://u:p@a?b#c")),
    publicUrl: fc.oneof(text, fc.constant("https://a.b")),
    registryHosts: fc.array(fc.oneof(text, fc.constantFrom("*", "*.a.b", "a.b:1")), { maxLength: 3 }),
    caFile: fc.oneof(text, fc.constant(import.meta.filename)),
    clientCertFile: text,
    clientKeyFile: text,
    concurrency: fc.oneof(fc.double(), fc.constantFrom(1, 64)),
    requestTimeoutMs: fc.oneof(fc.double(), fc.constantFrom(100, 600_000)),
    unknown: fc.anything(),
  },
  { requiredKeys: ["name", "baseUrl", "registryHosts"] },
);
const servers = fc.oneof(
  fc.json(),
  fc
    .array(server, { maxLength: 3 })
    .map((list) => JSON.stringify(list, (_, value) => (typeof value === "bigint" ? 0 : value))),
);

const names = [...Object.keys(settings.shape), "IMAGETRUST_LITSEN"];
function settingOf(name: string): fc.Arbitrary<string> {
  if (name.includes("NOTARY_SERVERS")) return fc.oneof(servers, text);
  // What names a file is no secret, and may be told.
  return name.endsWith("_FILE") || name.endsWith("_DIR") ? text : fc.oneof(text, plausible);
}
const environment = fc.record(Object.fromEntries(names.map((name) => [name, settingOf(name)])), { requiredKeys: [] });

/** Runs a parser of settings; what it refuses it must name by settings, and without what may be secret. */
function assertReadOrNamed(parse: () => unknown): void {
  try {
    parse();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    assert.equal(error.reason, "INVALID_FIELD");
    assert.ok(error.fields.length > 0);
    for (const { field, fault } of error.fields) {
      assert.ok(names.includes(field.replace(/[.[].*$/s, "")), field);
      assert.ok(fault.length > 10, fault);
    }
    assert.doesNotMatch(error.message, /hunter2/);
  }
}

test("any environment is a configuration, or is refused by naming its settings and nothing secret", () => {
  const property = fc.property(environment, (given) => {
    assertReadOrNamed(() => parseConfig(given));
    assertReadOrNamed(() => parseMigrationUrl(given));
  });
  fc.assert(property, { numRuns: 250 });
});

test("any list of Notary servers is read, or refused by naming what is wrong with each", () => {
  const property = fc.property(servers, fc.boolean(), (list, isFile) => {
    const file = join(directory, "servers.json");
    writeFileSync(file, list);
    const given = isFile ? { IMAGETRUST_NOTARY_SERVERS_FILE: file } : { IMAGETRUST_NOTARY_SERVERS: list };
    assertReadOrNamed(() => {
      const { notaryServers } = parseConfig(given);
      assert.ok(notaryServers.length > 0);
      for (const { publicUrl } of notaryServers) assert.match(publicUrl, /^https?:/i);
    });
  });
  fc.assert(property, { numRuns: 250 });
});

const uid = fc.record({ type: fc.constantFrom("ImageTrust::Identity", "ImageTrust::Prefix", "X", ""), id: text });
const entity = fc.record(
  {
    uid: fc.oneof(uid, fc.jsonValue()),
    attrs: fc.oneof(fc.record({ owns: fc.oneof(fc.array(uid, { maxLength: 2 }), fc.jsonValue()) }), fc.jsonValue()),
    parents: fc.oneof(fc.array(uid, { maxLength: 2 }), fc.jsonValue()),
  },
  { requiredKeys: [] },
);
const entities = fc.oneof(
  fc.json(),
  text,
  fc.array(fc.oneof(entity, fc.jsonValue()), { maxLength: 3 }).map((list) => JSON.stringify(list)),
);
const policy = fc
  .array(
    fc.oneof(
      text,
      fc.constantFrom(
        '@id("a")',
        "permit(principal, action, resource);",
        "forbid(",
        "when { principal.owns",
        "} ;",
        "?principal",
      ),
    ),
    { maxLength: 6 },
  )
  .map((parts) => parts.join(" "));

test("any policies and entities are a set whose every policy has a name, or are refused with words", () => {
  const property = fc.property(fc.option(policy, { nil: "" }), entities, (policies, list) => {
    writeFileSync(join(directory, "a.cedar"), policies);
    writeFileSync(join(directory, "entities.json"), list);
    const loaded = loadPolicies(directory);
    if (!loaded.ok) assert.ok(loaded.faults.length > 0 && loaded.faults.every((fault) => fault.length > 10));
    else for (const id of Object.keys(loaded.value.policies)) assert.match(id, /^[A-Za-z0-9._-]{1,64}$/);
  });
  fc.assert(property, { numRuns: 60 });
});

const least = {
  IMAGETRUST_NOTARY_SERVERS: '[{"name":"main","baseUrl":"https://notary.example.org","registryHosts":["*"]}]',
};

test("a key or URL put where its file's name belongs is not repeated", () => {
  const key = randomBytes(32).toString("base64");
  const url = "postgres://u:hunter2@db/x";
  assert.throws(
    () => parseConfig({ ...least, IMAGETRUST_KEY_ENCRYPTION_KEY_FILE: key, IMAGETRUST_DATABASE_URL_FILE: url }),
    (error) => error instanceof Fault && !error.message.includes(key) && !error.message.includes("hunter2"),
  );
});

test("a policy directory that cannot be looked at is a named fault", () => {
  assert.throws(
    () => parseConfig({ ...least, IMAGETRUST_POLICY_DIR: "x".repeat(5_000) }),
    (error) => error instanceof Fault && error.fields[0]?.field === "IMAGETRUST_POLICY_DIR",
  );
});
