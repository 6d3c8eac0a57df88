import type { Queryable } from "../../database.ts";
import { Fault } from "../../errors.ts";
import { endOfPrefix, type Gun, type GunPrefix, type TeamId } from "../../names.ts";
import type { Labels } from "../../teams/labels.ts";

/** At most so many repositories in one batch. */
export const mostInBatch = 10_000;

/** Repositories by what is known of them; all that is given must hold. */
export interface Selection {
  readonly gunPrefix: GunPrefix;
  readonly labels: Labels;
  /** Empty: whoever may sign. */
  readonly team: TeamId | "";
}

/** The GUNs that are selected now, ascending. More than a batch may hold are refused, not cut, under the name of `field`. */
export async function selectGuns(
  db: Queryable,
  { gunPrefix, labels, team }: Selection,
  field = "selection",
): Promise<readonly Gun[]> {
  const rows = await db.rows<{ gun: Gun }>(
    `select c.gun from collections c
     where c.state <> 'DELETED' and c.gun >= :prefix and c.gun < :prefixEnd and c.labels @> cast(:labels as jsonb)
       and (:team = '' or exists (
         select from delegations d where d.collection_id = c.id and d.team_id = :team and d.valid_to is null))
     order by c.gun limit :limit`,
    {
      prefix: gunPrefix,
      prefixEnd: endOfPrefix(gunPrefix),
      labels: JSON.stringify(Object.fromEntries(labels)),
      team,
      limit: mostInBatch + 1,
    },
  );
  if (rows.length > mostInBatch) {
    const fault = `must select at most ${mostInBatch.toLocaleString("en")} repositories; narrow it`;
    throw new Fault("INVALID_FIELD", `The selection ${fault}.`, { fields: [{ field, fault }] });
  }
  return rows.map((row) => row.gun);
}
