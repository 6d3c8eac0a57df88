import type { Call } from "../audit/call.ts";
import { type Decision, makeChange } from "../changes/mutation.ts";
import type { ChangeOptions } from "../changes/options.ts";
import type { Outcome } from "../changes/outcome.ts";
import type { Transaction } from "../database.ts";
import { Fault } from "../errors.ts";
import type { MemberId, TeamId } from "../names.ts";
import type { DisplayName } from "./display-name.ts";
import { requireEtag } from "./etag.ts";
import { changeKeys, type KeyChanged } from "./key-changes.ts";
import { areSameLabels, type Labels } from "./labels.ts";
import { type Member, type MemberKind, noSuchMember, recordedMember } from "./member.ts";
import {
  beginMembership,
  endMembership,
  findMember,
  insertMember,
  lockMember,
  type StoredMember,
  touchMember,
} from "./member-store.ts";
import { readBeforeAddition, readBeforeRemoval } from "./notary-reading.ts";
import { requireNoProofDemanded } from "./possession-proof.ts";
import { keySubject, memberSubject, recordOf, teamSubject, unchanged } from "./recording.ts";
import type { TeamRoom } from "./room.ts";
import { signingKeysOf } from "./signing-certificates-store.ts";
import { unprovenKeysOf } from "./signing-key-store.ts";
import { noSuchTeam } from "./team.ts";
import { lockLivingTeams } from "./team-locks-store.ts";
import { touchTeam } from "./team-store.ts";

export interface AddMember {
  readonly team: TeamId;
  readonly member: MemberId;
  /** Of a new member; for one that exists an empty name, no kind and no labels mean "as it is". */
  readonly displayName: DisplayName;
  /** Undefined: a new member is a PERSON. */
  readonly kind: MemberKind | undefined;
  readonly labels: Labels;
}

/** The member as it stands after the call, and what became of the change. */
export interface MembershipChanged {
  /** Undefined after a question about a member that does not exist. */
  readonly member: Member | undefined;
  readonly outcome: Outcome;
}

/**
 * Takes a member into a team and makes the member when it does not exist: all its keys may then sign for the team.
 * A member who is in the team is UNCHANGED; attributes that differ from the member's own are ALREADY_EXISTS. A key that signed for
 * the team before would bring its signatures back: that is refused with WOULD_REVIVE. A team that takes proved keys only refuses a
 * member with a key that was never proved: POSSESSION_UNPROVEN.
 */
export async function addMember(
  room: TeamRoom,
  call: Call,
  request: AddMember,
  options: ChangeOptions,
): Promise<MembershipChanged> {
  const keys = await signingKeysOf(room.changing.database, request.member);
  const reading = await readBeforeAddition(room, call, [request.team], keys);
  const { outcome } = await makeChange(room.changing, call, options, async (tx, now) => {
    const made = await insertMember(tx, newMemberOf(request), now);
    const member = await lockedMember(tx, request.member);
    requireEtag(options, made ? undefined : member.version);
    requireSameAttributes(request, member);
    await requireLockedTeam(tx, request.team);
    if (member.teams.includes(request.team)) return same(request, member, "is in the team already");
    const unproven = (await unprovenKeysOf(tx, [member.id])).map((key) => key.id);
    await requireNoProofDemanded(tx, [request.team], member.id, unproven);
    const change = { call, options, teams: [request.team], kind: "TEAM_CHANGE" as const, reading, now };
    const summary = `Member ${member.id} joins team ${request.team}; no key may sign that could not before.`;
    const changed = await changeKeys(room, tx, change, summary, async () => {
      await beginMembership(tx, request.team, member.id, now);
      if (!made) await touchMember(tx, member.id);
      await touchTeam(tx, request.team);
    });
    const told = made ? [`member ${member.id} created as ${member.kind}`] : [];
    return await decided(tx, request, made ? undefined : member, changed, {
      eventType: "member.added.v1",
      diff: [...told, `member ${member.id} joined team ${request.team}`],
    });
  });
  return { member: await findMember(room.changing.database, request.member), outcome };
}

/**
 * Takes a member out of a team: its keys may no longer sign for it. Refused with WOULD_ORPHAN, WITHOUT_SIGNER or
 * GUARD_UNAVAILABLE as the repositories of the team demand. A member who is not in the team is UNCHANGED.
 */
export async function removeMember(
  room: TeamRoom,
  call: Call,
  request: { readonly team: TeamId; readonly member: MemberId },
  options: ChangeOptions,
): Promise<MembershipChanged> {
  const found = await findMember(room.changing.database, request.member);
  const leaving = found?.teams.includes(request.team) ? [request.team] : [];
  const reading = await readBeforeRemoval(room, call, leaving);
  const { outcome } = await makeChange(room.changing, call, options, async (tx, now) => {
    const member = await lockedMember(tx, request.member);
    requireEtag(options, member.version);
    await requireLockedTeam(tx, request.team);
    if (!member.teams.includes(request.team)) return same(request, member, "is not in the team");
    const change = { call, options, teams: [request.team], kind: "TEAM_CHANGE" as const, reading, now };
    const summary = `Member ${member.id} leaves team ${request.team}; every key that could sign before still may.`;
    const changed = await changeKeys(room, tx, change, summary, async () => {
      await endMembership(tx, request.team, member.id, now);
      await touchMember(tx, member.id);
      await touchTeam(tx, request.team);
    });
    return await decided(tx, request, member, changed, {
      eventType: "member.removed.v1",
      diff: [`member ${member.id} left team ${request.team}`],
    });
  });
  return { member: await findMember(room.changing.database, request.member), outcome };
}

function newMemberOf(request: AddMember): Parameters<typeof insertMember>[1] {
  return {
    id: request.member,
    kind: request.kind ?? "PERSON",
    displayName: request.displayName,
    labels: request.labels,
  };
}

async function lockedMember(tx: Transaction, id: MemberId): Promise<StoredMember> {
  const member = await lockMember(tx, id);
  if (member === undefined) throw noSuchMember(id);
  return member;
}

async function requireLockedTeam(tx: Transaction, id: TeamId): Promise<void> {
  const [team] = await lockLivingTeams(tx, [id]);
  if (team === undefined) throw noSuchTeam(id);
}

function requireSameAttributes(request: AddMember, member: Member): void {
  const differing = [
    ...(request.kind === undefined || request.kind === member.kind ? [] : ["kind"]),
    ...(request.displayName === "" || request.displayName === member.displayName ? [] : ["display_name"]),
    ...(request.labels.size === 0 || areSameLabels(request.labels, member.labels) ? [] : ["labels"]),
  ];
  if (differing.length === 0) return;
  throw new Fault(
    "ALREADY_EXISTS",
    `Member ${member.id} exists with another ${differing.join(", another ")}; leave it out to add the member as it is.`,
    { metadata: { member: member.id } },
  );
}

interface Asked {
  readonly team: TeamId;
  readonly member: MemberId;
}

function same(request: Asked, member: Member, why: string): Decision {
  return unchanged({
    subject: memberSubject(request.member),
    about: [teamSubject(request.team)],
    state: recordedMember(member),
    summary: `Member ${request.member} ${why}: team ${request.team} stays as it is.`,
    resource: request.member,
  });
}

async function decided(
  tx: Transaction,
  request: Asked,
  before: Member | undefined,
  changed: KeyChanged,
  told: { readonly eventType: string; readonly diff: readonly string[] },
): Promise<Decision> {
  const after = await lockedMember(tx, request.member);
  return {
    plan: changed.plan,
    changed: true,
    record: recordOf({
      eventType: told.eventType,
      severity: "NOTICE",
      subject: memberSubject(request.member),
      about: [teamSubject(request.team), ...changed.keys.map(keySubject)],
      before: before === undefined ? null : recordedMember(before),
      after: recordedMember(after),
      diff: [...told.diff, ...changed.words],
    }),
    commitment: changed.commitment,
    resource: request.member,
  };
}
