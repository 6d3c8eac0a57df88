#!/usr/bin/env bash
# Makes the databases and login roles of imagetrust and Notary in a new PostgreSQL; the image runs it once, on an empty volume.
set -euo pipefail

export SECRETS_DIRECTORY=${SECRETS_DIRECTORY:-/run/prepared}
export SCHEMAS_DIRECTORY=${SCHEMAS_DIRECTORY:-/opt/notary}

psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres <<'SQL'
\set owner_password `cat "$SECRETS_DIRECTORY/owner-password"`
\set app_password `cat "$SECRETS_DIRECTORY/app-password"`
\set server_password `cat "$SECRETS_DIRECTORY/notary-server-password"`
\set signer_password `cat "$SECRETS_DIRECTORY/notary-signer-password"`
\set server_schema `echo "$SCHEMAS_DIRECTORY/server.sql"`
\set signer_schema `echo "$SCHEMAS_DIRECTORY/signer.sql"`
create role imagetrust_owner login password :'owner_password';
create role imagetrust_app login password :'app_password';
create role notary_server login password :'server_password';
create role notary_signer login password :'signer_password';
create database imagetrust owner imagetrust_owner;
create database notary_server owner notary_server;
create database notary_signer owner notary_signer;
revoke connect on database imagetrust from public;
revoke connect on database notary_server from public;
revoke connect on database notary_signer from public;
grant connect on database imagetrust to imagetrust_app;
\connect notary_server
set role notary_server;
\i :server_schema
\connect notary_signer
set role notary_signer;
\i :signer_schema
SQL
