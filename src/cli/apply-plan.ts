import { CertificateState, type Member, MemberKind, type Team } from "../../gen/imagetrust/v1/team.ts";
import type { Trust } from "../../gen/imagetrust/v1/trust.ts";
import {
  addMember,
  createTeam,
  delegate,
  removeMember,
  type Step,
  submitCertificate,
  undelegate,
} from "./apply-steps.ts";
import type { HeldTeam, Holdings, Named } from "./holdings.ts";
import { type Manifest, type ManifestMember, type ManifestRepository, type ManifestTeam, pathsOf } from "./manifest.ts";
import type { FileFault } from "./yaml-reader.ts";

/** What lies between a file and what the service holds. */
export interface ApplyPlan {
  /** In an order that is safe: what adds comes before what takes away. */
  readonly additions: readonly Step[];
  /** What the service holds beyond the file, within what the file names. */
  readonly removals: readonly Step[];
  /** What can never be applied as it stands. */
  readonly faults: readonly FileFault[];
  /** What differs and is left alone, for people. */
  readonly notes: readonly string[];
}

/** What must be read before a file can be compared. */
export function namedBy({ teams, members, repositories }: Manifest): Named {
  const delegated = repositories.flatMap(({ delegations }) => delegations.map(({ team }) => team));
  const joining = teams.flatMap((team) => (team.members ?? []).map(({ id }) => id));
  return {
    teams: new Set<string>([...teams.map(({ id }) => id), ...delegated]),
    members: new Set<string>([...members.map(({ id }) => id), ...joining]),
    guns: repositories.map(({ gun }) => gun),
  };
}

/** Compares a file with what the service holds of it. Pure. */
export function planApply(manifest: Manifest, held: Holdings): ApplyPlan {
  const parts = [
    ...manifest.teams.map((team) => compareTeam(team, held.teams.get(team.id))),
    ...manifest.teams.map((team) => compareMemberships(team, manifest, held)),
    ...manifest.members.map((member) => compareMember(member, manifest, held)),
    ...manifest.repositories.map((repository) => compareRepository(repository, manifest, held)),
  ];
  const removals = parts.flatMap((part) => part.removals ?? []);
  return {
    additions: parts.flatMap((part) => part.additions ?? []).sort(byPhase),
    removals: removals.sort(byPhase),
    faults: parts.flatMap((part) => part.faults ?? []),
    notes: parts.flatMap((part) => part.notes ?? []),
  };
}

type Part = Partial<ApplyPlan>;

function byPhase(one: Step, other: Step): number {
  return one.phase - other.phase;
}

function compareTeam(wished: ManifestTeam, held: HeldTeam | undefined): Part {
  if (held === undefined) return { additions: [createTeam(wished)] };
  const { team } = held;
  if (team.deleteTime !== undefined) {
    return { faults: [{ line: wished.line, fault: `team ${team.id} was deleted, and its id is never used again` }] };
  }
  const differing = [
    ...(wished.displayName === "" || team.displayName === wished.displayName ? [] : ["display_name"]),
    ...(isSaying(wished) && !isSameLabels(team, wished) ? ["labels"] : []),
  ];
  if (differing.length === 0) return {};
  const fault = `team ${team.id} exists with another ${differing.join(" and other ")}, which cannot be changed`;
  return { faults: [{ line: wished.line, fault }] };
}

function isSaying({ labels }: ManifestTeam): boolean {
  return Object.keys(labels).length > 0;
}

function isSameLabels({ labels: held }: Team, { labels: wished }: ManifestTeam): boolean {
  const names = Object.keys(wished);
  return names.length === Object.keys(held).length && names.every((name) => held[name] === wished[name]);
}

function compareMemberships(team: ManifestTeam, manifest: Manifest, held: Holdings): Part {
  const stands = held.teams.get(team.id);
  if (team.members === undefined || stands?.team.deleteTime !== undefined) return {};
  const wished = new Set<string>(team.members.map(({ id }) => id));
  const has = new Set(stands?.members.map(({ id }) => id));
  const additions: Step[] = [];
  const faults: FileFault[] = [];
  for (const { id, line } of team.members) {
    if (has.has(id)) continue;
    const told = manifest.members.find((member) => member.id === id);
    if (told === undefined && !held.members.has(id)) {
      faults.push({ line, fault: `member ${id} is not known; describe it under \`members\`` });
    }
    additions.push(addMember(team, line, told ?? id, stands?.team.etag));
  }
  const leaving = (stands?.members ?? []).filter(({ id }) => !wished.has(id));
  return { additions, faults, removals: leaving.map((member) => removeMember(team, member.id, stands?.team.etag)) };
}

function compareMember(wished: ManifestMember, manifest: Manifest, held: Holdings): Part {
  const stands = held.members.get(wished.id);
  const faults: FileFault[] = [];
  const isJoining = manifest.teams.some((team) => team.members?.some(({ id }) => id === wished.id));
  if (stands === undefined && !isJoining) {
    faults.push({ line: wished.line, fault: `member ${wished.id} is not known, and in no team of the file` });
  }
  if (stands !== undefined) faults.push(...attributeFaults(wished, stands.member));
  const additions: Step[] = [];
  for (const certificate of wished.certificates) {
    const known = stands?.certificates.find(({ sha256 }) => sha256 === certificate.sha256);
    if (known?.state === CertificateState.REVOKED) {
      faults.push({ line: certificate.line, fault: "this certificate's key was revoked, and never comes back" });
    } else if (known === undefined) {
      faults.push(
        ...certificate.faults.map((fault) => ({ line: certificate.line, fault: `the certificate ${fault}` })),
      );
      additions.push(submitCertificate(wished, certificate, stands?.member.etag));
    }
  }
  const named = new Set(wished.certificates.map(({ sha256 }) => sha256));
  const extra = (stands?.certificates ?? []).filter(
    ({ sha256, state }) => !named.has(sha256) && state !== CertificateState.REVOKED,
  );
  const notes = extra.map(
    ({ id }) =>
      `member ${wished.id} has certificate ${id}, which the file does not name; it stays (certificate revoke ${id})`,
  );
  return { additions, faults, notes };
}

function attributeFaults(wished: ManifestMember, { displayName, kind }: Member): readonly FileFault[] {
  const heldKind = kind === MemberKind.ROBOT ? "robot" : "person";
  const differing = [
    ...(wished.displayName === "" || wished.displayName === displayName ? [] : ["display_name"]),
    ...(wished.kind === "" || wished.kind === heldKind ? [] : ["kind"]),
  ];
  if (differing.length === 0) return [];
  const fault = `member ${wished.id} exists with another ${differing.join(" and another ")}, which cannot be changed`;
  return [{ line: wished.line, fault }];
}

function compareRepository(wished: ManifestRepository, manifest: Manifest, held: Holdings): Part {
  const trust = held.trusts.get(wished.gun);
  if (trust === undefined) {
    const fault = `${wished.gun} has no trust; make it first: imagetrust init ${wished.gun}`;
    return { faults: [{ line: wished.line, fault }] };
  }
  const additions: Step[] = [];
  const faults: FileFault[] = [];
  for (const delegation of wished.delegations) {
    const team = held.teams.get(delegation.team)?.team;
    const isKnown = team !== undefined || manifest.teams.some(({ id }) => id === delegation.team);
    if (!isKnown) faults.push({ line: delegation.line, fault: `team ${delegation.team} is not known` });
    else if (!isDelegated(trust, delegation)) additions.push(delegate(wished.gun, delegation, trust.etag));
  }
  const kept = new Set<string>(wished.delegations.map(({ team }) => team));
  const ending = trust.desiredDelegations.filter(({ team }) => !kept.has(team));
  return { additions, faults, removals: ending.map(({ team }) => undelegate(wished, team, trust.etag)) };
}

function isDelegated(trust: Trust, wished: ManifestRepository["delegations"][number]): boolean {
  const held = trust.desiredDelegations.find(({ team }) => team === wished.team);
  if (held === undefined || held.excludeFromReleases !== wished.excludeFromReleases) return false;
  return JSON.stringify(pathsOf(held.paths)) === JSON.stringify(wished.paths);
}
