import type { ChangeOptions } from "../../src/changes/options.ts";
import type { Core } from "../../src/core.ts";
import type { CertificateId, RevocationReason } from "../../src/teams/certificate.ts";
import { addMember, removeMember } from "../../src/teams/memberships.ts";
import { replaceCertificate } from "../../src/teams/replace-certificate.ts";
import { revokeCertificate } from "../../src/teams/revoke-certificate.ts";
import { revokeMember } from "../../src/teams/revoke-member.ts";
import { submitCertificate } from "../../src/teams/submit-certificate.ts";
import { undelegate } from "../../src/trust/delegate.ts";
import { gunOf, makeCall, memberOf, noLabels, noName, noOptions, teamOf } from "./house.ts";
import { type Identity, makeIdentity } from "./identity.ts";

type Options = Partial<ChangeOptions>;

export function undelegateFrom(core: Core, gun: string, team: string, options: Options = {}, call = makeCall()) {
  const request = { gun: gunOf(gun), team: teamOf(team), options: { ...noOptions, ...options } };
  return undelegate(core.trust, call, request);
}

/** As joinTeam, with options. */
export function addTo(core: Core, team: string, member: string, options: Options = {}, call = makeCall()) {
  const attributes = { displayName: noName, kind: undefined, labels: noLabels };
  const request = { team: teamOf(team), member: memberOf(member), ...attributes };
  return addMember(core.teams, call, request, { ...noOptions, ...options });
}

export function removeFrom(core: Core, team: string, member: string, options: Options = {}, call = makeCall()) {
  const request = { team: teamOf(team), member: memberOf(member) };
  return removeMember(core.teams, call, request, { ...noOptions, ...options });
}

export function submitFor(core: Core, member: string, identity: Identity, options: Options = {}, call = makeCall()) {
  const request = { member: memberOf(member), pem: identity.certificatePem };
  return submitCertificate(core.teams, call, request, { ...noOptions, ...options });
}

/** A fresh key of a member, with its certificate submitted. */
export async function giveKey(core: Core, member: string, options: Options = {}): Promise<Identity> {
  const identity = await makeIdentity(member);
  await submitFor(core, member, identity, options);
  return identity;
}

/** Revokes the key of a member that has one. */
export async function revokeKeyOf(
  core: Core,
  member: string,
  options: Options = {},
  reason: RevocationReason = "LEFT",
): ReturnType<typeof revokeCertificate> {
  const request = { certificate: await newestCertificateOf(core, member), reason };
  return await revokeCertificate(core.teams, makeCall(), request, { ...noOptions, ...options });
}

/** Replaces the key of a member that has one. */
export async function replaceKeyOf(
  core: Core,
  member: string,
  by: Identity,
  options: Options = {},
): ReturnType<typeof replaceCertificate> {
  const request = { certificate: await newestCertificateOf(core, member), pem: by.certificatePem };
  return await replaceCertificate(core.teams, makeCall(), request, { ...noOptions, ...options });
}

export function revokeAllOf(core: Core, member: string, reason: RevocationReason, options: Options = {}) {
  return revokeMember(core.teams, makeCall(), { member: memberOf(member), reason }, { ...noOptions, ...options });
}

export async function newestCertificateOf(core: Core, member: string): Promise<CertificateId> {
  const found = await core.changing.database.row<{ id: CertificateId }>(
    "select id from certificates where member_id = :member and valid_to is null order by created_at desc limit 1",
    { member },
  );
  if (found === undefined) throw new Error(`${member} has no certificate in force`);
  return found.id;
}
