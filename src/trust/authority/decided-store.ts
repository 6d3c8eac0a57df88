import type { Queryable } from "../../database.ts";
import { type CanonicalKeyId, type Gun, type MemberId, roleOf, type TeamId, type TufKeyId } from "../../names.ts";
import { at, gunsFrom, isBehind, type Question } from "./question.ts";
import type { RightRow } from "./right.ts";

/** A decided delegation that held at the instant. */
interface Grant {
  readonly gun: Gun;
  readonly team: TeamId;
  readonly paths: readonly string[];
  readonly inReleases: boolean;
  readonly releasesPaths: readonly string[];
  readonly from: Date;
  readonly to: Date | null;
  readonly liveFrom: Date | null;
  readonly liveTo: Date | null;
}

/** A certificate that counted for a team at the instant. */
interface Signer {
  readonly team: TeamId;
  readonly tufKeyId: TufKeyId;
  readonly canonicalKeyId: CanonicalKeyId;
  readonly algorithm: string;
  readonly member: MemberId;
  readonly certificate: string;
  readonly sha256: Buffer;
  readonly endsAt: Date;
  readonly from: Date;
  readonly to: Date | null;
}

/** The decided rights at an instant behind a place, by GUN, role and key, each with when it was live. */
export async function decidedRights(db: Queryable, question: Question, limit: number): Promise<readonly RightRow[]> {
  const { collectionId, team, keys } = question;
  if (collectionId !== undefined) {
    const grants = await grantsOfCollection(db, question, collectionId);
    return await withLive(db, await rightsOf(db, question, grants, limit), question.at);
  }
  const signers =
    keys === undefined ? await signersOfTeams(db, question, [team as TeamId]) : await signersOfKeys(db, question);
  if (signers.length === 0) return [];
  const grants = await grantsOfTeams(db, question, byTeam(signers), limit);
  return await withLive(db, joined(question, grants, byTeam(signers)).slice(0, limit), question.at);
}

/** The rights through delegations of one collection; signers are read of some teams at a time, until there are enough. */
async function rightsOf(
  db: Queryable,
  question: Question,
  grants: readonly Grant[],
  limit: number,
): Promise<readonly Right[]> {
  const ofKeys = question.keys === undefined ? undefined : await signersOfKeys(db, question);
  if (ofKeys !== undefined) return joined(question, grants, byTeam(ofKeys)).slice(0, limit);
  const found: Right[] = [];
  for (let next = 0; next < grants.length && found.length < limit; next += teamsAtOnce) {
    const some = grants.slice(next, next + teamsAtOnce);
    const signers = await signersOfTeams(
      db,
      question,
      some.map((grant) => grant.team),
    );
    found.push(...joined(question, some, byTeam(signers)));
  }
  return found.slice(0, limit);
}

const teamsAtOnce = 8;

type Right = Grant & Omit<Signer, "from" | "to"> & Pick<RightRow, "role" | "decidedSince" | "decidedUntil">;

/** Every key of its team for every grant, in order, without those on the pages before. */
function joined(
  { after }: Question,
  grants: readonly Grant[],
  signers: ReadonlyMap<TeamId, readonly Signer[]>,
): readonly Right[] {
  return grants.flatMap((grant) =>
    (signers.get(grant.team) ?? [])
      .map((signer) => ({
        ...grant,
        ...signer,
        role: roleOf(grant.team),
        decidedSince: grant.from > signer.from ? grant.from : signer.from,
        decidedUntil: earlier(grant.to, signer.to),
      }))
      .filter((right) => isBehind(right, after)),
  );
}

function earlier(one: Date | null, other: Date | null): Date | null {
  if (one === null || other === null) return one ?? other;
  return one < other ? one : other;
}

/** Each list is ordered by key already. */
function byTeam(signers: readonly Signer[]): ReadonlyMap<TeamId, readonly Signer[]> {
  const teams = new Map<TeamId, Signer[]>();
  for (const signer of signers) {
    const known = teams.get(signer.team);
    if (known === undefined) teams.set(signer.team, [signer]);
    else known.push(signer);
  }
  return teams;
}

const grantColumns = `d.gun, d.team_id as team, d.paths, d.in_releases as "inReleases", c.releases_paths as "releasesPaths",
  d.valid_from as "from", d.valid_to as "to", d.live_from as "liveFrom", d.live_to as "liveTo"`;

/** By team, without those that the pages before have passed. */
function grantsOfCollection(
  db: Queryable,
  { team, after, at: asOf }: Question,
  collectionId: bigint,
): Promise<readonly Grant[]> {
  return db.rows(
    `select ${grantColumns} from delegations d join collections c on c.id = d.collection_id
     where d.collection_id = :collectionId and (:team = '' or d.team_id = :team) and d.team_id >= :afterTeam and ${at("d")}
     order by d.team_id`,
    { collectionId, team, afterTeam: after.role.slice("targets/".length), at: asOf },
  );
}

/** By GUN and team: of each team as many as a page can need, since one may be on the page before. */
function grantsOfTeams(
  db: Queryable,
  question: Question,
  signers: ReadonlyMap<TeamId, readonly Signer[]>,
  limit: number,
): Promise<readonly Grant[]> {
  const teams = [...signers.keys()];
  return db.rows(
    `select d.* from unnest(cast(:teams as text[]), cast(:counts as int[])) as t(id, count) cross join lateral (
       select ${grantColumns} from delegations d join collections c on c.id = d.collection_id
       where d.team_id = t.id collate "C" and d.gun >= :from and d.gun < :end and ${at("d")} order by d.gun limit t.count
     ) d order by d.gun, d.team`,
    {
      ...gunsFrom(question, question.after.gun),
      teams,
      counts: teams.map((team) => Math.ceil(limit / (signers.get(team)?.length ?? 1)) + 1),
      at: question.at,
    },
  );
}

/** `offset 0` keeps a planner from reading whole tables for the few members of a team. */
const certificate = `cross join lateral (select * from certificates x where x.member_id = m.member_id and ${at("x")} offset 0) x`;
const signerColumns = `m.team_id as team, x.tuf_key_id as "tufKeyId", x.canonical_key_id as "canonicalKeyId", x.key_type as algorithm,
  m.member_id as member, x.id as certificate, x.sha256, x.not_after as "endsAt", greatest(m.valid_from, x.valid_from) as "from",
  least(m.valid_to, x.valid_to) as "to"`;

function signersOfTeams(db: Queryable, { at: asOf }: Question, teams: readonly TeamId[]): Promise<readonly Signer[]> {
  return db.rows(
    `select ${signerColumns} from unnest(cast(:teams as text[])) as t(id)
     cross join lateral (select * from memberships m where m.team_id = t.id collate "C" and ${at("m")} offset 0) m
     ${certificate} order by m.team_id, x.tuf_key_id collate "C"`,
    { teams, at: asOf },
  );
}

function signersOfKeys(db: Queryable, { team, keys = [], at: asOf }: Question): Promise<readonly Signer[]> {
  return db.rows(
    `select ${signerColumns} from unnest(cast(:members as text[])) as k(id)
     cross join lateral (select * from memberships m where m.member_id = k.id collate "C" and ${at("m")} offset 0) m
     ${certificate} where x.tuf_key_id = any(:tufKeyIds) and (:team = '' or m.team_id = :team)
     order by m.team_id, x.tuf_key_id collate "C"`,
    {
      members: [...new Set(keys.flatMap(({ member }) => member ?? []))],
      tufKeyIds: keys.map((key) => key.tufKeyId),
      team,
      at: asOf,
    },
  );
}

/** Adds when each right was live: the first time that had not ended by then and began before the right was taken back. */
async function withLive(db: Queryable, rights: readonly Right[], asOf: Date): Promise<readonly RightRow[]> {
  if (rights.length === 0) return [];
  const found = await db.rows<Pick<RightRow, "liveSince" | "liveUntil">>(
    `select l.since as "liveSince", l.until as "liveUntil"
     from unnest(cast(:guns as text[]), cast(:roles as text[]), cast(:tufKeyIds as text[]), cast(:canonicalKeyIds as text[]),
       cast(:froms as timestamptz[]), cast(:tos as timestamptz[]), cast(:untils as timestamptz[]))
       with ordinality as p(gun, role, tuf_key_id, canonical_key_id, live_from, live_to, until, number)
     left join lateral (
       select greatest(k.live_from, p.live_from) as since, least(k.live_to, p.live_to) as until from live_keys k
       where k.canonical_key_id = p.canonical_key_id and k.gun = p.gun collate "C" and k.role = p.role and k.tuf_key_id = p.tuf_key_id
         and k.live_from < coalesce(p.live_to, 'infinity') and p.live_from < coalesce(k.live_to, 'infinity')
         and coalesce(least(k.live_to, p.live_to), 'infinity') > :at
         and greatest(k.live_from, p.live_from) < coalesce(p.until, 'infinity')
       order by k.live_from limit 1
     ) l on true order by p.number`,
    {
      at: asOf,
      guns: rights.map((right) => right.gun),
      roles: rights.map((right) => right.role),
      tufKeyIds: rights.map((right) => right.tufKeyId),
      canonicalKeyIds: rights.map((right) => right.canonicalKeyId),
      froms: rights.map((right) => right.liveFrom),
      tos: rights.map((right) => right.liveTo),
      untils: rights.map((right) => right.decidedUntil),
    },
  );
  return rights.map((right, number) => ({
    ...right,
    liveSince: found[number]?.liveSince ?? null,
    liveUntil: found[number]?.liveUntil ?? null,
  }));
}
