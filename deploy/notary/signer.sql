-- The schema of notary-signer 0.7.0 on PostgreSQL, for the database in its storage.db_url.
create table if not exists private_keys(
  id serial primary key,
  created_at timestamp,
  updated_at timestamp,
  deleted_at timestamp,
  key_id varchar(255) not null unique,
  encryption_alg varchar(255) not null,
  keywrap_alg varchar(255) not null,
  algorithm varchar(50) not null,
  passphrase_alias varchar(50) not null,
  public bytea not null,
  private bytea not null,
  gun varchar(255) not null,
  role varchar(255) not null,
  last_used timestamp,
  unique(key_id, algorithm)
);
