import { createHash } from "node:crypto";
import type { ChangeOptions, Outcome } from "../../gen/imagetrust/v1/change.ts";
import { DelegationServiceService } from "../../gen/imagetrust/v1/delegation.ts";
import { MemberKind, TeamServiceService } from "../../gen/imagetrust/v1/team.ts";
import type { Method } from "./api.ts";
import type {
  ManifestCertificate,
  ManifestDelegation,
  ManifestMember,
  ManifestRepository,
  ManifestTeam,
} from "./manifest.ts";
import { pathsText } from "./words.ts";

/** When a step's turn comes. A team keeps a signer throughout: whoever comes is there before anybody goes. */
export const phase = { teams: 1, memberships: 2, certificates: 3, delegations: 4, endings: 5, leavers: 6 } as const;

/** Sends one request. */
export type Send = <Request, Response extends { readonly outcome: Outcome | undefined }>(
  method: Method<Request, Response>,
  request: Request,
  requestId: string,
) => Promise<Response>;

/** One call that brings the service nearer to the file. */
export interface Step {
  readonly phase: (typeof phase)[keyof typeof phase];
  /** The line of the file that wishes it; of a removal, the line of what it is taken from. */
  readonly line: number;
  readonly words: string;
  /** The team it concerns; empty where that is whichever its member is in. */
  readonly team: string;
  /** Makes the call. The options' request id is of no account: the step has its own. */
  send(send: Send, options: ChangeOptions): Promise<Outcome | undefined>;
}

/** What a step is made of besides its call. */
type Told = Pick<Step, "phase" | "line" | "words" | "team">;

/**
 * A step whose request id follows from its request and from `basis`, what the service held before: the same step of a run that broke off
 * has the same id, and cannot be made twice; and once something else has changed the same things, the same wish is a new change, and not
 * an answer from last week.
 */
function stepOf<Request, Response extends { readonly outcome: Outcome | undefined }>(
  told: Told,
  method: Method<Request, Response>,
  basis: string | undefined,
  request: (options: ChangeOptions) => Request,
): Step {
  return {
    ...told,
    send: async (send, options) => {
      const unnamed = { ...options, requestId: "" };
      const digest = createHash("sha256")
        .update(method.path)
        .update("\0")
        .update(basis ?? "")
        .update("\0");
      const requestId = `apply-${digest.update(method.requestSerialize(request(unnamed))).digest("hex")}`;
      return (await send(method, request({ ...options, requestId }), requestId)).outcome;
    },
  };
}

export function createTeam({ line, id, displayName, labels }: ManifestTeam): Step {
  const told = { phase: phase.teams, line, team: id, words: `create team ${id}` };
  return stepOf(told, TeamServiceService.createTeam, undefined, (options) => ({
    team: id,
    displayName,
    labels: { ...labels },
    requiresPossessionProof: false,
    options,
  }));
}

/** `member`: as the file tells of it, or the id of one that the service knows. */
export function addMember(
  { id: team }: ManifestTeam,
  line: number,
  member: ManifestMember | string,
  basis?: string,
): Step {
  const { id, displayName, kind } = typeof member === "string" ? { id: member, displayName: "", kind: "" } : member;
  const told = { phase: phase.memberships, line, team, words: `add member ${id} to team ${team}` };
  return stepOf(told, TeamServiceService.addMember, basis, (options) => ({
    team,
    member: id,
    displayName,
    kind: kind === "" ? MemberKind.UNSPECIFIED : kind === "robot" ? MemberKind.ROBOT : MemberKind.PERSON,
    options,
  }));
}

export function submitCertificate(
  { id }: ManifestMember,
  { line, pem, sha256 }: ManifestCertificate,
  basis?: string,
): Step {
  const words = `submit certificate ${sha256.slice(0, 12)} for member ${id}`;
  return stepOf(
    { phase: phase.certificates, line, team: "", words },
    TeamServiceService.submitCertificate,
    basis,
    (options) => ({
      member: id,
      certificatePem: pem,
      possessionProof: undefined,
      options,
    }),
  );
}

export function delegate(
  gun: string,
  { line, team, paths, excludeFromReleases }: ManifestDelegation,
  basis: string,
): Step {
  const narrowed = `${pathsText(paths) === "all" ? "" : `, tags ${pathsText(paths)}`}${excludeFromReleases ? ", not in releases" : ""}`;
  const words = `delegate ${gun} to team ${team}${narrowed}`;
  return stepOf(
    { phase: phase.delegations, line, team, words },
    DelegationServiceService.delegate,
    basis,
    (options) => ({
      gun,
      team,
      paths,
      excludeFromReleases,
      options,
    }),
  );
}

export function undelegate({ gun, line }: ManifestRepository, team: string, basis: string): Step {
  const told = { phase: phase.endings, line, team, words: `end the delegation of ${gun} to team ${team}` };
  return stepOf(told, DelegationServiceService.undelegate, basis, (options) => ({ gun, team, options }));
}

export function removeMember({ id: team, line }: ManifestTeam, member: string, basis?: string): Step {
  const told = { phase: phase.leavers, line, team, words: `remove member ${member} from team ${team}` };
  return stepOf(told, TeamServiceService.removeMember, basis, (options) => ({ team, member, options }));
}
