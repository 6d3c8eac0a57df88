import type { Knex } from "knex";

/**
 * What answers who may sign what, now and at any earlier time: since when a repository is known, the paths of every role as they
 * were live, and GUNs beside what is listed by GUN, so that a page costs the same however much there is.
 */
export async function up(knex: Knex): Promise<void> {
  for (const part of [known, guns, roles, published]) await knex.raw(part);
}

export function down(): never {
  throw new Error("Migrations only go forward; restore a backup instead.");
}

const known = `
alter table collections add column known_since timestamptz not null default now();
comment on column collections.known_since is 'what was decided or live earlier is unknown; a later life does not change it';
update collections c set known_since = least(c.created_at,
  (select min(d.valid_from) from delegations d where d.collection_id = c.id),
  (select min(p.landed_at) from published_parts p where p.collection_id = c.id));
create index collections_known on collections(known_since);`;

/** A replica of the version before does not know the column; a GUN never changes. */
const guns = `
create function take_gun() returns trigger language plpgsql set search_path = public, pg_temp as $$
begin
  select c.gun into new.gun from collections c where c.id = new.collection_id;
  return new;
end $$;
revoke execute on function take_gun() from public;
alter table delegations add column gun text collate "C";
alter table live_keys add column gun text collate "C";
update delegations d set gun = c.gun from collections c where c.id = d.collection_id;
update live_keys k set gun = c.gun from collections c where c.id = k.collection_id;
create trigger take_gun before insert on delegations for each row when (new.gun is null) execute function take_gun();
create trigger take_gun before insert on live_keys for each row when (new.gun is null) execute function take_gun();
alter table delegations alter column gun set not null;
alter table live_keys alter column gun set not null;
drop index delegations_by_team;
create index delegations_by_team on delegations(team_id, gun, valid_from);
drop index live_keys_by_key;
create index live_keys_by_key on live_keys(canonical_key_id, gun);
create index live_keys_ended on live_keys(collection_id, role, tuf_key_id) where live_to is not null;`;

const roles = `
create table live_roles(
  collection_id bigint not null references collections,
  gun text collate "C" not null,
  role text not null,
  paths text[] not null,
  live_from timestamptz not null,
  live_to timestamptz,
  check (live_to >= live_from)
);
comment on table live_roles is 'which tags a role of a published targets file covered, and when; beside live_keys';
create unique index live_roles_current on live_roles(collection_id, role) where live_to is null;
create index live_roles_by_role on live_roles(role, gun, live_from);
create index live_roles_by_collection on live_roles(collection_id, role, live_from);
grant select, insert, update on live_roles to imagetrust_app;`;

/** The paths of what was published before; a file that was found to have landed after a newer one was never current. */
export const published = `
insert into live_roles(collection_id, gun, role, paths, live_from, live_to)
with landed as (
  select p.collection_id, p.incarnation, p.version, p.bytes, p.landed_at, min(p.landed_at) over (
    partition by p.collection_id order by p.incarnation, p.version rows between current row and unbounded following) as first_after
  from published_parts p where p.role = 'targets'
), files as (
  select l.collection_id, l.landed_at, row_number() over (partition by l.collection_id order by l.incarnation, l.version) as number,
    convert_from(l.bytes, 'UTF8')::jsonb #> '{signed,delegations,roles}' as roles
  from landed l where l.landed_at = l.first_after
), named as (
  select f.collection_id, f.landed_at, f.number, r ->> 'name' as role,
    array(select jsonb_array_elements_text(coalesce(nullif(r -> 'paths', 'null'), '[]'))) as paths
  from files f cross join lateral jsonb_array_elements(coalesce(nullif(f.roles, 'null'), '[]')) r
), runs as (
  select n.*, n.number - row_number() over (partition by n.collection_id, n.role, n.paths order by n.number) as run from named n
), intervals as (
  select collection_id, role, paths, min(landed_at) as live_from, max(number) as last from runs group by collection_id, role, paths, run
)
select i.collection_id, c.gun, i.role, i.paths, i.live_from,
  (select f.landed_at from files f where f.collection_id = i.collection_id and f.number = i.last + 1)
from intervals i join collections c on c.id = i.collection_id;`;
