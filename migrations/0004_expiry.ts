import type { Knex } from "knex";

/** What was said about ends that draw near, so that each is said once, by whichever replica comes first. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
comment on column seen_files.expires_at is 'of timestamps and delegation files; null where the file was seen before this was kept';
create index seen_files_ending on seen_files(expires_at) where role like 'targets/%';
create table expiry_notices(
  kind text not null check (kind in ('DELEGATION', 'CERTIFICATE')),
  name text collate "C" not null,
  role text not null,
  ends_at timestamptz not null,
  days int not null check (days in (60, 30, 7, 0)),
  noticed_at timestamptz not null,
  primary key(kind, name, role, ends_at, days)
);
comment on column expiry_notices.name is 'the GUN of a delegation file, the id of a certificate';
comment on column expiry_notices.days is 'the threshold that was passed; 0 on the last day';
grant select, insert on expiry_notices to imagetrust_app;`);
}

export function down(): never {
  throw new Error("Migrations only go forward; restore a backup instead.");
}
