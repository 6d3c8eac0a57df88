import assert from "node:assert/strict";
import type { Call } from "../../src/audit/call.ts";
import type { ChangeOptions } from "../../src/changes/options.ts";
import { type ErrorReason, Fault } from "../../src/errors.ts";
import type { CertificateId, RevocationReason } from "../../src/teams/certificate.ts";
import { createChallenge } from "../../src/teams/create-challenge.ts";
import { type AddMember, addMember, removeMember } from "../../src/teams/memberships.ts";
import type { PossessionProof } from "../../src/teams/possession-proof.ts";
import { replaceCertificate } from "../../src/teams/replace-certificate.ts";
import { revokeCertificate } from "../../src/teams/revoke-certificate.ts";
import { revokeMember } from "../../src/teams/revoke-member.ts";
import { signingCertificatesOf } from "../../src/teams/signing-certificates-store.ts";
import { submitCertificate } from "../../src/teams/submit-certificate.ts";
import { type CreateTeam, createTeam, deleteTeam } from "../../src/teams/teams.ts";
import { type UpdateTeam, updateTeam } from "../../src/teams/update-team.ts";
import { callOf, displayName, type House, labels, memberId, optionsOf, teamId } from "./house.ts";

type Given = Partial<ChangeOptions> & { readonly call?: Partial<Call> };

/** The use cases with plain words for arguments. */
export function actsOf(house: House) {
  const { room } = house;
  const asked = ({ call, ...options }: Given): [Call, ChangeOptions] => [
    callOf({ ...(options.requestId === undefined ? {} : { requestId: options.requestId }), ...call }),
    optionsOf(options),
  ];
  return {
    create: (team: string, given: Given & Partial<Omit<CreateTeam, "team">> = {}) => {
      const { displayName: name = displayName(""), labels: marks = labels(), requiresPossessionProof, ...rest } = given;
      const [call, options] = asked(rest);
      const request = { team: teamId(team), displayName: name, labels: marks, requiresPossessionProof };
      return createTeam(room, call, request, options);
    },
    drop: (team: string, given: Given = {}) => {
      const [call, options] = asked(given);
      return deleteTeam(room, call, { team: teamId(team) }, options);
    },
    add: (team: string, member: string, given: Given & Partial<Omit<AddMember, "team" | "member">> = {}) => {
      const { displayName: name = displayName(""), labels: marks = labels(), kind, ...rest } = given;
      const [call, options] = asked(rest);
      const request = { team: teamId(team), member: memberId(member), displayName: name, labels: marks, kind };
      return addMember(room, call, request, options);
    },
    remove: (team: string, member: string, given: Given = {}) => {
      const [call, options] = asked(given);
      return removeMember(room, call, { team: teamId(team), member: memberId(member) }, options);
    },
    update: (team: string, attributes: UpdateTeam["attributes"], given: Given = {}) => {
      const [call, options] = asked(given);
      return updateTeam(room, call, { team: teamId(team), attributes }, options);
    },
    challenge: (member: string, pem: string, call: Partial<Call> = {}) =>
      createChallenge(room, callOf(call), { member: memberId(member), pem }),
    submit: (member: string, pem: string, given: Given & { readonly proof?: PossessionProof } = {}) => {
      const { proof, ...rest } = given;
      const [call, options] = asked(rest);
      return submitCertificate(room, call, { member: memberId(member), pem, proof }, options);
    },
    revoke: (certificate: string, revocation: RevocationReason = "SUPERSEDED", given: Given = {}) => {
      const [call, options] = asked(given);
      return revokeCertificate(room, call, { certificate: certificate as CertificateId, reason: revocation }, options);
    },
    replace: (certificate: string, pem: string, given: Given & { readonly proof?: PossessionProof } = {}) => {
      const { proof, ...rest } = given;
      const [call, options] = asked(rest);
      return replaceCertificate(room, call, { certificate: certificate as CertificateId, pem, proof }, options);
    },
    revokeMember: (member: string, revocation: RevocationReason = "LEFT", given: Given = {}) => {
      const [call, options] = asked(given);
      return revokeMember(room, call, { member: memberId(member), reason: revocation }, options);
    },
    /** The SHA-256 of every certificate that counts for the team, by the database. */
    signers: async (team: string): Promise<readonly string[]> => {
      const found = await signingCertificatesOf(house.database, [teamId(team)]);
      return (found.get(teamId(team)) ?? []).map((certificate) => certificate.certificateId);
    },
    revision: async (team: string): Promise<bigint | undefined> =>
      (await house.database.row<{ revision: bigint }>("select revision from teams where id = :team", { team }))
        ?.revision,
  };
}

/** Asserts that the act is refused for that reason and that it changed no row. */
export async function assertRefused(
  house: House,
  act: () => Promise<unknown>,
  reason: ErrorReason,
  told: RegExp = /./,
): Promise<Fault> {
  const before = await house.rows();
  const fault = await act().then(
    () => assert.fail(`must be refused with ${reason}`),
    (error: unknown) => error,
  );
  assert.ok(fault instanceof Fault, `not a Fault: ${String(fault)}`);
  assert.equal(fault.reason, reason, fault.message);
  assert.match(fault.message, told);
  assert.equal(await house.rows(), before, "a refusal changes nothing");
  return fault;
}
