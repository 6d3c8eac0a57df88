-- The schema of notary-server 0.7.0 on PostgreSQL, for the database in its storage.db_url.
create table if not exists tuf_files(
  id serial primary key,
  created_at timestamp,
  updated_at timestamp,
  deleted_at timestamp,
  gun varchar(255) not null,
  role varchar(255) not null,
  version integer not null,
  data bytea not null,
  sha256 char(64),
  unique(gun, role, version)
);
create index if not exists tuf_files_sha256 on tuf_files(sha256);

create table if not exists change_category(category varchar(20) primary key);
insert into change_category values ('update'), ('deletion') on conflict do nothing;

create table if not exists changefeed(
  id serial primary key,
  created_at timestamp default current_timestamp,
  gun varchar(255) not null,
  version integer not null,
  sha256 char(64),
  category varchar(20) not null default 'update' references change_category
);
create index if not exists changefeed_gun on changefeed(gun);
