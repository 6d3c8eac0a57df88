import type { Knex } from "knex";

/**
 * Everything the service remembers. Bigint identities inside, text ids outside; validity intervals make "as of" one query.
 * Rows that end get `valid_to`, they are not deleted. The role `imagetrust_app` serves; the owner of these tables migrates.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(servingRole);
  const log = [audit, appendOnly, partitions];
  for (const part of [notary, keys, people, collections, uploads, changes, ...log, grants]) await knex.raw(part);
}

export function down(): never {
  throw new Error("Migrations only go forward; restore a backup instead.");
}

const servingRole = `
do $$ begin
  if not exists (select from pg_roles where rolname = 'imagetrust_app') then create role imagetrust_app nologin; end if;
exception when duplicate_object or unique_violation then null;
end $$;`;

const notary = `
create table notary_servers(
  name text primary key,
  base_url text not null,
  lease_owner uuid,
  lease_until timestamptz
);`;

const keys = `
create table sealed_keys(
  key_id text primary key,
  gun text collate "C" not null,
  role text not null,
  incarnation int not null,
  ordinal int not null,
  algorithm text not null,
  spki bytea not null,
  kek_id text not null,
  data_key bytea not null,
  data_key_nonce bytea not null,
  sealed bytea not null,
  nonce bytea not null,
  created_at timestamptz not null,
  unique(gun, role, incarnation, ordinal)
);
create index sealed_keys_by_kek on sealed_keys(kek_id);`;

const people = `
create table teams(
  id text collate "C" primary key check (id ~ '^[a-z0-9][a-z0-9_-]*$' and id <> 'releases'),
  display_name text not null default '',
  labels jsonb not null default '{}',
  revision bigint not null default 1,
  revised_at timestamptz not null,
  settled_revision bigint not null default 1,
  version bigint not null default 1,
  created_at timestamptz not null,
  deleted_at timestamptz
);
comment on column teams.revision is 'bumped when who may sign changes';
comment on column teams.settled_revision is 'every delegation of the team is published with it';
comment on column teams.version is 'bumped by any change; the etag';
create index teams_unsettled on teams(revised_at) where revision > settled_revision;

create table members(
  id text collate "C" primary key,
  kind text not null check (kind in ('PERSON', 'ROBOT')),
  display_name text not null default '',
  labels jsonb not null default '{}',
  version bigint not null default 1,
  created_at timestamptz not null
);

create table memberships(
  id bigint generated always as identity primary key,
  team_id text collate "C" not null references teams,
  member_id text collate "C" not null references members,
  valid_from timestamptz not null,
  valid_to timestamptz,
  check (valid_to >= valid_from)
);
create unique index memberships_current on memberships(team_id, member_id) where valid_to is null;
create index memberships_by_member on memberships(member_id, valid_from);
create index memberships_by_team on memberships(team_id, valid_from);

create table signing_keys(
  canonical_key_id text primary key,
  member_id text collate "C" not null references members,
  revoked_at timestamptz,
  revocation_reason text,
  check ((revoked_at is null) = (revocation_reason is null)),
  unique(canonical_key_id, member_id)
);
comment on table signing_keys is 'one key belongs to one member for ever; a revoked key never comes back';

create table certificates(
  id uuid primary key,
  canonical_key_id text not null,
  member_id text collate "C" not null,
  foreign key(canonical_key_id, member_id) references signing_keys(canonical_key_id, member_id),
  sha256 bytea not null unique,
  tuf_key_id text not null unique,
  key_type text not null,
  pem text not null,
  subject text not null,
  issuer text not null,
  serial text not null,
  not_before timestamptz not null,
  not_after timestamptz not null,
  created_at timestamptz not null,
  valid_from timestamptz not null,
  valid_to timestamptz,
  check (valid_to >= valid_from)
);
create index certificates_ending on certificates(not_after) where valid_to is null;
create index certificates_by_member on certificates(member_id, valid_from);
create index certificates_current on certificates(member_id) where valid_to is null;
create index certificates_by_key on certificates(canonical_key_id);`;

const collections = `
create table collections(
  id bigint generated always as identity primary key,
  gun text collate "C" not null unique check (octet_length(gun) between 1 and 255),
  notary text not null references notary_servers,
  key_backend text not null,
  state text not null check (state in ('ACTIVE', 'OBSERVED', 'DELETING', 'DELETED')),
  incarnation int not null default 1,
  first_generation bigint not null default 1,
  display_name text not null default '',
  labels jsonb not null default '{}',
  releases_paths text[] not null default '{""}' check (cardinality(releases_paths) > 0),
  generation bigint not null default 1,
  published_generation bigint not null default 0,
  check (published_generation <= generation),
  root_version int not null default 0,
  targets_version int not null default 0,
  dirty_since timestamptz,
  attempts int not null default 0,
  next_attempt_at timestamptz not null default '-infinity',
  pending_reason text,
  last_answer text,
  renew_at timestamptz not null default 'infinity',
  verified_at timestamptz,
  published_at timestamptz,
  block_reason text,
  block_detail text,
  blocked_at timestamptz,
  check ((block_reason is null) = (blocked_at is null)),
  created_at timestamptz not null,
  deleted_at timestamptz,
  check ((state = 'DELETED') = (deleted_at is not null))
);
comment on column collections.first_generation is 'generations below it were decided in earlier lives';
comment on column collections.root_version is 'highest landed, never lowered by a new incarnation';
create index collections_dirty on collections(dirty_since)
  where generation > published_generation and block_reason is null and deleted_at is null;
create index collections_renewal on collections(renew_at) where block_reason is null and deleted_at is null;
create index collections_blocked on collections(next_attempt_at) where block_reason is not null;
create index collections_patrol on collections(notary, verified_at);

create table collection_keys(
  collection_id bigint not null references collections,
  incarnation int not null,
  role text not null check (role in ('root', 'targets', 'snapshot', 'timestamp')),
  tuf_key_id text not null,
  canonical_key_id text not null,
  key_type text not null,
  public bytea not null,
  backend text,
  certificate_pem text,
  created_at timestamptz not null,
  replaced_at timestamptz,
  primary key(collection_id, incarnation, role, tuf_key_id)
);
comment on column collection_keys.public is 'the bytes whose base64 stands in metadata';
comment on column collection_keys.backend is 'null for keys that the Notary server holds';
create index collection_keys_by_key on collection_keys(canonical_key_id);

create table seen_files(
  collection_id bigint not null references collections,
  incarnation int not null,
  role text not null,
  version int not null,
  sha256 bytea not null,
  bytes bytea not null,
  expires_at timestamptz,
  verified_at timestamptz not null,
  primary key(collection_id, incarnation, role)
);
comment on column seen_files.expires_at is 'of timestamps only';
comment on table seen_files is 'the highest version ever verified of each role that others write';

create table delegations(
  id bigint generated always as identity primary key,
  collection_id bigint not null references collections,
  team_id text collate "C" not null references teams,
  paths text[] not null check (cardinality(paths) > 0),
  in_releases boolean not null,
  since_generation bigint not null,
  until_generation bigint,
  check ((until_generation is null) = (valid_to is null)),
  since_revision bigint not null,
  until_revision bigint,
  check ((until_revision is null) = (valid_to is null)),
  published_revision bigint not null default 0,
  valid_from timestamptz not null,
  valid_to timestamptz,
  check (valid_to >= valid_from),
  live_from timestamptz,
  live_to timestamptz,
  check (live_to >= live_from)
);
comment on column delegations.since_revision is 'the team''s when it was decided; clocks of replicas differ, revisions do not';
create unique index delegations_current on delegations(collection_id, team_id) where valid_to is null;
create index delegations_behind on delegations(team_id, published_revision) include (collection_id) where valid_to is null;
create index delegations_by_collection on delegations(collection_id, valid_from);
create index delegations_by_team on delegations(team_id, valid_from);

create table live_keys(
  collection_id bigint not null references collections,
  role text not null,
  tuf_key_id text not null,
  canonical_key_id text not null,
  live_from timestamptz not null,
  live_to timestamptz,
  check (live_to >= live_from),
  from_upload bigint not null,
  to_upload bigint,
  check ((to_upload is null) = (live_to is null))
);
comment on column live_keys.from_upload is 'the upload that brought it; uploads have an order, clocks of replicas have none';
comment on table live_keys is 'who could really sign, and when: written when a publication is read back';
create unique index live_keys_current on live_keys(collection_id, role, tuf_key_id) where live_to is null;
create index live_keys_by_key on live_keys(canonical_key_id, live_from);`;

const uploads = `
create table uploads(
  id bigint generated by default as identity primary key,
  collection_id bigint not null references collections,
  incarnation int not null,
  kind text not null check (kind in ('PUBLISH', 'RENEW', 'ROTATE', 'REPAIR')),
  from_generation bigint not null,
  to_generation bigint not null,
  check (to_generation >= from_generation),
  state text not null check (state in ('PREPARED', 'READY', 'SENT', 'LANDED', 'LOST', 'REJECTED', 'CANCELLED')),
  claim bigint not null default 1,
  claim_owner uuid,
  claim_until timestamptz,
  created_at timestamptz not null,
  ready_at timestamptz,
  sent_at timestamptz,
  closed_at timestamptz,
  check ((closed_at is null) = (state in ('PREPARED', 'READY', 'SENT'))),
  check (sent_at is not null or state not in ('SENT', 'LANDED', 'LOST', 'REJECTED')),
  seen_timestamp int not null,
  seen_snapshot int not null,
  attempts int not null default 0,
  refusals int not null default 0,
  first_refused_at timestamptz,
  version_answers int not null default 0,
  last_answer text
);
comment on column uploads.claim is 'bumped by whoever takes over; guards database writes only';
comment on column uploads.seen_timestamp is 'the timestamp version known when the upload was prepared';
create unique index one_open_upload on uploads(collection_id) where state in ('PREPARED', 'READY', 'SENT');
create index uploads_by_collection on uploads(collection_id, id);
create index uploads_rejected on uploads(collection_id) where state = 'REJECTED';

create table upload_parts(
  upload_id bigint not null references uploads,
  role text not null,
  version int not null check (version between 1 and 2147483646),
  payload bytea not null,
  payload_sha256 bytea not null,
  expires_at timestamptz not null,
  envelope bytea,
  envelope_sha256 bytea,
  check ((envelope is null) = (envelope_sha256 is null)),
  primary key(upload_id, role)
);

create table upload_delegations(
  upload_id bigint not null references uploads,
  delegation_id bigint not null references delegations,
  revision bigint not null,
  primary key(upload_id, delegation_id)
);
comment on table upload_delegations is 'which delegations, at which team revision, these bytes hold';
create index upload_delegations_by_delegation on upload_delegations(delegation_id);

create table published_parts(
  collection_id bigint not null references collections,
  incarnation int not null,
  role text not null,
  version int not null,
  sha256 bytea not null,
  bytes bytea not null,
  expires_at timestamptz not null,
  landed_at timestamptz not null,
  upload_id bigint references uploads,
  primary key(collection_id, incarnation, role, version)
);
comment on table published_parts is 'what is known to have landed; roots are kept for ever';
create index published_parts_by_upload on published_parts(upload_id);`;

const changes = `
create table rollouts(
  id uuid primary key,
  kind text not null,
  actor text not null,
  reason text not null default '',
  total int not null,
  created_at timestamptz not null,
  finished_at timestamptz
);
create index rollouts_unfinished on rollouts(created_at) where finished_at is null;
create table rollout_teams(
  rollout_id uuid not null references rollouts,
  team_id text collate "C" not null references teams,
  revision bigint not null,
  keys_added text[] not null,
  keys_removed text[] not null,
  primary key(rollout_id, team_id)
);
comment on table rollout_teams is 'all that a change of a team writes, however many collections it concerns';
create index rollout_teams_by_team on rollout_teams(team_id, revision);
create table requests(
  actor text not null,
  method text not null,
  request_id text not null,
  request_sha256 bytea not null,
  resource text not null default '',
  rollout_id uuid references rollouts,
  collection_id bigint references collections,
  generation bigint,
  created_at timestamptz not null,
  primary key(actor, method, request_id)
);
create index requests_by_age on requests(created_at);`;

const audit = `
create schema audit;
create table audit.intake(
  id bigint generated always as identity (cache 1) primary key,
  event_id uuid not null unique,
  subject_type text not null,
  subject_id text collate "C" not null,
  about_types text[] not null,
  about_ids text[] not null,
  check (cardinality(about_types) = cardinality(about_ids)),
  occurred_at timestamptz not null,
  record bytea not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
comment on table audit.intake is 'records that committed with their change and wait for the sequencer';
create table audit.entry(
  idx bigint not null primary key,
  event_id uuid not null,
  subject_type text not null,
  subject_id text collate "C" not null,
  subject_seq bigint not null,
  prev bytea,
  occurred_at timestamptz not null,
  sequenced_at timestamptz not null,
  actor text collate "C" not null,
  method text not null,
  event_type text not null,
  gun text collate "C",
  result text not null,
  severity text not null,
  trace_id text,
  leaf bytea not null
) partition by range (idx);
comment on column audit.entry.leaf is 'the bytes that are hashed; every other column is derived from them';
create index entry_by_event on audit.entry(event_id);
create index entry_by_subject on audit.entry(subject_type, subject_id, subject_seq);
create index entry_by_actor on audit.entry(actor, idx desc);
create index entry_by_type on audit.entry(event_type, idx desc);
create index entry_failures on audit.entry(idx desc) where result <> 'OK';
create table audit.entry_about(
  type text not null,
  id text collate "C" not null,
  idx bigint not null,
  primary key(type, id, idx)
);
comment on table audit.entry_about is 'all that a record is about, its subject included: for the gun, team and member filters';
create table audit.time_index(
  block bigint primary key,
  min_occurred timestamptz not null,
  max_occurred timestamptz not null
);
comment on table audit.time_index is 'per 1,024 entries, so that a time range becomes an idx range';
create table audit.subjects(
  type text not null,
  id text collate "C" not null,
  seq bigint not null,
  leaf_hash bytea not null,
  primary key(type, id)
) with (fillfactor = 70);
comment on table audit.subjects is 'heads of the subject chains: the subject_seq and leaf hash of the newest record';
create table audit.log_state(
  one boolean primary key default true check (one),
  size bigint not null default 0,
  epoch bigint not null default 0,
  origin text not null check (origin ~ '^[A-Za-z0-9._:/-]{1,255}$')
) with (fillfactor = 50);
comment on column audit.log_state.epoch is 'bumped by the sequencer that takes over';
insert into audit.log_state(origin) values ('imagetrust/' || gen_random_uuid());`;

/** Defence in depth only: whoever owns the tables can drop these triggers, and start-up looks for them. */
const appendOnly = `
create function audit.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'the audit log is append-only' using errcode = 'insufficient_privilege';
end $$;
create trigger append_only before update or delete on audit.entry for each row execute function audit.refuse_change();
create trigger never_truncated before truncate on audit.entry for each statement execute function audit.refuse_change();
create trigger append_only before update or delete on audit.entry_about for each row execute function audit.refuse_change();
create trigger never_truncated before truncate on audit.entry_about for each statement execute function audit.refuse_change();
create trigger append_only before update or delete on audit.time_index for each row execute function audit.refuse_change();
create trigger never_truncated before truncate on audit.time_index for each statement execute function audit.refuse_change();`;

/**
 * The log makes its own partitions, half of one ahead of need, in the transaction that moves a batch: the serving role may
 * not create tables, and a log that waits for an operator would stop every change on the day it is full.
 */
const partitions = `
create function audit.extend_log() returns trigger language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  width constant bigint := 10000000;
  number bigint := (new.size + width / 2) / width;
  part text := format('entry_%s', number);
begin
  if to_regclass('audit.' || part) is null then
    execute format('create table audit.%I (like audit.entry including defaults including constraints)', part);
    execute format('create trigger never_truncated before truncate on audit.%I for each statement execute function audit.refuse_change()', part);
    execute format('alter table audit.entry attach partition audit.%I for values from (%s) to (%s)', part, number * width, (number + 1) * width);
  end if;
  return null;
end $$;
revoke execute on function audit.extend_log() from public;
create trigger extend_log after insert or update of size on audit.log_state for each row execute function audit.extend_log();
update audit.log_state set size = 0;`;

const grants = `
grant usage on schema public, audit to imagetrust_app;
grant select, insert, update on all tables in schema public to imagetrust_app;
grant delete on requests to imagetrust_app;
grant usage on all sequences in schema public to imagetrust_app;
grant select on audit.intake, audit.entry, audit.entry_about, audit.time_index, audit.subjects, audit.log_state to imagetrust_app;
grant insert on audit.intake, audit.entry, audit.entry_about, audit.time_index, audit.subjects to imagetrust_app;
grant delete on audit.intake to imagetrust_app;
grant update (size, epoch) on audit.log_state to imagetrust_app;
grant update (seq, leaf_hash) on audit.subjects to imagetrust_app;`;
