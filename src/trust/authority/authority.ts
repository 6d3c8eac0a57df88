import { type Listing, type Page, type PageRequest, pageOf, readPageToken } from "../../changes/page-token.ts";
import type { Database } from "../../database.ts";
import { Fault } from "../../errors.ts";
import { type Gun, type GunPrefix, type MemberId, releasesRole, type TeamId } from "../../names.ts";
import { noSuchMember } from "../../teams/member.ts";
import { noSuchTeam } from "../../teams/team.ts";
import { gunKey } from "../page-keys.ts";
import { noSuchTrust } from "../trust-view.ts";
import { decidedRights } from "./decided-store.ts";
import { liveRights } from "./live-store.ts";
import type { Question } from "./question.ts";
import type { Axis, Interval, KeyName, Place, Right, RightRow } from "./right.ts";
import {
  allKnownSince,
  findKnown,
  isMember,
  type KnownKey,
  keysNamed,
  keysOfMember,
  wasTeam,
} from "./subject-store.ts";

/** Who may sign what; at least one of the first four is given, and all that are given must hold. */
export interface ListAuthority {
  readonly gun: Gun | "";
  readonly team: TeamId | "";
  readonly member: MemberId | "";
  readonly key: KeyName | "";
  readonly gunPrefix: GunPrefix;
  readonly axis: Axis;
  /** Undefined: now. */
  readonly asOf: Date | undefined;
}

export interface AuthorityFound extends Page<Right> {
  readonly asOf: Date;
  /** Since when all collections in question are known; undefined where there are none. */
  readonly knownSince: Date | undefined;
  /** Whether they all were at `asOf`: else who could sign some of them is unknown. */
  readonly isComplete: boolean;
}

/**
 * A page of the rights at one instant, by GUN, role and key; all pages of a list show the instant of its first. NOT_FOUND for a
 * collection, team, member or key that was never known. The token is good for the same caller only.
 */
export async function listAuthority(
  db: Database,
  caller: string,
  request: ListAuthority,
  page: PageRequest,
  now: Date,
): Promise<AuthorityFound> {
  const { gun, team, member, key, gunPrefix, axis } = request;
  const asked = request.asOf === undefined ? "" : String(request.asOf.getTime());
  const listing: Listing = {
    name: "authority",
    filter: { caller, gun, team, member, key, gunPrefix, axis, asked },
    key: [/^[0-9]{1,15}$/, gunKey, /^targets\/[a-z0-9_/-]{1,247}$/, /^[0-9a-f]{64}$/],
  };
  const [instant, ...place] = readPageToken(listing, page.token) ?? [];
  const asOf = instant === undefined ? instantOf(request.asOf, now) : new Date(Number(instant));
  const [collection, keys, known] = await Promise.all([
    gun === "" ? undefined : requireCollection(db, gun),
    keysOf(db, request),
    gun === "" ? allKnownSince(db, gunPrefix) : undefined,
    team === "" ? undefined : requireTeam(db, team),
  ]);
  const question = { collectionId: collection?.id, team, keys, gunPrefix, at: asOf, after: placeOf(place) };
  const rows = await rightsOf(db, axis, question, page.size + 1);
  const { items, nextToken } = pageOf(listing, page.size, rows, (row) => [
    String(asOf.getTime()),
    row.gun,
    row.role,
    row.tufKeyId,
  ]);
  const knownSince = collection?.knownSince ?? known ?? undefined;
  return {
    items: items.map(rightOf),
    nextToken,
    asOf,
    knownSince,
    isComplete: knownSince === undefined || knownSince <= asOf,
  };
}

/** Clocks of callers may run ahead a little. */
const toleratedMs = 60_000;

function instantOf(asked: Date | undefined, now: Date): Date {
  if (asked === undefined || asked <= now) return asked ?? now;
  if (asked.getTime() <= now.getTime() + toleratedMs) return now;
  const fault = "must not lie in the future";
  throw new Fault("INVALID_FIELD", `The request is refused: as_of ${fault}.`, { fields: [{ field: "as_of", fault }] });
}

function placeOf([gun = "", role = "", key = ""]: readonly string[]): Place {
  return { gun, role, key };
}

async function requireCollection(db: Database, gun: Gun): Promise<{ readonly id: bigint; readonly knownSince: Date }> {
  const found = await findKnown(db, gun);
  if (found === undefined) throw noSuchTrust(gun);
  return found;
}

async function requireTeam(db: Database, team: TeamId): Promise<void> {
  if (!(await wasTeam(db, team))) throw noSuchTeam(team);
}

/** The keys in question; undefined where neither a member nor a key is named. */
async function keysOf(db: Database, { member, key }: ListAuthority): Promise<readonly KnownKey[] | undefined> {
  if (member === "" && key === "") return undefined;
  const [named, owned] = await Promise.all([
    key === "" ? undefined : keysNamed(db, key),
    member === "" ? undefined : keysOfMember(db, member),
    member === "" ? undefined : requireMember(db, member),
  ]);
  if (named?.length === 0) {
    throw new Fault("NOT_FOUND", `No certificate and no published file has the key or fingerprint ${key}.`, {
      metadata: { key },
    });
  }
  if (named === undefined) return owned ?? [];
  return member === "" ? named : named.filter((one) => one.member === member);
}

async function requireMember(db: Database, member: MemberId): Promise<void> {
  if (!(await isMember(db, member))) throw noSuchMember(member);
}

async function rightsOf(db: Database, axis: Axis, question: Question, limit: number): Promise<readonly RightRow[]> {
  if (question.keys?.length === 0) return [];
  return await (axis === "LIVE" ? liveRights : decidedRights)(db, question, limit);
}

function rightOf(row: RightRow): Right {
  const own = { role: row.role, paths: row.paths ?? [] };
  return {
    gun: row.gun,
    team: row.team,
    roles: row.inReleases ? [own, { role: releasesRole, paths: row.releasesPaths ?? [] }] : [own],
    key: {
      tufKeyId: row.tufKeyId,
      canonicalKeyId: row.canonicalKeyId,
      algorithm: row.algorithm ?? "",
      backend: "",
      member: row.member ?? "",
      certificate: row.certificate ?? "",
    },
    certificateSha256: row.sha256?.toString("hex") ?? "",
    certificateEndsAt: row.endsAt ?? undefined,
    decided: intervalOf(row.decidedSince, row.decidedUntil),
    live: intervalOf(row.liveSince, row.liveUntil),
  };
}

function intervalOf(since: Date | null, until: Date | null): Interval | undefined {
  return since === null ? undefined : { since, until: until ?? undefined };
}
