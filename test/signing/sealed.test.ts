import assert from "node:assert/strict";
import { createSecretKey, generateKeyPairSync, randomBytes } from "node:crypto";
import { after, describe, it, type TestContext } from "node:test";
import { trace } from "@opentelemetry/api";
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import { type Database, openDatabase } from "../../src/database.ts";
import type { CanonicalKeyId, Gun } from "../../src/names.ts";
import { type KeyEncryptionKey, parseKeyEncryptionKey } from "../../src/signing/key-encryption-key.ts";
import { sealKey } from "../../src/signing/seal.ts";
import { openSealedBackend } from "../../src/signing/sealed.ts";
import { insertSealedKey } from "../../src/signing/sealed-key-store.ts";
import { canonicalKeyIdOf } from "../../src/tuf/key.ts";
import { holdsPrivateKey } from "../../src/x509/private-key.ts";
import { describeKeyBackend, faultOf, isSignature, slotOf } from "../conformance/key-backend.ts";
import { startPostgres } from "../stack/postgres.ts";

const spans = new InMemorySpanExporter();
trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })] }));
const postgres = await startPostgres();
after(() => postgres.stop());

const never = new AbortController().signal;
const message = Buffer.from("planted message");
const kek = newKek();
const deployment = "test";

function newKek(): KeyEncryptionKey {
  const parsed = parseKeyEncryptionKey(randomBytes(32).toString("base64"));
  assert.ok(parsed.ok);
  return parsed.value;
}

/** A database as the serving role sees it, until the test ends. */
async function newDatabase(): Promise<Database & { drop(): Promise<void> }> {
  const created = await postgres.createDatabase();
  const database = openDatabase({ url: created.appUrl });
  const drop = async (): Promise<void> => {
    await database.close();
    await created.drop();
  };
  return { ...database, drop };
}

describeKeyBackend("sealed", async () => {
  const database = await newDatabase();
  const open = () => openSealedBackend(database, kek, deployment, { openKeys: 3 });
  return { backend: open(), again: () => Promise.resolve(open()), close: () => database.drop() };
});

async function databaseFor(t: TestContext): Promise<Database> {
  const database = await newDatabase();
  t.after(() => database.drop());
  return database;
}

describe("a sealed key", () => {
  const flip = (column: string) => `${column} = set_byte(${column}, 40, get_byte(${column}, 40) # 1)`;
  const start = (column: string) => `${column} = set_byte(${column}, 3, get_byte(${column}, 3) # 1)`;
  const other = canonicalKeyIdOf({ keyType: "ecdsa", public: randomBytes(91) });
  const cases: readonly [
    string,
    string,
    { readonly id?: CanonicalKeyId; readonly slot?: Parameters<typeof slotOf>[0] },
  ][] = [
    ["its id", `key_id = '${other}'`, { id: other }],
    ["its GUN", "gun = 'dtr.example.org/dev/other'", { slot: { gun: "dtr.example.org/dev/other" as Gun } }],
    ["its role", "role = 'root'", { slot: { role: "root" } }],
    ["its incarnation", "incarnation = 2", { slot: { incarnation: 2 } }],
    ["its ordinal", "ordinal = 1", { slot: { ordinal: 1 } }],
    ["its algorithm", "algorithm = 'ed25519'", {}],
    ["its public key", flip("spki"), {}],
    ["its key-encryption key's id", "kek_id = '0123456789abcdef'", {}],
    ["its data key", flip("data_key"), {}],
    ["its data key, cut off", "data_key = substr(data_key, 1, 10)", {}],
    ["its data key's nonce", start("data_key_nonce"), {}],
    ["its sealed bytes", flip("sealed"), {}],
    ["its tag", "sealed = set_byte(sealed, length(sealed) - 1, get_byte(sealed, length(sealed) - 1) # 1)", {}],
    ["its nonce", start("nonce"), {}],
    ["its nonce, cut off", "nonce = substr(nonce, 1, 8)", {}],
  ];
  for (const [name, change, found] of cases) {
    it(`is refused after a change in the database: ${name}`, async (t) => {
      const database = await databaseFor(t);
      const key = await openSealedBackend(database, kek, deployment).generate(slotOf(), never);
      const backend = openSealedBackend(database, kek, deployment);
      await backend.sign(key.id, message, never);
      assert.equal(await database.run(`update sealed_keys set ${change}`), 1);
      const cold = openSealedBackend(database, kek, deployment);
      const id = found.id ?? key.id;
      await assert.rejects(cold.sign(id, message, never), faultOf("SIGNING_UNAVAILABLE"));
      await assert.rejects(cold.get(id, never), faultOf("SIGNING_UNAVAILABLE"));
      await assert.rejects(cold.generate(slotOf(found.slot), never), faultOf("SIGNING_UNAVAILABLE"));
    });
  }

  it("is refused when two keys' private parts were exchanged", async (t) => {
    const database = await databaseFor(t);
    const backend = openSealedBackend(database, kek, deployment);
    const [a, b] = await Promise.all([0, 1].map((ordinal) => backend.generate(slotOf({ ordinal }), never)));
    await database.run(
      `update sealed_keys k set sealed = o.sealed, nonce = o.nonce, data_key = o.data_key, data_key_nonce = o.data_key_nonce
       from sealed_keys o where o.key_id <> k.key_id`,
    );
    const cold = openSealedBackend(database, kek, deployment);
    for (const key of [a, b]) {
      assert.ok(key);
      await assert.rejects(cold.sign(key.id, message, never), faultOf("SIGNING_UNAVAILABLE"));
    }
  });

  it("is refused when it opens but is not the private key of the stored public key", async (t) => {
    const database = await databaseFor(t);
    const [mine, theirs] = [0, 1].map(() => generateKeyPairSync("ec", { namedCurve: "P-256" }));
    assert.ok(mine && theirs);
    const spki = mine.publicKey.export({ type: "spki", format: "der" });
    const id = canonicalKeyIdOf({ keyType: "ecdsa", public: spki });
    const facts = { id, algorithm: "ecdsa", slot: slotOf(), spki };
    await insertSealedKey(database, sealKey(theirs.privateKey, facts, kek, deployment));
    const backend = openSealedBackend(database, kek, deployment);
    await assert.rejects(backend.sign(id, message, never), faultOf("SIGNING_UNAVAILABLE", /cannot be opened/));
  });

  it("is at rest in no form that anybody else could read", async (t) => {
    const database = await databaseFor(t);
    await openSealedBackend(database, kek, deployment).generate(slotOf(), never);
    const row = await database.row<Record<string, unknown>>("select * from sealed_keys");
    const bytes = Object.values(row ?? {}).filter((value) => Buffer.isBuffer(value));
    assert.equal(bytes.length, 5);
    assert.ok(bytes.every((value) => !holdsPrivateKey(value)));
  });

  it("signs on while it is open, and is judged anew once it was forgotten", async (t) => {
    const database = await databaseFor(t);
    const backend = openSealedBackend(database, kek, deployment, { openKeys: 2 });
    const [a, b, c] = await Promise.all([0, 1, 2].map((ordinal) => backend.generate(slotOf({ ordinal }), never)));
    assert.ok(a && b && c);
    await backend.sign(b.id, message, never);
    await backend.sign(c.id, message, never);
    await database.run("update sealed_keys set incarnation = 9");
    assert.ok(isSignature(b, message, await backend.sign(b.id, message, never)));
    await assert.rejects(backend.sign(a.id, message, never), faultOf("SIGNING_UNAVAILABLE"));
  });
});

describe("the check before serving", () => {
  it("passes on an empty database and on keys of its own", async (t) => {
    const backend = openSealedBackend(await databaseFor(t), kek, deployment);
    await backend.check();
    await backend.generate(slotOf(), never);
    await backend.check();
  });

  it("names the key-encryption key that stored keys need", async (t) => {
    const database = await databaseFor(t);
    const key = await openSealedBackend(database, kek, deployment).generate(slotOf(), never);
    const lost = newKek();
    const backend = openSealedBackend(database, lost, deployment);
    const expected = new RegExp(`under key-encryption key ${kek.id}, but ${lost.id} is configured`);
    await assert.rejects(backend.check(), faultOf("SIGNING_UNAVAILABLE", expected));
    await assert.rejects(backend.sign(key.id, message, never), faultOf("SIGNING_UNAVAILABLE", expected));
    await assert.rejects(backend.generate(slotOf(), never), faultOf("SIGNING_UNAVAILABLE", expected));
  });

  it("finds a key-encryption key of the right id but with other bytes", async (t) => {
    const database = await databaseFor(t);
    await openSealedBackend(database, kek, deployment).generate(slotOf(), never);
    const false_ = { id: kek.id, key: createSecretKey(randomBytes(32)) };
    await assert.rejects(openSealedBackend(database, false_, deployment).check(), faultOf("SIGNING_UNAVAILABLE"));
  });

  it("finds keys that were sealed for another deployment", async (t) => {
    const database = await databaseFor(t);
    await openSealedBackend(database, kek, "production").generate(slotOf(), never);
    const backend = openSealedBackend(database, kek, "staging");
    await assert.rejects(backend.check(), faultOf("SIGNING_UNAVAILABLE", /another deployment/));
  });
});

describe("the span of a signature", () => {
  it("names backend and role, and holds nothing of the message", async (t) => {
    const backend = openSealedBackend(await databaseFor(t), kek, deployment);
    const key = await backend.generate(slotOf(), never);
    spans.reset();
    await backend.sign(key.id, message, never);
    await assert.rejects(backend.sign("0".repeat(64) as CanonicalKeyId, message, never));
    const [good, bad] = spans.getFinishedSpans().filter((span) => span.name === "signing.sign");
    assert.deepEqual(good?.attributes, { "signing.backend": "sealed", "signing.role": "targets" });
    assert.deepEqual(bad?.attributes, { "signing.backend": "sealed" });
    assert.deepEqual([good?.status.code, bad?.status.code], [0, 2]);
    assert.ok([good, bad].every((span) => span?.events.length === 0));
  });
});
