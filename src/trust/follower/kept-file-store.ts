import type { Transaction } from "../../database.ts";
import type { RoleName, TufKeyId } from "../../names.ts";
import type { Collection } from "../collection-store.ts";

/** The file of a role with this hash (hex); undefined where it was not kept. */
export function keptFile(
  tx: Transaction,
  { id, incarnation }: Collection,
  role: RoleName,
  sha256: string,
): Promise<{ readonly bytes: Buffer } | undefined> {
  return tx.row(
    `select k.bytes from delegation_files f join kept_files k on k.sha256 = f.sha256
     where f.collection_id = :id and f.incarnation = :incarnation and f.role = :role and f.sha256 = decode(:sha256, 'hex') limit 1`,
    { id, incarnation, role, sha256 },
  );
}

/**
 * Marks a file as valid that was not when it was kept, with the keys that sign it now; answers its id, undefined where it was valid
 * before or a newer valid one is there.
 */
export async function markValid(
  tx: Transaction,
  { id, incarnation }: Collection,
  file: { readonly role: RoleName; readonly sha256: string; readonly version: number },
  signedBy: readonly TufKeyId[],
): Promise<bigint | undefined> {
  const row = await tx.row<{ id: bigint }>(
    `update delegation_files f set is_valid = true, signed_by = :signedBy
     where f.collection_id = :id and f.incarnation = :incarnation and f.role = :role and f.sha256 = decode(:sha256, 'hex')
       and f.version = :version and not f.is_valid and not exists (
         select from delegation_files n where n.collection_id = f.collection_id and n.incarnation = f.incarnation and n.role = f.role
           and n.is_valid and n.version >= f.version)
     returning f.id`,
    { id, incarnation, ...file, signedBy },
  );
  return row?.id;
}
