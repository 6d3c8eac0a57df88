import type { Transaction } from "../../database.ts";
import { signingCertificatesOf } from "../../teams/signing-certificates-store.ts";
import { type Collection, lockCollection } from "../collection-store.ts";
import { currentDelegations, desiredOf } from "../delegation-store.ts";
import { type DesiredCollection, type DesiredDelegation, type DesiredRole, desiredRoles } from "../desired.ts";
import { type CollectionKey, collectionKeys } from "../key-store.ts";
import { newestParts, type PublishedPart } from "../published-store.ts";

/** All that a publication is computed from, of one snapshot; the collection's row is locked. */
export interface Basis {
  readonly collection: Collection;
  readonly desired: DesiredCollection;
  readonly roles: readonly DesiredRole[];
  /** Delegations whose teams have changed since they were published. */
  readonly behind: readonly DesiredDelegation[];
  readonly keys: readonly CollectionKey[];
  readonly root: PublishedPart | undefined;
  readonly targets: PublishedPart | undefined;
  readonly marks: Marks;
}

/** Where a collection's files and uploads stand. */
export interface Marks {
  /** The id of the upload that may be prepared; unused ids are skipped. */
  readonly uploadId: bigint;
  readonly hasOpenUpload: boolean;
  /** The roles of refused uploads whose slots have not decided: whatever corrects them must hold these as well. */
  readonly rejectedRoles: readonly string[];
  /** The highest targets version ever signed in this incarnation, that of the newest signed upload; 0 for none. */
  readonly highestSignedTargets: number;
  /** The newest versions verified; 0 before the first. */
  readonly seenTimestamp: number;
  readonly seenSnapshot: number;
}

/**
 * Reads the basis, in a transaction that reads one snapshot. `incarnation` is the one the collection was last seen in.
 * Undefined when nothing may be prepared now.
 */
export async function readBasis(tx: Transaction, id: bigint, incarnation: number): Promise<Basis | undefined> {
  const [collection, marks, rows, { root, targets }, keys] = await Promise.all([
    lockCollection(tx, id),
    readMarks(tx, id, incarnation),
    currentDelegations(tx, [id]),
    newestParts(tx, id, incarnation),
    collectionKeys(tx, id, incarnation),
  ]);
  const isOpen = collection?.state === "ACTIVE" && collection.blockReason === null;
  if (!isOpen || collection.incarnation !== incarnation || marks.hasOpenUpload) return undefined;
  const certificates = await signingCertificatesOf(
    tx,
    rows.map((row) => row.team),
  );
  const delegations = rows.map((row) => desiredOf(row, certificates.get(row.team) ?? []));
  const desired = { gun: collection.gun, releasesPaths: collection.releasesPaths, delegations };
  return {
    collection,
    desired,
    roles: desiredRoles(desired),
    behind: delegations.filter(
      (_, index) => (rows[index]?.publishedRevision ?? 0n) < (rows[index]?.teamRevision ?? 0n),
    ),
    keys,
    root,
    targets,
    marks,
  };
}

async function readMarks(tx: Transaction, id: bigint, incarnation: number): Promise<Marks> {
  const marks = await tx.row<Marks>(
    `select nextval('uploads_id_seq') as "uploadId",
       exists (select from uploads where collection_id = :id and state in ('PREPARED', 'READY', 'SENT')) as "hasOpenUpload",
       array(select distinct p.role from uploads u join upload_parts p on p.upload_id = u.id
         where u.collection_id = :id and u.incarnation = :incarnation and u.state = 'REJECTED') as "rejectedRoles",
       coalesce((select p.version from uploads u join upload_parts p on p.upload_id = u.id and p.role = 'targets'
         where u.collection_id = :id and u.incarnation = :incarnation and p.envelope_sha256 is not null
         order by u.id desc limit 1), 0) as "highestSignedTargets",
       coalesce((select version from seen_files
         where collection_id = :id and incarnation = :incarnation and role = 'timestamp'), 0) as "seenTimestamp",
       coalesce((select version from seen_files
         where collection_id = :id and incarnation = :incarnation and role = 'snapshot'), 0) as "seenSnapshot"`,
    { id, incarnation },
  );
  if (marks === undefined) throw new Error("a collection's marks were not read");
  return marks;
}
