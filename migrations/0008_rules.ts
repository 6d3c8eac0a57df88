import type { Knex } from "knex";

/** Rules: a team for every repository below a prefix, present and future. Additive; what runs without it goes on. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(rules);
}

export function down(): never {
  throw new Error("Migrations only go forward; restore a backup instead.");
}

const rules = `
create table delegation_rules(
  id uuid primary key,
  gun_prefix text collate "C" not null check (right(gun_prefix, 1) = '/' and octet_length(gun_prefix) <= 255),
  team_id text collate "C" not null references teams,
  paths text[] not null check (cardinality(paths) > 0),
  in_releases boolean not null,
  rollout_id uuid references rollouts,
  actor text not null,
  reason text not null,
  valid_from timestamptz not null,
  valid_to timestamptz,
  check (valid_to >= valid_from)
);
comment on column delegation_rules.rollout_id is 'brings the rule to what was there already; null where nothing was';
create unique index delegation_rules_in_force on delegation_rules(gun_prefix, team_id) where valid_to is null;
create index delegation_rules_of_team on delegation_rules(team_id) where valid_to is null;
create table delegation_rule_fence(one boolean primary key default true check (one));
insert into delegation_rule_fence default values;
comment on table delegation_rule_fence is
  'held shared while trust is made, alone while a rule begins or ends: each repository is found by the rule, or finds it';
alter table delegations add column rule_id uuid references delegation_rules;
comment on column delegations.rule_id is 'the rule that made it; null where somebody did';
create index delegations_of_rule on delegations(rule_id) where rule_id is not null and valid_to is null;
alter table rollout_grants add column rule_id uuid references delegation_rules;
alter table rollout_grants add column ends boolean not null default false;
comment on column rollout_grants.ends is 'the batch ends what the rule made, instead of making it';
grant select, insert, update on delegation_rules to imagetrust_app;
grant select, update on delegation_rule_fence to imagetrust_app;`;
