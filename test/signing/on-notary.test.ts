import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, describe, it } from "node:test";
import { openDatabase } from "../../src/database.ts";
import {
  type Gun,
  parseGun,
  type RoleName,
  releasesRole,
  rootRole,
  type TufKeyId,
  targetsRole,
} from "../../src/names.ts";
import { openNotaryServers } from "../../src/notary/directory.ts";
import type { BackendKey } from "../../src/signing/backend.ts";
import { parseKeyEncryptionKey } from "../../src/signing/key-encryption-key.ts";
import { openSealedBackend } from "../../src/signing/sealed.ts";
import { signPayload } from "../../src/signing/sign.ts";
import { canonicalKeyIdOf, certificateKey, parseServerKey, type TufKey, tufKeyIdOf } from "../../src/tuf/key.ts";
import { envelopeOf, rootPayload, targetsPayload } from "../../src/tuf/payload.ts";
import { issueRootCertificate } from "../../src/x509/root-certificate.ts";
import { startNotary } from "../stack/notary.ts";
import { makeNotaryCli } from "../stack/notary-cli.ts";
import { startPostgres } from "../stack/postgres.ts";
import { daysFrom, makeCertificate } from "../x509/make-certificate.ts";

const postgres = await startPostgres();
after(() => postgres.stop());
const notary = await startNotary(postgres);
after(() => notary.stop());
const database = openDatabase({ url: postgres.appUrl });
after(() => database.close());
const servers = openNotaryServers([{ name: "main", baseUrl: notary.url, caFile: notary.caFile, registryHosts: ["*"] }]);
after(() => servers.close());
const server = servers.byName("main");
const kek = parseKeyEncryptionKey(randomBytes(32).toString("hex"));
assert.ok(kek.ok);
const backend = openSealedBackend(database, kek.value, "test");

const never = new AbortController().signal;
const now = new Date();
const only = (key: TufKey) => ({ keyIds: [tufKeyIdOf(key)], threshold: 1 });

function gunOf(length: number): Gun {
  const gun = parseGun("dtr.example.org/dev/nginx-".padEnd(length, "long"));
  assert.ok(gun.ok && gun.value.length === length);
  return gun.value;
}

/** Publishes root and targets with sealed keys, one delegate's key in targets/releases. */
async function publish(gun: Gun, delegate: TufKey): Promise<void> {
  const slot = { gun, incarnation: 1, ordinal: 0 };
  const rootSigner = await backend.generate({ ...slot, role: "root" }, never);
  const targetsSigner = await backend.generate({ ...slot, role: "targets" }, never);
  const pem = await issueRootCertificate({
    gun,
    spki: rootSigner.spki,
    serial: randomBytes(16),
    notBefore: daysFrom(now, -1),
    notAfter: daysFrom(now, 3650),
    sign: (tbs) => signPayload(backend, rootSigner, tbs, never),
  });
  const root = certificateKey(pem);
  assert.equal(canonicalKeyIdOf(root), rootSigner.id);
  const targets: TufKey = { keyType: "ecdsa", public: targetsSigner.spki };
  const [snapshot, timestamp] = await Promise.all(
    (["snapshot", "timestamp"] as const).map(async (role) =>
      parseServerKey(await server.readServerKey(gun, role, never)),
    ),
  );
  assert.ok(snapshot && timestamp);
  const rootBytes = rootPayload({
    version: 1,
    expires: daysFrom(now, 3650),
    keys: [root, targets, snapshot, timestamp],
    roles: { root: only(root), targets: only(targets), snapshot: only(snapshot), timestamp: only(timestamp) },
  });
  const targetsBytes = targetsPayload({
    version: 1,
    expires: daysFrom(now, 1000),
    targets: new Map(),
    keys: [delegate],
    roles: [{ name: releasesRole, paths: [""], ...only(delegate) }],
  });
  const files = [
    await signed(rootRole, rootBytes, rootSigner, tufKeyIdOf(root)),
    await signed(targetsRole, targetsBytes, targetsSigner, tufKeyIdOf(targets)),
  ];
  assert.deepEqual(await server.upload(gun, files, never), { kind: "ACCEPTED" });
}

async function signed(role: RoleName, payload: Buffer, key: BackendKey, keyId: TufKeyId) {
  const sig = await signPayload(backend, key, payload, never);
  return { role, bytes: envelopeOf(payload, [{ keyId, method: "ecdsa", sig }]) };
}

describe("a collection whose keys are sealed", () => {
  for (const length of [30, 64, 65, 128, 254, 255]) {
    it(`is trusted by the notary command under a GUN of ${length} characters`, async (t) => {
      const gun = gunOf(length);
      const delegate = certificateKey(makeCertificate(now, { name: "alice" }).pem);
      await publish(gun, delegate);
      const cli = await makeNotaryCli(notary);
      t.after(() => cli.remove());
      assert.match(await cli.mustRun("list", gun), /No targets present/);
      const delegations = await cli.mustRun("delegation", "list", gun);
      assert.match(delegations, /targets\/releases/);
      assert.match(delegations.replaceAll(/\s/g, ""), new RegExp(canonicalKeyIdOf(delegate)));
    });
  }

  it("is trusted under a pin to the root certificate of a long GUN, and not under another pin", async (t) => {
    const gun = gunOf(200);
    await publish(gun, certificateKey(makeCertificate(now).pem));
    const bytes = await server.readVersion(gun, rootRole, 1, never);
    const roles = JSON.parse(String(bytes)).signed.roles;
    const pinnedTo = (id: string) => makeNotaryCli(notary, { config: { trust_pinning: { certs: { [gun]: [id] } } } });
    const right = await pinnedTo(roles.root.keyids[0]);
    const wrong = await pinnedTo("0".repeat(64));
    t.after(() => Promise.all([right.remove(), wrong.remove()]));
    await right.mustRun("list", gun);
    assert.notEqual((await wrong.run("list", gun)).code, 0);
  });
});
