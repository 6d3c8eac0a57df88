import type { Knex } from "knex";

/** What the follower keeps: how far it has read, every version of every delegation file, and which role held which tag from when to when. */
export async function up(knex: Knex): Promise<void> {
  for (const part of [positions, files, signatures, grants]) await knex.raw(part);
}

export function down(): never {
  throw new Error("Migrations only go forward; restore a backup instead.");
}

const positions = `
create table feed_positions(
  notary text primary key references notary_servers,
  change_id bigint not null,
  mark text not null,
  moved_at timestamptz not null
);
comment on table feed_positions is 'the last row of a server''s changefeed before which none is missing';
comment on column feed_positions.mark is 'what that row said: a feed that began anew says something else';

create table followed(
  collection_id bigint not null references collections,
  incarnation int not null,
  timestamp_version int not null,
  snapshot_version int not null,
  followed_at timestamptz not null,
  primary key(collection_id, incarnation)
);
comment on table followed is 'all that Notary published up to this timestamp is kept';`;

const files = `
create table kept_files(
  sha256 bytea primary key check (octet_length(sha256) = 32),
  bytes bytea not null
);
create table delegation_files(
  id bigint generated always as identity primary key,
  collection_id bigint not null references collections,
  incarnation int not null,
  role text collate "C" not null,
  version int not null,
  sha256 bytea not null references kept_files,
  is_valid boolean not null,
  signed_by text[] not null,
  timestamp_version int not null,
  seen_at timestamptz not null,
  unique(collection_id, incarnation, role, version, sha256)
);
comment on table delegation_files is 'every version of every delegation file that Notary has named';
comment on column delegation_files.version is '0 where the file could not be read as metadata';
comment on column delegation_files.is_valid is 'by the keys and the threshold of our targets of that time';
comment on column delegation_files.signed_by is 'TUF ids of those keys of the role whose signatures verify';
create index delegation_files_latest on delegation_files(collection_id, incarnation, role, id);`;

const signatures = `
create table signatures(
  id bigint generated always as identity primary key,
  collection_id bigint not null references collections,
  incarnation int not null,
  role text collate "C" not null,
  tag text collate "C" not null check (octet_length(tag) between 1 and 255),
  digest bytea not null check (octet_length(digest) = 32),
  length bigint not null,
  from_file bigint not null references delegation_files,
  to_file bigint references delegation_files,
  valid_from timestamptz not null,
  valid_to timestamptz,
  check ((to_file is null) = (valid_to is null))
);
comment on table signatures is 'what the newest valid file of a role said of a tag; whether it is trusted now, today''s targets tell';
comment on column signatures.to_file is 'the file that says something else, or nothing';
create unique index signatures_current on signatures(collection_id, incarnation, tag, role) where valid_to is null;
create index signatures_by_role on signatures(collection_id, incarnation, role) where valid_to is null;
create index signatures_by_tag on signatures(collection_id, incarnation, tag, valid_from);`;

const grants = `
grant select, insert on feed_positions, followed, kept_files, delegation_files, signatures to imagetrust_app;
grant update on feed_positions, followed to imagetrust_app;
grant update (to_file, valid_to) on signatures to imagetrust_app;
grant usage on all sequences in schema public to imagetrust_app;`;
