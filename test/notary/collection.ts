import "reflect-metadata";
import { generateKeyPairSync, type KeyObject, sign, webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";
import type { Gun, RoleName } from "../../src/names.ts";
import type { NotaryServer } from "../../src/notary/server.ts";
import { certificateKey, parseServerKey, type TufKey, tufKeyIdOf } from "../../src/tuf/key.ts";
import { type DelegatedRole, envelopeOf, type RoleKeys, rootPayload, targetsPayload } from "../../src/tuf/payload.ts";

/** A key of ours with its private half. */
export interface Signer {
  readonly key: TufKey;
  readonly privateKey: KeyObject;
}

/** The keys of a collection under test. */
export interface CollectionKeys {
  readonly root: Signer;
  readonly targets: Signer;
  readonly snapshot: TufKey;
  readonly timestamp: TufKey;
}

export const inOneYear = new Date(Date.now() + 365 * 86_400_000);

export function makeSigner(): Signer {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { key: { keyType: "ecdsa", public: publicKey.export({ type: "spki", format: "der" }) }, privateKey };
}

/** A root key with the self-signed certificate that notary-server asks for. */
export async function makeRootSigner(gun: Gun): Promise<Signer> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [gun] }],
    keys,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: inOneYear,
    signingAlgorithm: algorithm,
    extensions: [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.codeSigning])],
  });
  const { KeyObject } = await import("node:crypto");
  return { key: certificateKey(certificate.toString("pem")), privateKey: KeyObject.from(keys.privateKey) };
}

/** New keys for a GUN, snapshot and timestamp those of the server. */
export async function makeKeys(server: NotaryServer, gun: Gun, signal: AbortSignal): Promise<CollectionKeys> {
  return {
    root: await makeRootSigner(gun),
    targets: makeSigner(),
    snapshot: parseServerKey(await server.readServerKey(gun, "snapshot", signal)),
    timestamp: parseServerKey(await server.readServerKey(gun, "timestamp", signal)),
  };
}

export function rootFile(keys: CollectionKeys, version = 1) {
  const only = (key: TufKey): RoleKeys => ({ keyIds: [tufKeyIdOf(key)], threshold: 1 });
  const payload = rootPayload({
    version,
    expires: inOneYear,
    keys: [keys.root.key, keys.targets.key, keys.snapshot, keys.timestamp],
    roles: {
      root: only(keys.root.key),
      targets: only(keys.targets.key),
      snapshot: only(keys.snapshot),
      timestamp: only(keys.timestamp),
    },
  });
  return { role: "root" as RoleName, bytes: signed(payload, keys.root) };
}

/** targets.json that delegates each role to one key. */
export function targetsFile(
  keys: CollectionKeys,
  version = 1,
  delegations: Readonly<Record<string, TufKey>> = {},
  expires = inOneYear,
) {
  const roles = Object.entries(delegations).map(
    ([name, key]): DelegatedRole => ({
      name: name as RoleName,
      keyIds: [tufKeyIdOf(key)],
      threshold: 1,
      paths: [""],
    }),
  );
  const delegated = new Map(Object.values(delegations).map((key) => [tufKeyIdOf(key), key]));
  const payload = targetsPayload({ version, expires, targets: new Map(), keys: [...delegated.values()], roles });
  return { role: "targets" as RoleName, bytes: signed(payload, keys.targets) };
}

/** A delegation's own file, with no tags in it. */
export function delegationFile(role: string, signer: Signer, version = 1) {
  const payload = targetsPayload({ version, expires: inOneYear, targets: new Map(), keys: [], roles: [] });
  return { role: role as RoleName, bytes: signed(payload, signer) };
}

function signed(payload: Buffer, { key, privateKey }: Signer): Buffer {
  const sig = sign("sha256", payload, { key: privateKey, dsaEncoding: "ieee-p1363" });
  return envelopeOf(payload, [{ keyId: tufKeyIdOf(key), method: "ecdsa", sig }]);
}
