import type { Knex } from "knex";

/** Batches: rollouts that decide one repository after the other. Additive; what runs without it goes on. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(batches);
}

export function down(): never {
  throw new Error("Migrations only go forward; restore a backup instead.");
}

const batches = `
alter table rollouts add column cancelled_at timestamptz;
create index rollouts_newest on rollouts(created_at, id);
create table rollout_grants(
  rollout_id uuid primary key references rollouts,
  team_id text collate "C" not null references teams,
  paths text[] not null check (cardinality(paths) > 0),
  in_releases boolean not null,
  accept_orphaned boolean not null,
  accept_revived boolean not null,
  runner uuid,
  runner_until timestamptz not null default '-infinity'
);
comment on table rollout_grants is 'what a batch grants to one team; runner is a hint which replica decides it';
create index rollout_grants_by_team on rollout_grants(team_id);
create table rollout_items(
  rollout_id uuid not null references rollouts,
  collection_id bigint not null references collections,
  generation bigint,
  result text check (result in ('PUBLISHED', 'SUPERSEDED', 'UNCHANGED', 'CANCELLED', 'REFUSED')),
  detail text not null default '',
  next_attempt_at timestamptz not null default '-infinity',
  settled_at timestamptz,
  primary key(rollout_id, collection_id),
  check ((result is null) = (settled_at is null))
);
comment on table rollout_items is 'the repositories of a batch; without a generation one is not begun, with a result it is settled';
create index rollout_items_open on rollout_items(rollout_id, collection_id) where result is null;
create index rollout_items_of_collection on rollout_items(collection_id) where result is null;
grant select, insert, update on rollout_grants, rollout_items to imagetrust_app;`;
