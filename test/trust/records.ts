import type { Queryable } from "../../src/database.ts";

/** A record of what became of a publication, as the audit log keeps it. */
export interface PublicationRecord {
  /** Such as `publication.landed.v1`. */
  readonly type: string;
  readonly signed: boolean;
  readonly detail: string;
  readonly fromGeneration: string;
  readonly toGeneration: string;
  /** Hex SHA-256 of the signed bytes by `<version>.<role>`; empty where they were never signed. */
  readonly files: Readonly<Record<string, string>>;
}

interface Row {
  readonly type: string;
  readonly publication: {
    readonly signed: boolean;
    readonly detail?: string;
    readonly from_generation: string;
    readonly to_generation: string;
    readonly roles: readonly { readonly role: string; readonly version: number; readonly sha256?: string }[];
  };
}

/** The records of a GUN's publications in order, those that wait for the sequencer included. */
export async function publicationRecords(db: Queryable, gun: string): Promise<readonly PublicationRecord[]> {
  const rows = await db.rows<Row>(
    `select record->>'event_type' as type, record->'publication' as publication from (
       select convert_from(leaf, 'UTF8')::jsonb->'record' as record from audit.entry where gun = :gun
       union all select convert_from(record, 'UTF8')::jsonb from audit.intake) r
     where record->>'gun' = :gun and record->'publication' is not null order by record->>'event_id'`,
    { gun },
  );
  return rows.map(({ type, publication }) => ({
    type,
    signed: publication.signed,
    detail: publication.detail ?? "",
    fromGeneration: publication.from_generation,
    toGeneration: publication.to_generation,
    files: Object.fromEntries(publication.roles.map((one) => [`${one.version}.${one.role}`, one.sha256 ?? ""])),
  }));
}
