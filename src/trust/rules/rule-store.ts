import type { Queryable, Transaction } from "../../database.ts";
import { endOfPrefix, type Gun, type TeamId } from "../../names.ts";
import type { NewBatchItem } from "../rollouts/batch-store.ts";
import type { RulePrefix } from "./rule-prefix.ts";

/** A team for every repository below a prefix, present and future. */
export interface DelegationRule {
  readonly id: string;
  readonly gunPrefix: RulePrefix;
  readonly team: TeamId;
  readonly paths: readonly string[];
  readonly inReleases: boolean;
  /** The newest rollout that brings it to what was there; null where nothing was. */
  readonly rolloutId: string | null;
  readonly actor: string;
  readonly reason: string;
  readonly validFrom: Date;
  readonly validTo: Date | null;
}

const columns = `r.id, r.gun_prefix as "gunPrefix", r.team_id as team, r.paths, r.in_releases as "inReleases", r.rollout_id as "rolloutId",
  r.actor, r.reason, r.valid_from as "validFrom", r.valid_to as "validTo"`;

/**
 * Keeps rules still while trust for a repository is made: whichever of the two commits first, the other one sees it. Taken before any
 * other lock of the transaction.
 */
export async function holdRulesStill(tx: Transaction): Promise<void> {
  await tx.run("select 1 from delegation_rule_fence for key share");
}

/** Waits for all who make trust for a repository, and holds up those who come. Taken before any other lock of the transaction. */
export async function fenceRules(tx: Transaction): Promise<void> {
  await tx.run("select 1 from delegation_rule_fence for update");
}

/** The rule of a prefix and a team: the one in force, else the one that ended last. */
export function findRule(db: Queryable, gunPrefix: RulePrefix, team: TeamId): Promise<DelegationRule | undefined> {
  return db.row(
    `select ${columns} from delegation_rules r where r.gun_prefix = :gunPrefix and r.team_id = :team
     order by r.valid_to desc nulls first limit 1`,
    { gunPrefix, team },
  );
}

/** The rules in force that a GUN lies under: of each team the one with the longest prefix. */
export function rulesOver(db: Queryable, gun: Gun): Promise<readonly DelegationRule[]> {
  const prefixes = [...gun.matchAll(/\//g)].map((slash) => gun.slice(0, slash.index + 1));
  return db.rows(
    `select distinct on (r.team_id) ${columns} from delegation_rules r
     where r.gun_prefix = any(:prefixes) and r.valid_to is null order by r.team_id, length(r.gun_prefix) desc`,
    { prefixes },
  );
}

export interface RuleFilter {
  readonly gunPrefix: string;
  readonly team: TeamId | "";
}

/** The rules in force whose prefix begins so, by prefix and team, behind the pair given. */
export function listRuleRows(
  db: Queryable,
  { gunPrefix, team }: RuleFilter,
  after: { readonly gunPrefix: string; readonly team: string },
  limit: number,
): Promise<readonly DelegationRule[]> {
  return db.rows(
    `select ${columns} from delegation_rules r
     where r.valid_to is null and r.gun_prefix >= :gunPrefix and r.gun_prefix < :prefixEnd and (:team = '' or r.team_id = :team)
       and (r.gun_prefix, r.team_id) > (:afterPrefix, :afterTeam)
     order by r.gun_prefix, r.team_id limit :limit`,
    {
      gunPrefix,
      prefixEnd: endOfPrefix(gunPrefix),
      team,
      afterPrefix: after.gunPrefix,
      afterTeam: after.team,
      limit,
    },
  );
}

/** Whether a rule in force grants anything to the team. */
export async function hasRule(db: Queryable, team: TeamId): Promise<boolean> {
  const row = await db.row("select 1 from delegation_rules r where r.team_id = :team and r.valid_to is null limit 1", {
    team,
  });
  return row !== undefined;
}

export async function insertRule(tx: Transaction, rule: Omit<DelegationRule, "validTo">): Promise<void> {
  await tx.run(
    `insert into delegation_rules(id, gun_prefix, team_id, paths, in_releases, rollout_id, actor, reason, valid_from)
     values (:id, :gunPrefix, :team, :paths, :inReleases, :rolloutId, :actor, :reason, :validFrom)`,
    { ...rule },
  );
}

/** Notes which rollout brings the rule to what is there. */
export async function setRuleRollout(tx: Transaction, id: string, rolloutId: string): Promise<void> {
  await tx.run("update delegation_rules set rollout_id = :rolloutId where id = :id", { id, rolloutId });
}

export async function endRule(tx: Transaction, id: string, now: Date): Promise<void> {
  await tx.run("update delegation_rules set valid_to = greatest(:now, valid_from) where id = :id", { id, now });
}

/** The GUNs for which a rollout was refused or given up, ascending. */
export async function failedGuns(db: Queryable, rolloutId: string): Promise<readonly Gun[]> {
  const rows = await db.rows<{ gun: Gun }>(
    `select c.gun from rollout_items i join collections c on c.id = i.collection_id
     where i.rollout_id = :rolloutId and i.result in ('REFUSED', 'CANCELLED') and c.state <> 'DELETED' order by c.gun`,
    { rolloutId },
  );
  return rows.map(({ gun }) => gun);
}

/** The GUNs that a rule's delegations are in force on, ascending, each as an item to decide. */
export function madeByRule(db: Queryable, ruleId: string): Promise<readonly (NewBatchItem & { readonly gun: Gun })[]> {
  return db.rows(
    `select c.gun, c.id as "collectionId", null as generation, false as "isUnchanged"
     from delegations d join collections c on c.id = d.collection_id
     where d.rule_id = :ruleId and d.valid_to is null order by c.gun`,
    { ruleId },
  );
}
