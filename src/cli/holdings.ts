import { DelegationServiceService } from "../../gen/imagetrust/v1/delegation.ts";
import { type Certificate, type Member, type Team, TeamServiceService } from "../../gen/imagetrust/v1/team.ts";
import { CollectionState, type Trust, TrustServiceService } from "../../gen/imagetrust/v1/trust.ts";
import type { Method } from "./api.ts";
import { inParallel } from "./in-parallel.ts";
import { Refusal } from "./refusal.ts";
import type { Session } from "./session.ts";

/** What the service holds of some teams, members and repositories, as decided. What is not there is missing from the maps. */
export interface Holdings {
  readonly teams: ReadonlyMap<string, HeldTeam>;
  readonly members: ReadonlyMap<string, HeldMember>;
  readonly trusts: ReadonlyMap<string, Trust>;
}

export interface HeldTeam {
  readonly team: Team;
  /** Ascending. */
  readonly members: readonly Member[];
}

export interface HeldMember {
  readonly member: Member;
  /** In any state, ordered by submission. */
  readonly certificates: readonly Certificate[];
}

/** Of what to read the holdings. */
export interface Named {
  readonly teams: Iterable<string>;
  readonly members: Iterable<string>;
  readonly guns: Iterable<string>;
}

const atOnce = 4;
const pageSize = 1_000;

/** Reads what the service holds of what is named, a few calls at once. */
export async function readHoldings(session: Session, named: Named): Promise<Holdings> {
  const teams = await inParallel([...named.teams], atOnce, (team) => unlessMissing(() => readTeam(session, team)));
  const members = await inParallel([...named.members], atOnce, (id) => unlessMissing(() => readMember(session, id)));
  const trusts = await inParallel([...named.guns], atOnce, (gun) => unlessMissing(() => readTrust(session, gun)));
  return {
    teams: new Map(teams.flatMap((held) => (held === undefined ? [] : [[held.team.id, held]]))),
    members: new Map(members.flatMap((held) => (held === undefined ? [] : [[held.member.id, held]]))),
    trusts: new Map(trusts.flatMap((held) => (held === undefined ? [] : [[held.gun, held]]))),
  };
}

async function readTeam(session: Session, id: string): Promise<HeldTeam | undefined> {
  const { team } = await call(session, TeamServiceService.getTeam, { team: id });
  if (team === undefined) return undefined;
  const members = team.deleteTime === undefined ? await listMembers(session, id) : [];
  return { team, members };
}

async function readMember(session: Session, id: string): Promise<HeldMember | undefined> {
  const { member } = await call(session, TeamServiceService.getMember, { member: id });
  if (member === undefined) return undefined;
  const certificates = await everyPage<Certificate>(async (pageToken) => {
    const request = { member: id, team: "", states: [], unproven: false, pageSize, pageToken };
    const page = await call(session, TeamServiceService.listCertificates, request);
    return { items: page.certificates, next: page.nextPageToken };
  });
  return { member, certificates };
}

async function readTrust(session: Session, gun: string): Promise<Trust | undefined> {
  const request = { gun, minPublishedGeneration: 0n, minTeamRevisions: [] };
  const { trust } = await call(session, TrustServiceService.getTrust, request);
  return trust?.state === CollectionState.DELETED ? undefined : trust;
}

/** The GUNs that begin so and are not deleted; with a team, those it is delegated to. */
export async function listGuns(session: Session, gunPrefix: string): Promise<readonly string[]> {
  const trusts = await everyPage<Trust>(async (pageToken) => {
    const request = { gunPrefix, states: [], team: "", pageSize, pageToken };
    const page = await call(session, TrustServiceService.listTrusts, request);
    return { items: page.trusts, next: page.nextPageToken };
  });
  return trusts.map(({ gun }) => gun);
}

/** The GUNs that a team may sign. */
export async function listGunsOf(session: Session, team: string): Promise<readonly string[]> {
  return await everyPage<string>(async (pageToken) => {
    const request = { gun: "", team, pageSize, pageToken };
    const page = await call(session, DelegationServiceService.listDelegations, request);
    return { items: page.delegations.map(({ gun }) => gun), next: page.nextPageToken };
  });
}

/** The ids of all teams. */
export async function listTeams(session: Session): Promise<readonly string[]> {
  const teams = await everyPage<Team>(async (pageToken) => {
    const page = await call(session, TeamServiceService.listTeams, { member: "", pageSize, pageToken });
    return { items: page.teams, next: page.nextPageToken };
  });
  return teams.map(({ id }) => id);
}

async function listMembers(session: Session, team: string): Promise<readonly Member[]> {
  return await everyPage<Member>(async (pageToken) => {
    const page = await call(session, TeamServiceService.listMembers, { team, pageSize, pageToken });
    return { items: page.members, next: page.nextPageToken };
  });
}

async function everyPage<Item>(
  read: (pageToken: string) => Promise<{ readonly items: readonly Item[]; readonly next: string }>,
): Promise<readonly Item[]> {
  const items: Item[] = [];
  let token = "";
  do {
    const page = await read(token);
    for (const item of page.items) items.push(item);
    token = page.next;
  } while (token !== "");
  return items;
}

async function unlessMissing<Found>(read: () => Promise<Found>): Promise<Found | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof Refusal && error.reason === "NOT_FOUND") return undefined;
    throw error;
  }
}

/** One of many calls: --timeout is the time of each. */
function call<Request, Response>(
  { api, settings }: Session,
  method: Method<Request, Response>,
  request: Request,
): Promise<Response> {
  return api.call(method, request, Date.now() + settings.timeout * 1_000);
}
