import { createHash } from "node:crypto";
import { runStatements } from "../stack/postgres.ts";

export interface AuthoritySizes {
  readonly collections: number;
  readonly teams: number;
  readonly members: number;
}

/** Prefix of the GUNs that are laid. */
export const laidPrefix = "dtr.example.org/authority/";

/** Names of what is laid, by number. */
export const laid = {
  gun: (number: number): string => `${laidPrefix}${String(number).padStart(5, "0")}`,
  team: (number: number): string => `authority-${number}`,
  member: (number: number): string => `authority-m${number}`,
  /** The TUF key id of a member's certificate. */
  key: (number: number): string => createHash("sha256").update(`key ${number}`).digest("hex"),
};

/**
 * Lays collections, teams and members straight into a service's database, as a year of work would leave them: each member is in a
 * team and every fiftieth in ten, with a certificate of the last half-year that for every tenth replaced an earlier one; team 0 may
 * sign everything, beside another team that differs; a fifth of the collections was taken from a third team half a year ago. All of
 * it is live, in both roles.
 */
export async function layAuthority(ownerUrl: string, { collections, teams, members }: AuthoritySizes): Promise<void> {
  await runStatements(ownerUrl, [
    "set synchronous_commit = off",
    "set work_mem = '64MB'",
    `insert into teams(id, revised_at, created_at) select 'authority-' || t, ${begin}, ${begin} from generate_series(0, ${teams - 1}) t`,
    `insert into members(id, kind, created_at) select 'authority-m' || m, 'PERSON', ${begin} from generate_series(0, ${members - 1}) m`,
    `insert into memberships(team_id, member_id, valid_from)
     select distinct 'authority-' || (m + x) % ${teams}, 'authority-m' || m, ${begin}
     from generate_series(0, ${members - 1}) m, generate_series(0, 9) x where x = 0 or m % 50 = 0`,
    keysOf(members, 10, "old", { reason: "'SUPERSEDED'", from: begin, to: half }),
    keysOf(members, 1, "key", { reason: "null", from: half, to: "null" }),
    // As deleted ones, so that publisher and follower leave them alone.
    `insert into collections(gun, notary, key_backend, state, published_generation, created_at, known_since, deleted_at)
     select '${laidPrefix}' || lpad(c::text, 5, '0'), 'main', 'sealed', 'DELETED', 1, ${begin}, ${begin}, now()
     from generate_series(0, ${collections - 1}) c`,
    granted(`select c.id, c.gun, x.team, ${begin} as since, null::timestamptz as until from (${numbered}) c,
      lateral (select distinct unnest(array[0, c.n % ${teams}]) as team) x`),
    granted(`select c.id, c.gun, (c.n * 7 + 4) % ${teams}, ${begin}, ${half} from (${numbered}) c where c.n % 5 = 0
      and (c.n * 7 + 4) % ${teams} not in (0, c.n % ${teams})`),
    live(`'targets/' || d.team_id`),
    live("'targets/releases'"),
    `insert into live_roles(collection_id, gun, role, paths, live_from, live_to)
     select d.collection_id, d.gun, 'targets/' || d.team_id, d.paths, d.live_from, d.live_to from delegations d where ${ours}`,
    `insert into live_roles(collection_id, gun, role, paths, live_from)
     select c.id, c.gun, 'targets/releases', array[''], ${begin} from (${numbered}) c`,
    "analyze",
  ]);
}

const begin = "now() - interval '365 days'";
const half = "date_trunc('day', now()) - interval '182 days'";
const ours = `d.gun like '${laidPrefix}%'`;
const numbered = `select c.id, c.gun, substr(c.gun, ${laidPrefix.length + 1})::int as n from collections c where c.gun like '${laidPrefix}%'`;

/** A key with one certificate for every so many members, from when to when in SQL. */
function keysOf(
  members: number,
  every: number,
  kind: "old" | "key",
  { reason, from, to }: { readonly reason: string; readonly from: string; readonly to: string },
): string {
  const id = (what: string): string => `encode(sha256(convert_to('${what} ' || m, 'UTF8')), 'hex')`;
  return `with made as (
      insert into signing_keys(canonical_key_id, member_id, revoked_at, revocation_reason)
      select ${id(`canonical ${kind}`)}, 'authority-m' || m, ${to}, ${reason} from generate_series(0, ${members - 1}, ${every}) m returning 1
    )
    insert into certificates(id, canonical_key_id, member_id, sha256, tuf_key_id, key_type, pem, subject, issuer, serial, not_before,
      not_after, created_at, valid_from, valid_to)
    select gen_random_uuid(), ${id(`canonical ${kind}`)}, 'authority-m' || m, sha256(convert_to('${kind} certificate ' || m, 'UTF8')),
      ${id(kind)}, 'ecdsa-x509', '', '', '', '', ${begin}, now() + interval '400 days', ${from}, ${from}, ${to}
    from generate_series(0, ${members - 1}, ${every}) m`;
}

function granted(rows: string): string {
  return `insert into delegations(collection_id, gun, team_id, paths, in_releases, since_generation, until_generation, since_revision,
      until_revision, published_revision, valid_from, valid_to, live_from, live_to)
    select g.id, g.gun, 'authority-' || g.team, array[''], true, 1, case when g.until is null then null else 1 end, 1,
      case when g.until is null then null else 1 end, 1, g.since, g.until, g.since, g.until from (${rows}) g(id, gun, team, since, until)`;
}

/** What every delegation and every certificate brought into a role. */
function live(role: string): string {
  return `insert into live_keys(collection_id, gun, role, tuf_key_id, canonical_key_id, live_from, live_to, from_upload, to_upload)
    select collection_id, gun, role, tuf_key_id, canonical_key_id, min(since), nullif(max(coalesce(until, 'infinity')), 'infinity'), 1,
      case when bool_and(until is not null) then 2 end
    from (select d.collection_id, d.gun, ${role} as role, x.tuf_key_id, x.canonical_key_id,
        greatest(d.valid_from, x.valid_from) as since, least(d.valid_to, x.valid_to) as until
      from delegations d join memberships m on m.team_id = d.team_id join certificates x on x.member_id = m.member_id
      where ${ours} and coalesce(least(d.valid_to, x.valid_to), 'infinity') > greatest(d.valid_from, x.valid_from)) k
    group by collection_id, gun, role, tuf_key_id, canonical_key_id`;
}
