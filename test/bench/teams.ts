import { TeamServiceService } from "../../gen/imagetrust/v1/team.ts";
import { type Gun, type Parsed, parseGun, parseTeamId, type TeamId } from "../../src/names.ts";
import { makeIdentity } from "../trust/identity.ts";
import type { Caller } from "./caller.ts";

/** A team and its members' certificates, PEM. */
export interface BenchTeam {
  readonly id: TeamId;
  readonly certificates: readonly string[];
}

/** Two, as in the workflow that the product replaces. */
const usualMembers = 2;

/** A GUN that no other measure, side or number has. */
export function gunOf(measure: string, side: string, number: number | string): Gun {
  return must(parseGun(`dtr.example.org/${measure}/${side}-${number}`));
}

/** Makes a team of the service whose members have a certificate each. */
export async function makeTeam(caller: Caller, name: string, members: number = usualMembers): Promise<BenchTeam> {
  const id = must(parseTeamId(name));
  await caller.call(TeamServiceService.createTeam, { team: name });
  const certificates: string[] = [];
  for (let number = 1; number <= members; number++) {
    const member = `${name}-${number}`;
    await caller.call(TeamServiceService.addMember, { team: name, member });
    const { certificatePem: pem } = await makeIdentity(member);
    await caller.call(TeamServiceService.submitCertificate, { member, certificatePem: pem });
    certificates.push(pem);
  }
  return { id, certificates };
}

/** Makes teams that are called by the prefix and their number. */
export async function makeTeams(caller: Caller, prefix: string, count: number): Promise<readonly BenchTeam[]> {
  const teams: BenchTeam[] = [];
  for (let number = 0; number < count; number++) teams.push(await makeTeam(caller, `${prefix}${number}`));
  return teams;
}

function must<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new Error(parsed.fault);
  return parsed.value;
}
