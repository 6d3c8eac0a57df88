import { randomBytes } from "node:crypto";
import { Fault } from "../../errors.ts";
import type { RoleName } from "../../names.ts";
import type { BackendKey, KeyBackend } from "../../signing/backend.ts";
import { canonicalKeyIdOf, certificateKey, parseServerKey, type TufKey, tufKeyIdOf } from "../../tuf/key.ts";
import type { RootContent } from "../../tuf/payload.ts";
import { issueRootCertificate } from "../../x509/root-certificate.ts";
import { type Collection, lockCollection } from "../collection-store.ts";
import { type BaseRole, type CollectionKey, collectionKeys, replaceServerKeys, storeKeys } from "../key-store.ts";
import type { PublisherRoom } from "./publisher-room.ts";

const tenYearsMs = 3_650 * 86_400_000;
const minuteMs = 60_000;

/**
 * The four base keys of a collection, made and stored once: root and targets by its backend, snapshot and timestamp by Notary.
 * What is stored first is used; a crash in between leaves keys without use, never two roots. The root certificate is random,
 * so it is kept with its key.
 */
export async function provisionKeys(
  room: PublisherRoom,
  collection: Collection,
  signal: AbortSignal,
): Promise<readonly CollectionKey[]> {
  const { id, gun, incarnation } = collection;
  const stored = await collectionKeys(room.database, id, incarnation);
  if (stored.length > 0) return stored;
  const backend = backendOf(room, collection);
  const [root, targets, server] = await Promise.all([
    backend.generate({ gun, role: "root", incarnation, ordinal: 0 }, signal),
    backend.generate({ gun, role: "targets", incarnation, ordinal: 0 }, signal),
    readServerKeys(room, collection, signal),
  ]);
  const own = [
    await rootKeyOf(room, collection, backend, root, signal),
    keyOf("targets", { keyType: "ecdsa", public: targets.spki }, backend.name),
  ];
  return await room.database.transaction(async (tx) => {
    await lockCollection(tx, id);
    const first = await collectionKeys(tx, id, incarnation);
    if (first.length > 0) return first;
    await storeKeys(tx, id, incarnation, [...own, ...server], room.now());
    return await collectionKeys(tx, id, incarnation);
  });
}

/**
 * Fetches the server's keys again after it said it lacks one, and stores them where they are others than those held. Whether the root
 * that was refused names others than these: then it must be made anew.
 */
export async function holdsOtherServerKeys(
  room: PublisherRoom,
  collection: Collection,
  refused: RootContent,
  signal: AbortSignal,
): Promise<boolean> {
  const { id, incarnation } = collection;
  const fetched = await readServerKeys(room, collection, signal);
  await room.database.transaction(async (tx) => {
    await lockCollection(tx, id);
    const held = new Set((await collectionKeys(tx, id, incarnation)).map((key) => key.tufKeyId));
    if (fetched.every((key) => held.has(key.tufKeyId))) return;
    await replaceServerKeys(tx, id, incarnation, room.now());
    await storeKeys(tx, id, incarnation, fetched, room.now());
  });
  const named = new Set(refused.keys.map(tufKeyIdOf));
  return fetched.some((key) => !named.has(key.tufKeyId));
}

/** The backend that holds a collection's own keys. */
export function backendOf(room: PublisherRoom, collection: Collection): KeyBackend {
  const backend = room.backends.get(collection.keyBackend);
  if (backend !== undefined) return backend;
  throw new Fault("SIGNING_UNAVAILABLE", `The key backend ${collection.keyBackend} is not configured.`);
}

async function readServerKeys(
  room: PublisherRoom,
  collection: Collection,
  signal: AbortSignal,
): Promise<readonly CollectionKey[]> {
  const server = room.notaries.byName(collection.notary);
  const roles = ["snapshot", "timestamp"] as const;
  return await Promise.all(
    roles.map(async (role) => keyOf(role, parseServerKey(await server.readServerKey(collection.gun, role, signal)))),
  );
}

async function rootKeyOf(
  room: PublisherRoom,
  collection: Collection,
  backend: KeyBackend,
  key: BackendKey,
  signal: AbortSignal,
): Promise<CollectionKey> {
  const now = room.now().getTime();
  const certificatePem = await issueRootCertificate({
    gun: collection.gun,
    spki: key.spki,
    serial: randomBytes(16),
    notBefore: new Date(now - minuteMs),
    notAfter: new Date(now + tenYearsMs),
    sign: (tbs) => backend.sign(key.id, tbs, signal),
  });
  return { ...keyOf("root", certificateKey(certificatePem), backend.name), certificatePem };
}

function keyOf(role: BaseRole, key: TufKey, backend?: string): CollectionKey {
  return {
    role,
    tufKeyId: tufKeyIdOf(key),
    canonicalKeyId: canonicalKeyIdOf(key),
    key,
    backend,
    certificatePem: undefined,
  };
}

/** The one key of a base role. */
export function keyOfRole(keys: readonly CollectionKey[], role: BaseRole | RoleName): CollectionKey {
  const key = keys.find((one) => one.role === role);
  if (key !== undefined) return key;
  throw new Fault("SIGNING_UNAVAILABLE", `The collection has no ${role} key.`);
}
