import type { Queryable } from "../../database.ts";
import { Fault } from "../../errors.ts";
import type { Gun, Parsed, TeamId } from "../../names.ts";
import type { Labels } from "../../teams/labels.ts";

/** At most so many repositories in one batch. */
export const mostInBatch = 10_000;

declare const brand: unique symbol;
/** How the GUNs of some repositories begin; empty for all. */
export type GunPrefix = string & { readonly [brand]: "GunPrefix" };

/** Repositories by what is known of them; all that is given must hold. */
export interface Selection {
  readonly gunPrefix: GunPrefix;
  readonly labels: Labels;
  /** Empty: whoever may sign. */
  readonly team: TeamId | "";
}

/** Parses how GUNs begin: at most 255 of the characters that GUNs are made of. */
export function parseGunPrefix(text: string): Parsed<GunPrefix> {
  if (!/^[a-z0-9.:_/-]{0,255}$/.test(text)) {
    return {
      ok: false,
      fault: "must be the beginning of a GUN: at most 255 lower-case letters, digits and `. : _ / -`",
    };
  }
  return { ok: true, value: text as GunPrefix };
}

/** The GUNs that are selected now, ascending. More than a batch may hold are refused, not cut. */
export async function selectGuns(db: Queryable, { gunPrefix, labels, team }: Selection): Promise<readonly Gun[]> {
  const rows = await db.rows<{ gun: Gun }>(
    `select c.gun from collections c
     where c.state <> 'DELETED' and c.gun >= :prefix and c.gun < :prefixEnd and c.labels @> cast(:labels as jsonb)
       and (:team = '' or exists (
         select from delegations d where d.collection_id = c.id and d.team_id = :team and d.valid_to is null))
     order by c.gun limit :limit`,
    {
      prefix: gunPrefix,
      prefixEnd: `${gunPrefix}\u{10ffff}`,
      labels: JSON.stringify(Object.fromEntries(labels)),
      team,
      limit: mostInBatch + 1,
    },
  );
  if (rows.length > mostInBatch) {
    const fault = `must select at most ${mostInBatch.toLocaleString("en")} repositories; narrow it`;
    throw new Fault("INVALID_FIELD", `The selection ${fault}.`, { fields: [{ field: "selection", fault }] });
  }
  return rows.map((row) => row.gun);
}
