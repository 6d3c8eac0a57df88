import type { Call } from "../audit/call.ts";
import type { Json } from "../audit/record.ts";
import { type Decision, makeChange } from "../changes/mutation.ts";
import type { ChangeOptions } from "../changes/options.ts";
import type { Outcome } from "../changes/outcome.ts";
import type { Transaction } from "../database.ts";
import type { MemberId } from "../names.ts";
import type { RevocationReason } from "./certificate.ts";
import { findCertificatesOfMember, type StoredCertificate } from "./certificate-store.ts";
import { requireEtag } from "./etag.ts";
import { changeKeys } from "./key-changes.ts";
import { type Member, noSuchMember, recordedMember } from "./member.ts";
import { endMembership, findMember, lockMember, type StoredMember, touchMember } from "./member-store.ts";
import { keySubject, memberSubject, recordOf, teamSubject, unchanged } from "./recording.ts";
import {
  guardedBy,
  readBeforeRevocation,
  recordedCertificates,
  requireExplanation,
  saysMore,
  wordsOnRevoked,
} from "./revocation.ts";
import type { TeamRoom } from "./room.ts";
import { lockKeysOfMember, revokeKey } from "./signing-key-store.ts";
import { lockLivingTeams } from "./team-locks-store.ts";
import { touchTeam } from "./team-store.ts";

export interface RevokeMember {
  readonly member: MemberId;
  readonly reason: RevocationReason;
}

/**
 * Takes a member out of every team and revokes all its keys, for ever: one change, and one rollout over every repository concerned.
 * Guards refuse as in removeMember; for a COMPROMISED member they only warn in the plan, and that reason needs an explanation.
 * A member who is in no team and has no key in force is UNCHANGED, unless keys revoked before are now found COMPROMISED.
 */
export async function revokeMember(
  room: TeamRoom,
  call: Call,
  request: RevokeMember,
  options: ChangeOptions,
): Promise<{ readonly member: Member; readonly outcome: Outcome }> {
  requireExplanation(request.reason, options);
  const { database } = room.changing;
  const found = await findMember(database, request.member);
  if (found === undefined) throw noSuchMember(request.member);
  const reading = await readBeforeRevocation(room, call, request.reason, found.teams);
  const { outcome } = await makeChange(room.changing, call, options, async (tx, now) => {
    const member = await lockedMember(tx, request.member);
    requireEtag(options, member.version);
    const held = await lockKeysOfMember(tx, member.id);
    const keys = held.filter((key) => saysMore(request.reason, key.revocationReason)).map((key) => key.id);
    const certificates = await findCertificatesOfMember(tx, member.id);
    if (member.teams.length === 0 && keys.length === 0) return same(member, certificates);
    const teams = await lockLivingTeams(tx, member.teams);
    const guarded = guardedBy(request.reason, options);
    const change = { call, options: guarded, teams, kind: "MEMBER_REVOCATION" as const, reading, now };
    const summary = `Member ${member.id} is revoked as ${request.reason}; none of its keys could sign for a team.`;
    const changed = await changeKeys(room, tx, change, summary, async () => {
      for (const key of keys) await revokeKey(tx, key, request.reason, now);
      for (const team of teams) {
        await endMembership(tx, team, member.id, now);
        await touchTeam(tx, team);
      }
      await touchMember(tx, member.id);
    });
    const revoked = certificates.filter((certificate) => keys.includes(certificate.canonicalKeyId));
    return {
      plan: changed.plan,
      changed: true,
      record: recordOf({
        eventType: "member.revoked.v1",
        severity: request.reason === "COMPROMISED" ? "WARNING" : "NOTICE",
        subject: memberSubject(member.id),
        about: [...teams.map(teamSubject), ...keys.map(keySubject)],
        before: recordedState(member, certificates),
        after: recordedState(await lockedMember(tx, member.id), await findCertificatesOfMember(tx, member.id)),
        diff: [
          `member ${member.id} revoked as ${request.reason}`,
          ...teams.map((team) => `member ${member.id} left team ${team}`),
          ...wordsOnRevoked(revoked, request.reason),
          ...changed.words,
        ],
      }),
      commitment: changed.commitment,
      resource: member.id,
    };
  });
  return { member: (await findMember(database, request.member)) ?? found, outcome };
}

async function lockedMember(tx: Transaction, id: MemberId): Promise<StoredMember> {
  const member = await lockMember(tx, id);
  if (member === undefined) throw noSuchMember(id);
  return member;
}

function same(member: StoredMember, certificates: readonly StoredCertificate[]): Decision {
  return unchanged({
    subject: memberSubject(member.id),
    about: [],
    state: recordedState(member, certificates),
    summary: `Member ${member.id} is in no team and has no key in force.`,
    resource: member.id,
  });
}

function recordedState(member: Member, certificates: readonly StoredCertificate[]): Json {
  return { member: recordedMember(member), ...recordedCertificates(certificates) };
}
