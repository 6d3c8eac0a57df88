import type { Queryable, Transaction } from "../database.ts";
import type { CanonicalKeyId, TufKeyId } from "../names.ts";
import type { KeyType, TufKey } from "../tuf/key.ts";

export type BaseRole = "root" | "targets" | "snapshot" | "timestamp";

/** A key of one of a collection's four base roles. */
export interface CollectionKey {
  readonly role: BaseRole;
  readonly tufKeyId: TufKeyId;
  readonly canonicalKeyId: CanonicalKeyId;
  readonly key: TufKey;
  /** Where the service holds it; undefined for the two that the Notary server holds. */
  readonly backend: string | undefined;
  readonly certificatePem: string | undefined;
}

interface Row {
  readonly role: BaseRole;
  readonly tuf_key_id: TufKeyId;
  readonly canonical_key_id: CanonicalKeyId;
  readonly key_type: KeyType;
  readonly public: Buffer;
  readonly backend: string | null;
  readonly certificate_pem: string | null;
}

/** The keys in use by one incarnation of a collection; empty before its first publication was prepared. */
export async function collectionKeys(
  db: Queryable,
  collectionId: bigint,
  incarnation: number,
): Promise<readonly CollectionKey[]> {
  const rows = await db.rows<Row>(
    `select role, tuf_key_id, canonical_key_id, key_type, public, backend, certificate_pem from collection_keys
     where collection_id = :collectionId and incarnation = :incarnation and replaced_at is null order by role`,
    { collectionId, incarnation },
  );
  return rows.map((row) => ({
    role: row.role,
    tufKeyId: row.tuf_key_id,
    canonicalKeyId: row.canonical_key_id,
    key: { keyType: row.key_type, public: row.public },
    backend: row.backend ?? undefined,
    certificatePem: row.certificate_pem ?? undefined,
  }));
}

/** Adds keys to an incarnation. The collection's row must be locked: the first keys stored are the ones used. */
export async function storeKeys(
  tx: Transaction,
  collectionId: bigint,
  incarnation: number,
  keys: readonly CollectionKey[],
  now: Date,
): Promise<void> {
  for (const key of keys) {
    await tx.run(
      `insert into collection_keys(collection_id, incarnation, role, tuf_key_id, canonical_key_id, key_type, public, backend, certificate_pem, created_at)
       values (:collectionId, :incarnation, :role, :tufKeyId, :canonicalKeyId, :keyType, :public, :backend, :certificatePem, :now)
       on conflict (collection_id, incarnation, role, tuf_key_id) do update set replaced_at = null`,
      {
        collectionId,
        incarnation,
        role: key.role,
        tufKeyId: key.tufKeyId,
        canonicalKeyId: key.canonicalKeyId,
        keyType: key.key.keyType,
        public: key.key.public,
        backend: key.backend ?? null,
        certificatePem: key.certificatePem ?? null,
        now,
      },
    );
  }
}

/** Takes the server's keys of an incarnation out of use, before others are stored. */
export async function replaceServerKeys(
  tx: Transaction,
  collectionId: bigint,
  incarnation: number,
  now: Date,
): Promise<void> {
  await tx.run(
    `update collection_keys set replaced_at = :now
     where collection_id = :collectionId and incarnation = :incarnation and backend is null and replaced_at is null`,
    { collectionId, incarnation, now },
  );
}
