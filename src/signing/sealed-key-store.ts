import type { Queryable } from "../database.ts";
import type { CanonicalKeyId, Gun } from "../names.ts";
import type { KeySlot } from "./backend.ts";
import type { SealedKey } from "./seal.ts";

interface Row {
  readonly key_id: CanonicalKeyId;
  readonly gun: Gun;
  readonly role: KeySlot["role"];
  readonly incarnation: number;
  readonly ordinal: number;
  readonly algorithm: string;
  readonly spki: Buffer;
  readonly kek_id: string;
  readonly data_key: Buffer;
  readonly data_key_nonce: Buffer;
  readonly sealed: Buffer;
  readonly nonce: Buffer;
}

const columns = `key_id, gun, role, incarnation, ordinal, algorithm, spki, kek_id, data_key, data_key_nonce, sealed, nonce`;

/** Stores a key, unless its slot has one already. */
export async function insertSealedKey(db: Queryable, key: SealedKey): Promise<void> {
  const { slot, ...rest } = key;
  await db.run(
    `insert into sealed_keys(${columns}, created_at)
     values (:id, :gun, :role, :incarnation, :ordinal, :algorithm, :spki, :kekId, :dataKey, :dataKeyNonce, :sealed, :nonce, now())
     on conflict do nothing`,
    { ...slot, ...rest },
  );
}

export async function sealedKeyOfSlot(db: Queryable, slot: KeySlot): Promise<SealedKey | undefined> {
  const row = await db.row<Row>(
    `select ${columns} from sealed_keys
     where gun = :gun and role = :role and incarnation = :incarnation and ordinal = :ordinal`,
    { ...slot },
  );
  return row && sealedKeyOf(row);
}

export async function sealedKeyById(db: Queryable, id: CanonicalKeyId): Promise<SealedKey | undefined> {
  const row = await db.row<Row>(`select ${columns} from sealed_keys where key_id = :id`, { id });
  return row && sealedKeyOf(row);
}

/** Any one key that is sealed under that key-encryption key. */
export async function someSealedKey(db: Queryable, kekId: string): Promise<SealedKey | undefined> {
  const row = await db.row<Row>(`select ${columns} from sealed_keys where kek_id = :kekId limit 1`, { kekId });
  return row && sealedKeyOf(row);
}

/** The ids of key-encryption keys, other than the given one, that stored keys are sealed under: at most two, from both ends. */
export async function otherKekIds(db: Queryable, kekId: string): Promise<readonly string[]> {
  // Two looks at the ends of the index, however many keys there are.
  const sql = `(select kek_id from sealed_keys where kek_id < :kekId order by kek_id limit 1)
     union (select kek_id from sealed_keys where kek_id > :kekId order by kek_id desc limit 1) order by kek_id`;
  return (await db.rows<{ kek_id: string }>(sql, { kekId })).map((row) => row.kek_id);
}

function sealedKeyOf(row: Row): SealedKey {
  return {
    id: row.key_id,
    algorithm: row.algorithm,
    slot: { gun: row.gun, role: row.role, incarnation: row.incarnation, ordinal: row.ordinal },
    spki: row.spki,
    kekId: row.kek_id,
    dataKey: row.data_key,
    dataKeyNonce: row.data_key_nonce,
    sealed: row.sealed,
    nonce: row.nonce,
  };
}
