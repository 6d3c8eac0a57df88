import { DelegationServiceService } from "../../../gen/imagetrust/v1/delegation.ts";
import { type Certificate, TeamServiceService } from "../../../gen/imagetrust/v1/team.ts";
import { TrustServiceService } from "../../../gen/imagetrust/v1/trust.ts";
import { makeCertificate } from "../../x509/make-certificate.ts";
import type { Caller } from "./client.ts";

/** Steps that several tests begin with, each over the wire; they do not wait for Notary. */

export async function createTeam(by: Caller, team: string): Promise<void> {
  await by.send(TeamServiceService.createTeam, { team });
}

export async function addMember(by: Caller, team: string, member: string): Promise<void> {
  await by.send(TeamServiceService.addMember, { team, member, options: { noWait: true } });
}

/** Submits a certificate of a fresh key. */
export async function submit(by: Caller, member: string, certificatePem = freshCertificate()): Promise<Certificate> {
  const { certificate } = await by.send(TeamServiceService.submitCertificate, {
    member,
    certificatePem,
    options: { noWait: true },
  });
  if (certificate === undefined) throw new Error("no certificate in the answer");
  return certificate;
}

/** A team with members who have a certificate each. */
export async function makeTeam(by: Caller, team: string, members: readonly string[]): Promise<readonly Certificate[]> {
  await createTeam(by, team);
  const certificates = [];
  for (const member of members) {
    await addMember(by, team, member);
    certificates.push(await submit(by, member));
  }
  return certificates;
}

export async function initialize(by: Caller, gun: string, teams: readonly string[] = []): Promise<void> {
  await by.send(TrustServiceService.initializeTrust, {
    gun,
    teams: teams.map((team) => ({ team, paths: [], excludeFromReleases: false })),
    options: { noWait: true },
  });
}

export async function delegate(by: Caller, gun: string, team: string): Promise<void> {
  await by.send(DelegationServiceService.delegate, { gun, team, options: { noWait: true } });
}

export function freshCertificate(): string {
  return makeCertificate(new Date()).pem;
}
