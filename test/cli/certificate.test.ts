import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { zipSync } from "fflate";
import { TeamServiceService } from "../../gen/imagetrust/v1/team.ts";
import { createAuthority, issueIdentity } from "../../src/x509/authority.ts";
import { type FakeService, startFakeService } from "./fake-service.ts";

const { submitCertificate, replaceCertificate } = TeamServiceService;
let service: FakeService;
let certificatePem: string;
let keyPem: string;

before(async () => {
  service = await startFakeService();
  const now = new Date();
  const authority = await createAuthority("cluster", 1, now);
  const alice = await issueIdentity(authority, { name: "alice", purposes: ["client"], days: 1 }, now);
  certificatePem = alice.certificatePem;
  keyPem = alice.privateKeyPem;
  service.answer(submitCertificate, () => ({ certificate: undefined, outcome: undefined }));
  service.answer(replaceCertificate, () => ({ certificate: undefined, replaced: [], outcome: undefined }));
});
after(() => service.close());

function write(name: string, content: string | Uint8Array): string {
  const file = join(service.folder, name);
  writeFileSync(file, content);
  return file;
}

function bundle(files: Readonly<Record<string, string | Uint8Array>>, level: 0 | 6 = 6): Uint8Array {
  const entries = Object.entries(files).map(([name, content]) => {
    return [name, typeof content === "string" ? Buffer.from(content) : content] as const;
  });
  return zipSync(Object.fromEntries(entries), { level });
}

function megabytes(count: number): Uint8Array {
  return new Uint8Array(count * 1024 * 1024);
}

/** Runs `certificate add` and answers the exit code, what was printed, and the request that arrived, if one did. */
async function add(...args: readonly string[]) {
  const before = service.arrivals.length;
  const run = await service.run("certificate", "add", "alice", ...args);
  const [arrival] = service.arrivals.slice(before);
  return { ...run, arrival, request: service.requests(submitCertificate).slice(before)[0] };
}

test("a certificate file is sent as it stands", async () => {
  const { code, request } = await add(write("cert.pem", certificatePem));
  assert.equal(code, 0);
  assert.equal(request?.certificatePem, certificatePem);
  assert.equal(request.member, "alice");
});

for (const [name, level] of [
  ["compressed", 6],
  ["stored", 0],
] as const) {
  test(`of a ${name} client bundle only cert.pem is sent, and never its key`, async () => {
    const meta = JSON.stringify({ secret: "planted-secret" });
    const files = { "ca.pem": "ca", "key.pem": keyPem, "cert.pem": certificatePem, "meta.json": meta, "env.sh": "x" };
    const zip = write("ucp-bundle-alice.zip", bundle(files, level));
    const { code, request, arrival, out, err } = await add("--bundle", zip);
    assert.equal(code, 0, err);
    assert.equal(request?.certificatePem, certificatePem);
    const middle = keyPem.split("\n")[1] ?? "";
    assert.ok(middle.length > 40);
    for (const text of [arrival?.bytes.toString("latin1") ?? "", out, err]) {
      assert.ok(!text.includes(middle));
      assert.ok(!text.includes("PRIVATE KEY"));
      assert.ok(!text.includes("planted-secret"));
    }
  });
}

test("cert.pem at the top wins over those in folders, and one in a folder will do", async () => {
  const nested = { "tls/cert.pem": "wrong", "cert.pem": certificatePem };
  assert.equal((await add("--bundle", write("a.zip", bundle(nested)))).request?.certificatePem, certificatePem);
  const folded = { "ucp-bundle-alice/key.pem": keyPem, "ucp-bundle-alice/cert.pem": certificatePem };
  assert.equal((await add("--bundle", write("b.zip", bundle(folded)))).request?.certificatePem, certificatePem);
});

test("no other entry of a bundle is looked into, however large it would become", async () => {
  const files = { "key.pem": megabytes(8), "cert.pem": certificatePem };
  assert.equal((await add("--bundle", write("e.zip", bundle(files)))).request?.certificatePem, certificatePem);
});

/** What holds a private key: how it is given, and what it holds. */
const exposing: readonly (readonly [what: string, args: () => readonly string[]])[] = [
  ["a key file", () => [write("key.pem", keyPem)]],
  ["a file with certificate and key", () => [write("both.pem", certificatePem + keyPem)]],
  [
    "a client bundle given as a file",
    () => [write("c.zip", bundle({ "cert.pem": certificatePem, "key.pem": keyPem }))],
  ],
  [
    "a bundle whose cert.pem holds the key",
    () => ["--bundle", write("d.zip", bundle({ "cert.pem": certificatePem + keyPem }))],
  ],
];

for (const [what, args] of exposing) {
  test(`${what} is refused before anything leaves the machine`, async () => {
    const { code, arrival, err, out } = await add(...args());
    assert.equal(arrival, undefined);
    assert.equal(code, 1);
    assert.match(err, /^error: PRIVATE_KEY_PRESENTED: .*nothing was sent/);
    assert.ok(!(err + out).includes(keyPem.split("\n")[1] ?? "?"));
  });
}

const broken: readonly (readonly [what: string, zip: () => Uint8Array, says: RegExp])[] = [
  ["no zip at all", () => Buffer.from("not a zip"), /no zip file/],
  ["an empty file", () => new Uint8Array(0), /no zip file/],
  ["a truncated zip", () => bundle({ "cert.pem": certificatePem }).subarray(0, 200), /no zip file/],
  ["a zip without cert.pem", () => bundle({ "key.pem": keyPem }), /holds no cert\.pem/],
  [
    "a zip with two folded certificates",
    () => bundle({ "a/cert.pem": "a", "b/cert.pem": "b" }),
    /several certificates/,
  ],
  ["a bomb that says its size", () => bundle({ "cert.pem": megabytes(8) }), /larger than 64 KiB/],
  [
    "a zip of many entries",
    () => bundle(Object.fromEntries(Array.from({ length: 201 }, (_, n) => [`${n}`, ""]))),
    /more than 200 entries/,
  ],
  [
    "a zip that claims 2^32 entries",
    () => claimingEntries(bundle({ "cert.pem": certificatePem })),
    /no client bundle|no zip file/,
  ],
  ["a file of 5 MiB", () => megabytes(5), /larger than 4096 KiB/],
];

for (const [what, zip, says] of broken) {
  test(`${what} is no client bundle: exit 2, nothing sent`, async () => {
    const { code, arrival, err } = await add("--bundle", write("broken.zip", zip()));
    assert.equal(code, 2, err);
    assert.match(err, says);
    assert.equal(arrival, undefined);
  });
}

test("a bomb that lies about its size is cut off at the size it claims", async () => {
  const zip = Buffer.from(bundle({ "cert.pem": megabytes(8) }));
  const directory = zip.lastIndexOf(Buffer.from("PK\u0001\u0002"));
  zip.writeUInt32LE(1_000, directory + 24);
  const { request, err } = await add("--bundle", write("liar.zip", zip));
  assert.ok((request?.certificatePem.length ?? 0) <= 1_000, err);
});

/** A zip64 end record that claims more entries than the file can hold. */
function claimingEntries(zip: Uint8Array): Uint8Array {
  const end = zip.length - 22;
  const record = Buffer.alloc(56);
  record.writeUInt32LE(0x06064b50, 0);
  record.writeUInt32LE(0xffffffff, 32);
  record.writeUInt32LE(Buffer.from(zip).readUInt32LE(end + 16), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeUInt32LE(end, 8);
  return Buffer.concat([zip.subarray(0, end), record, locator, zip.subarray(end)]);
}

test("a replacement takes its certificate from a bundle in the same way, and never its key", async () => {
  const zip = write("replacement.zip", bundle({ "key.pem": keyPem, "cert.pem": certificatePem }));
  const { code, err } = await service.run("certificate", "replace", "1b", "--bundle", zip, "--accept-orphaned");
  assert.equal(code, 0, err);
  const request = service.requests(replaceCertificate).at(-1);
  assert.deepEqual([request?.certificate, request?.certificatePem], ["1b", certificatePem]);
  assert.equal(request?.options?.acceptOrphaned, true);
  assert.ok(!service.arrivals.at(-1)?.bytes.includes("PRIVATE KEY"));
  const arrived = service.arrivals.length;
  const alone = await service.run("certificate", "replace", "1b", write("replacement-key.pem", keyPem));
  assert.deepEqual([alone.code, service.arrivals.length], [1, arrived]);
});
