import type { Queryable } from "../../src/database.ts";

/** A record of signatures, as the audit log keeps it. */
export interface ToldChange {
  /** Such as `added`. */
  readonly what: string;
  readonly role: string;
  readonly version: number;
  readonly tags: readonly string[];
  readonly members: readonly string[];
  readonly teams: readonly string[];
  /** Where a publication is behind it: the version of its targets, and whose keys left the role and joined it. */
  readonly cause?: { readonly targets: number; readonly left: readonly string[]; readonly joined: readonly string[] };
}

/** The records of a GUN's signatures in order, those that wait for the sequencer included. */
export async function signatureRecordsOf(db: Queryable, gun: string): Promise<readonly ToldChange[]> {
  const rows = await db.rows<{ type: string; told: Told }>(
    `select record->>'event_type' as type, coalesce(nullif(record#>'{change,after}', 'null'), record#>'{change,before}') as told from (
       select idx as place, 0 as part, convert_from(leaf, 'UTF8')::jsonb->'record' as record from audit.entry where gun = :gun
       union all
       select id, 1, convert_from(record, 'UTF8')::jsonb from audit.intake) r
     where record->>'event_type' like 'signature.%' and record->>'gun' = :gun order by part, place`,
    { gun },
  );
  return rows.map(({ type, told }) => ({
    what: type.split(".")[1] ?? "",
    role: told.role,
    version: told.version,
    tags: told.tags.map(({ tag }) => tag),
    members: told.keys.map(({ member }) => member),
    teams: told.teams,
    ...(told.cause === undefined ? {} : { cause: causeOf(told.cause) }),
  }));
}

function causeOf({
  targets_version,
  keys_removed,
  keys_added,
}: NonNullable<Told["cause"]>): NonNullable<ToldChange["cause"]> {
  const members = (keys: readonly { readonly member: string }[]) => keys.map(({ member }) => member);
  return { targets: targets_version, left: members(keys_removed), joined: members(keys_added) };
}

interface Told {
  readonly role: string;
  readonly version: number;
  readonly tags: readonly { readonly tag: string }[];
  readonly keys: readonly { readonly member: string }[];
  readonly teams: readonly string[];
  readonly cause?: {
    readonly targets_version: number;
    readonly keys_removed: readonly { readonly member: string }[];
    readonly keys_added: readonly { readonly member: string }[];
  };
}
