import type { Knex } from "knex";

/** Which teams take proved keys only, which keys were proved, and the challenges by which they are. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
alter table teams add column requires_possession_proof boolean not null default false;
alter table signing_keys add column proved_at timestamptz;
comment on column signing_keys.proved_at is 'when its member first proved possession; null for keys taken without a proof';
create table possession_challenges(
  nonce bytea primary key check (octet_length(nonce) = 32),
  member_id text collate "C" not null references members,
  canonical_key_id text not null,
  actor text not null,
  expires_at timestamptz not null,
  used_at timestamptz
);
comment on table possession_challenges is 'all that the text to be signed is made of again; kept for a day after its end';
create index possession_challenges_by_end on possession_challenges(expires_at);
create index possession_challenges_open on possession_challenges(actor, expires_at) where used_at is null;
grant select, insert, update, delete on possession_challenges to imagetrust_app;`);
}

export function down(): never {
  throw new Error("Migrations only go forward; restore a backup instead.");
}
