import type { Queryable } from "../../database.ts";
import { type Gun, releasesRole, roleOf, type TeamId } from "../../names.ts";
import { gunsFrom, inOrder, isBehind, liveAt, type Ordered, type Question } from "./question.ts";
import type { RightRow } from "./right.ts";

/** A key in a role, as a published targets file named it. */
interface LiveKey extends Ordered {
  readonly collectionId: bigint;
  readonly from: Date;
  readonly to: Date | null;
}

/**
 * The rights that Notary showed at an instant, behind a place, by GUN, role and key, each with when it was decided. A key that stands
 * in releases and in other roles has a row for each of those others.
 */
export async function liveRights(db: Queryable, question: Question, limit: number): Promise<readonly RightRow[]> {
  const found = await keysBehind(db, question, limit);
  return await described(db, found.slice(0, limit), question.at);
}

async function keysBehind(db: Queryable, question: Question, limit: number): Promise<readonly LiveKey[]> {
  if (question.collectionId !== undefined) {
    return rowsOf(question, await keysOfCollection(db, question, question.collectionId));
  }
  const found: LiveKey[] = [];
  const ofKeys = question.keys !== undefined;
  let from: string | undefined = question.after.gun;
  for (let size = ofKeys ? 2 * limit : rolesAtOnce; from !== undefined && found.length < limit; size *= 2) {
    const read: Read = ofKeys ? await keysFrom(db, question, from, size) : await rolesFrom(db, question, from, size);
    found.push(...rowsOf(question, read.keys));
    from = read.next;
  }
  return found;
}

const rolesAtOnce = 8;

/** In order, without the pages before, and without releases where the key stands in another role as well. */
function rowsOf({ after, team, keys }: Question, live: readonly LiveKey[]): readonly LiveKey[] {
  const elsewhere = new Set(
    live.filter(({ role }) => role !== releasesRole).map((key) => `${key.gun} ${key.tufKeyId}`),
  );
  const wanted = keys && new Set<string>(keys.map((key) => key.tufKeyId));
  return live
    .filter((key) => team === "" || key.role === roleOf(team))
    .filter((key) => wanted === undefined || wanted.has(key.tufKeyId))
    .filter((key) => key.role !== releasesRole || !elsewhere.has(`${key.gun} ${key.tufKeyId}`))
    .filter((key) => isBehind(key, after))
    .sort(inOrder);
}

const columns = `k.collection_id as "collectionId", k.gun, k.role, k.tuf_key_id as "tufKeyId", k.canonical_key_id as "canonicalKeyId",
  k.live_from as "from", k.live_to as "to"`;

/** What is live and what has ended have an index each. */
function either(condition: string): string {
  return `select ${columns} from live_keys k where ${condition} and k.live_to is null and k.live_from <= :at
    union all select ${columns} from live_keys k where ${condition} and k.live_to > :at and k.live_from <= :at`;
}

/** A targets file is bounded in size, and so are the keys it names. */
function keysOfCollection(db: Queryable, { at }: Question, collectionId: bigint): Promise<readonly LiveKey[]> {
  return db.rows(either("k.collection_id = :collectionId"), { collectionId, at });
}

/** Some keys, and the GUN to read on from; undefined at the end. */
interface Read {
  readonly keys: readonly LiveKey[];
  readonly next: string | undefined;
}

/** Rows of the keys in question by GUN; the last GUN may have more of them, so it is left to the next reading. */
async function keysFrom(db: Queryable, question: Question, from: string, most: number): Promise<Read> {
  const keys = await db.rows<LiveKey>(
    `select k.* from unnest(cast(:canonicalKeyIds as text[])) as i(id) cross join lateral (
       select ${columns} from live_keys k where k.canonical_key_id = i.id and k.gun >= :from and k.gun < :end and ${liveAt("k")}
       order by k.gun limit :most
     ) k order by k.gun limit :most`,
    {
      ...gunsFrom(question, from),
      canonicalKeyIds: [...new Set(question.keys?.map((key) => key.canonicalKeyId))],
      most,
      at: question.at,
    },
  );
  const last = keys.at(-1)?.gun;
  if (last === undefined || keys.length < most) return { keys, next: undefined };
  return { keys: keys.filter(({ gun }) => gun !== last), next: last };
}

/** The keys of some roles of a team, by GUN. */
async function rolesFrom(db: Queryable, question: Question, from: string, most: number): Promise<Read> {
  const role = roleOf(question.team as TeamId);
  const roles = await db.rows<{ id: bigint; gun: Gun }>(
    `select r.collection_id as id, r.gun from live_roles r
     where r.role = :role and r.gun >= :from and r.gun < :end and ${liveAt("r")} order by r.gun limit :most`,
    { ...gunsFrom(question, from), role, most: most + 1, at: question.at },
  );
  const ids = roles.slice(0, most).map(({ id }) => id);
  const keys = await db.rows<LiveKey>(
    `select k.* from unnest(cast(:ids as bigint[])) as c(id) cross join lateral (
       ${either("k.collection_id = c.id and k.role = :role")} offset 0) k`,
    { ids, role, at: question.at },
  );
  return { keys, next: roles[most]?.gun };
}

/** Adds what else there is to say of keys: paths, releases, the certificate, and the last time that it was decided before then. */
function described(db: Queryable, keys: readonly LiveKey[], asOf: Date): Promise<readonly RightRow[]> {
  return db.rows(
    `select p.gun, coalesce(t.id, '') as team, p.role, r.paths, e.tuf_key_id is not null as "inReleases", er.paths as "releasesPaths",
       p.tuf_key_id as "tufKeyId", p.canonical_key_id as "canonicalKeyId", x.key_type as algorithm, x.member_id as member,
       x.id as certificate, x.sha256, x.not_after as "endsAt", d.since as "decidedSince", d.until as "decidedUntil",
       greatest(p.live_from, r.live_from) as "liveSince", least(p.live_to, r.live_to) as "liveUntil"
     from unnest(cast(:ids as bigint[]), cast(:guns as text[]), cast(:roles as text[]), cast(:tufKeyIds as text[]),
       cast(:canonicalKeyIds as text[]), cast(:froms as timestamptz[]), cast(:tos as timestamptz[]))
       with ordinality as p(id, gun, role, tuf_key_id, canonical_key_id, live_from, live_to, number)
     left join lateral (${one('id from teams t where t.id = substr(p.role, 9) collate "C"')}) t on true
     left join lateral (${one("* from certificates x where x.tuf_key_id = p.tuf_key_id")}) x on true
     left join lateral (${rolePaths("p.role")}) r on true
     left join lateral (${one(`tuf_key_id from live_keys k where k.canonical_key_id = p.canonical_key_id and k.gun = p.gun collate "C"
       and k.tuf_key_id = p.tuf_key_id and k.role = 'targets/releases' and p.role <> k.role and ${liveAt("k")}`)}) e on true
     left join lateral (${rolePaths("'targets/releases'")} and e.tuf_key_id is not null) er on true
     left join lateral (${decided}) d on true
     order by p.number`,
    {
      at: asOf,
      ids: keys.map((key) => key.collectionId),
      guns: keys.map((key) => key.gun),
      roles: keys.map((key) => key.role),
      tufKeyIds: keys.map((key) => key.tufKeyId),
      canonicalKeyIds: keys.map((key) => key.canonicalKeyId),
      froms: keys.map((key) => key.from),
      tos: keys.map((key) => key.to),
    },
  );
}

/** Each row is looked up by its index: with a limit a planner does not read whole tables for a hundred rows. */
function one(select: string): string {
  return `select ${select} limit 1`;
}

function rolePaths(role: string): string {
  return `select l.paths, l.live_from, l.live_to from live_roles l where l.collection_id = p.id and l.role = ${role} and ${liveAt("l")}`;
}

const decided = `select greatest(d.valid_from, m.valid_from, x.valid_from) as since, least(d.valid_to, m.valid_to, x.valid_to) as until
  from delegations d join memberships m on m.team_id = d.team_id and m.member_id = x.member_id
  where d.team_id = t.id and d.gun = p.gun collate "C" and greatest(d.valid_from, m.valid_from, x.valid_from) <= :at
    and coalesce(least(d.valid_to, m.valid_to, x.valid_to), 'infinity') > greatest(d.valid_from, m.valid_from, x.valid_from)
  order by since desc limit 1`;
