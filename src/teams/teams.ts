import type { Call } from "../audit/call.ts";
import { type Decision, makeChange } from "../changes/mutation.ts";
import type { ChangeOptions } from "../changes/options.ts";
import { nothingToPublish, type Outcome } from "../changes/outcome.ts";
import { type Page, type PageRequest, pageOf, readPageToken } from "../changes/page-token.ts";
import { quietPlan } from "../changes/plan.ts";
import type { Transaction } from "../database.ts";
import { Fault } from "../errors.ts";
import type { MemberId, TeamId } from "../names.ts";
import type { DisplayName } from "./display-name.ts";
import { etagOf, requireEtag } from "./etag.ts";
import { areSameLabels, type Labels } from "./labels.ts";
import { recordOf, teamSubject, unchanged } from "./recording.ts";
import type { TeamRoom } from "./room.ts";
import { noSuchTeam, recordedTeam, type StoredTeam, type Team, takesProvedKeys } from "./team.ts";
import { lockTeams } from "./team-locks-store.ts";
import { endTeam, findTeam, findTeams, insertTeam } from "./team-store.ts";

export interface CreateTeam {
  readonly team: TeamId;
  readonly displayName: DisplayName;
  readonly labels: Labels;
  /** Undefined: as the service is configured; of a team that exists, as it is. */
  readonly requiresPossessionProof?: boolean | undefined;
}

/**
 * Makes a team that nobody is in. A team that is there with the same attributes is UNCHANGED, with others ALREADY_EXISTS;
 * an id whose team was deleted is TEAM_ID_RETIRED. Answers the team as it stands: none after a question about a new one.
 */
export async function createTeam(
  room: TeamRoom,
  call: Call,
  request: CreateTeam,
  options: ChangeOptions,
): Promise<{ readonly team: Team | undefined; readonly outcome: Outcome }> {
  const changed = await makeChange(room.changing, call, options, async (tx, now) => {
    const requiresPossessionProof = request.requiresPossessionProof ?? room.requiresPossessionProof;
    const made = await insertTeam(tx, { ...request, id: request.team, requiresPossessionProof }, now);
    const team = await lockedTeam(tx, request.team);
    requireEtag(options, made ? undefined : team.version);
    if (!made) return sameTeam(request, team);
    return {
      plan: quietPlan(`Team ${team.id} is created.`),
      changed: true,
      record: recordOf({
        eventType: "team.created.v1",
        severity: "INFO",
        subject: teamSubject(team.id),
        about: [],
        before: null,
        after: recordedTeam(team),
        diff: [`team ${team.id} created`, ...(team.requiresPossessionProof ? [takesProvedKeys(team.id)] : [])],
      }),
      commitment: nothingToPublish,
      resource: team.id,
    };
  });
  const team = await findTeam(room.changing.database, request.team);
  return { team: team === undefined ? undefined : await completed(room, team), outcome: changed.outcome };
}

/** The team, deleted ones included. */
export async function getTeam(room: TeamRoom, team: TeamId): Promise<Team> {
  const found = await findTeam(room.changing.database, team);
  if (found === undefined) throw noSuchTeam(team);
  return await completed(room, found);
}

/** The teams that are not deleted, by id; with a member, those it is in. */
export async function listTeams(
  room: TeamRoom,
  filter: { readonly member: MemberId | undefined },
  page: PageRequest,
): Promise<Page<Team>> {
  const listing = { name: "teams", filter: { member: filter.member ?? "" }, key: [/^[a-z0-9_-]{1,64}$/] };
  const [after = ""] = readPageToken(listing, page.token) ?? [];
  const found = await findTeams(room.changing.database, filter.member, after, page.size + 1);
  const { items, nextToken } = pageOf(listing, page.size, found, (team) => [team.id]);
  const ids = items.map((team) => team.id);
  const counts = await room.effects.delegationCounts(room.changing.database, ids);
  return { items: items.map((team) => teamOf(team, counts.get(team.id) ?? 0)), nextToken };
}

/**
 * Deletes a team for ever and ends its memberships; its id is never used again. Refused with TEAM_IN_USE while the team is
 * delegated on a repository. A team that was deleted before is UNCHANGED.
 */
export async function deleteTeam(
  room: TeamRoom,
  call: Call,
  request: { readonly team: TeamId },
  options: ChangeOptions,
): Promise<{ readonly outcome: Outcome }> {
  const { outcome } = await makeChange(room.changing, call, options, async (tx, now) => {
    const team = await lockedTeam(tx, request.team);
    requireEtag(options, team.version);
    if (team.deletedAt !== undefined) return same(team, `Team ${team.id} is deleted already.`);
    if (await room.effects.isDelegated(tx, team.id)) throw teamInUse(team.id);
    await endTeam(tx, team.id, now);
    return {
      plan: quietPlan(`Team ${team.id} is deleted.`),
      changed: true,
      record: recordOf({
        eventType: "team.deleted.v1",
        severity: "NOTICE",
        subject: teamSubject(team.id),
        about: [],
        before: recordedTeam(team),
        after: recordedTeam({ ...team, memberCount: 0, deletedAt: now }),
        diff: [`team ${team.id} deleted`, `${team.memberCount} memberships ended`],
      }),
      commitment: nothingToPublish,
      resource: team.id,
    };
  });
  return { outcome };
}

/** The team, deleted ones included, locked until the end of the transaction. */
export async function lockedTeam(tx: Transaction, id: TeamId): Promise<StoredTeam> {
  await lockTeams(tx, [id]);
  const team = await findTeam(tx, id);
  if (team === undefined) throw noSuchTeam(id);
  return team;
}

function sameTeam(request: CreateTeam, team: StoredTeam): Decision {
  if (team.deletedAt !== undefined) {
    throw new Fault(
      "TEAM_ID_RETIRED",
      `A team ${team.id} was deleted and its id is never used again; choose another.`,
      {
        metadata: { team: team.id },
      },
    );
  }
  const { requiresPossessionProof = team.requiresPossessionProof } = request;
  const differs = team.displayName !== request.displayName || !areSameLabels(team.labels, request.labels);
  if (differs || team.requiresPossessionProof !== requiresPossessionProof) {
    const what = differs ? "another display name or other labels" : "another rule on proofs of possession";
    throw new Fault("ALREADY_EXISTS", `Team ${team.id} exists with ${what}; update it where it is to change.`, {
      metadata: { team: team.id },
    });
  }
  return same(team, `Team ${team.id} exists already.`);
}

/** The decision to leave a team as it is. */
export function same(team: StoredTeam, summary: string): Decision {
  return unchanged({
    subject: teamSubject(team.id),
    about: [],
    state: recordedTeam(team),
    summary,
    resource: team.id,
  });
}

function teamInUse(team: TeamId): Fault {
  return new Fault(
    "TEAM_IN_USE",
    `Team ${team} is delegated on repositories, or a rule or batch delegates to it; undelegate it and end its rules first.`,
    {
      metadata: { team },
    },
  );
}

async function completed(room: TeamRoom, team: StoredTeam): Promise<Team> {
  const counts = await room.effects.delegationCounts(room.changing.database, [team.id]);
  return teamOf(team, counts.get(team.id) ?? 0);
}

function teamOf(team: StoredTeam, delegationCount: number): Team {
  const { version, ...known } = team;
  return { ...known, etag: etagOf(version), delegationCount };
}
