import { X509Certificate } from "node:crypto";
import type { ChangeOptions } from "../changes/options.ts";
import type { Publication, RoleVersion } from "../changes/outcome.ts";
import { type Listing, type Page, type PageRequest, pageOf, readPageToken } from "../changes/page-token.ts";
import type { KeyRef } from "../changes/plan.ts";
import type { Database, Queryable } from "../database.ts";
import { Fault } from "../errors.ts";
import type { Gun, RoleName, TufKeyId } from "../names.ts";
import { parseTargets } from "../tuf/envelope.ts";
import { canonicalKeyIdOf, type TufKey, tufKeyIdOf } from "../tuf/key.ts";
import { isValidWith } from "../tuf/orphans.ts";
import {
  type Collection,
  type CollectionFilter,
  type CollectionState,
  findCollection,
  listCollections,
  stateOf,
} from "./collection-store.ts";
import { currentDelegations } from "./delegation-store.ts";
import { type Delegation, viewDelegations } from "./delegation-view.ts";
import { type CollectionKey, collectionKeys } from "./key-store.ts";
import { gunKey } from "./page-keys.ts";
import { publicationFor, waiting } from "./publication-view.ts";
import { newestParts, type SeenFile, seenFiles } from "./published-store.ts";

/** A role as Notary was last seen to hold it; see imagetrust.v1.RoleState. */
export interface RoleState {
  readonly version: RoleVersion;
  readonly keys: readonly KeyRef[];
  readonly threshold: number;
  readonly paths: readonly string[];
  readonly signed: boolean;
  readonly orphaned: boolean;
}

/** The trust of one repository: what is decided, what is live, and what clients pin; see imagetrust.v1.Trust. */
export interface Trust {
  readonly gun: Gun;
  readonly state: CollectionState;
  readonly publication: Publication;
  readonly etag: string;
  readonly displayName: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly roles: readonly RoleState[];
  readonly desiredDelegations: readonly Delegation[];
  readonly publishedDelegations: readonly RoleState[];
  /** Empty before the first publication was prepared, as are the two below. */
  readonly rootCertificatePem: string;
  readonly rootCertificateSha256: string;
  /** The root's TUF key id: what a client's trust_pinning names. */
  readonly rootPin: string;
  readonly notary: string;
  readonly releasesPaths: readonly string[];
  readonly createdAt: Date;
  readonly verifiedAt: Date | undefined;
}

/** The etag of a collection: changes with what is decided about it. */
export function trustEtag(collection: Collection): string {
  return `${collection.incarnation}.${collection.generation}`;
}

/** Refuses with ETAG_MISMATCH when the caller insists on another state of the collection. */
export function requireTrustEtag(options: Pick<ChangeOptions, "etag">, collection: Collection): void {
  const etag = trustEtag(collection);
  if (options.etag === "" || options.etag === etag) return;
  throw new Fault("ETAG_MISMATCH", "The trust has changed since it was read; read it again and decide anew.", {
    metadata: { etag },
  });
}

export function noSuchTrust(gun: Gun): Fault {
  return new Fault("NOT_FOUND", `There is no trust for ${gun}; call InitializeTrust first.`, { metadata: { gun } });
}

/** The trust of one repository, with everything that is known of it, built anew. */
export async function getTrust(db: Queryable, gun: Gun): Promise<Trust> {
  const collection = await findCollection(db, gun);
  if (collection === undefined) throw noSuchTrust(gun);
  return await viewTrust(db, collection);
}

/** Repositories with trust, ascending by GUN; without roles and keys. Deleted ones appear when asked for by state. */
export async function listTrusts(db: Database, filter: CollectionFilter, page: PageRequest): Promise<Page<Trust>> {
  const listing: Listing = {
    name: "trusts",
    filter: { prefix: filter.gunPrefix, team: filter.team, states: filter.states },
    key: [gunKey],
  };
  const [after = ""] = readPageToken(listing, page.token) ?? [];
  const found = await listCollections(db, filter, after, page.size + 1);
  const { items, nextToken } = pageOf(listing, page.size, found, (one) => [one.gun]);
  const trusts = await Promise.all(
    items.map(async (collection) => ({
      ...frameOf(collection, collection.derivedState),
      publication: await newestPublication(db, collection, collection.derivedState),
    })),
  );
  return { items: trusts, nextToken };
}

/** How far the newest decision has come. Changes of teams raise no generation, so what the state says of them counts besides. */
async function newestPublication(db: Queryable, collection: Collection, state: CollectionState): Promise<Publication> {
  const publication = await publicationFor(db, collection, collection.generation);
  const waitsForTeam = state === "PENDING" && publication.state === "PUBLISHED";
  return waitsForTeam ? { ...publication, ...waiting(collection) } : publication;
}

type Frame = Omit<Trust, "publication">;

function frameOf(collection: Collection, state: CollectionState): Frame {
  return {
    gun: collection.gun,
    state,
    etag: trustEtag(collection),
    displayName: collection.displayName,
    labels: collection.labels,
    roles: [],
    desiredDelegations: [],
    publishedDelegations: [],
    rootCertificatePem: "",
    rootCertificateSha256: "",
    rootPin: "",
    notary: collection.notary,
    releasesPaths: collection.releasesPaths,
    createdAt: collection.createdAt,
    verifiedAt: collection.verifiedAt ?? undefined,
  };
}

async function viewTrust(db: Queryable, collection: Collection): Promise<Trust> {
  const { id, incarnation } = collection;
  const state = await stateOf(db, id);
  const [publication, keys, parts, seen, rows] = await Promise.all([
    newestPublication(db, collection, state),
    collectionKeys(db, id, incarnation),
    newestParts(db, id, incarnation),
    seenFiles(db, id, incarnation),
    currentDelegations(db, [id]),
  ]);
  const desiredDelegations = await viewDelegations(db, rows);
  const root = keys.find((key) => key.role === "root");
  const pem = root?.certificatePem ?? "";
  return {
    ...frameOf(collection, state),
    publication,
    roles: collection.rootVersion === 0 ? [] : keys.map((key) => baseRole(key, publication.roles)),
    desiredDelegations,
    publishedDelegations:
      parts.targets === undefined ? [] : delegationRoles(parts.targets.bytes, desiredDelegations, seen),
    rootCertificatePem: pem,
    rootCertificateSha256: pem === "" ? "" : new X509Certificate(pem).fingerprint256.replaceAll(":", "").toLowerCase(),
    rootPin: root?.tufKeyId ?? "",
  };
}

function baseRole(key: CollectionKey, versions: readonly RoleVersion[]): RoleState {
  const role = key.role as RoleName;
  const version = versions.find((one) => one.role === role);
  const { tufKeyId, canonicalKeyId } = key;
  const ref: KeyRef = {
    tufKeyId,
    canonicalKeyId,
    algorithm: key.key.keyType,
    backend: key.backend ?? "",
    member: "",
    certificate: "",
  };
  return {
    version: version ?? { role, version: 0, sha256: "", expiresAt: undefined },
    keys: [ref],
    threshold: 1,
    paths: [],
    signed: version !== undefined,
    orphaned: false,
  };
}

/** The delegation roles of the published targets file, each with whether its newest known file is valid. */
function delegationRoles(
  targets: Buffer,
  desired: readonly Delegation[],
  seen: ReadonlyMap<RoleName, SeenFile>,
): readonly RoleState[] {
  const { keys, roles } = parseTargets(targets).content;
  const byId = new Map<TufKeyId, TufKey>(keys.map((key) => [tufKeyIdOf(key), key]));
  const owners = new Map(desired.flatMap((one) => one.keys.map((key) => [key.tufKeyId, key] as const)));
  return roles.map((role) => {
    const file = seen.get(role.name);
    const held = role.keyIds.flatMap((keyId) => byId.get(keyId) ?? []);
    return {
      version: { role: role.name, version: file?.version ?? 0, sha256: "", expiresAt: undefined },
      keys: held.map((key) => owners.get(tufKeyIdOf(key)) ?? strangerOf(key)),
      threshold: role.threshold,
      paths: role.paths,
      signed: file !== undefined,
      orphaned: file !== undefined && !isValidWith(file.bytes, held, role.threshold),
    };
  });
}

/** A published key whose certificate no current member has any more. */
function strangerOf(key: TufKey): KeyRef {
  return {
    tufKeyId: tufKeyIdOf(key),
    canonicalKeyId: canonicalKeyIdOf(key),
    algorithm: key.keyType,
    backend: "",
    member: "",
    certificate: "",
  };
}
