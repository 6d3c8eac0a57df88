import { TeamServiceService } from "../../gen/imagetrust/v1/team.ts";
import { listCertificates } from "../teams/certificates.ts";
import { createChallenge } from "../teams/create-challenge.ts";
import { getMember, listMembers } from "../teams/members.ts";
import { addMember, removeMember } from "../teams/memberships.ts";
import { replaceCertificate } from "../teams/replace-certificate.ts";
import { revokeCertificate } from "../teams/revoke-certificate.ts";
import { revokeMember } from "../teams/revoke-member.ts";
import type { TeamRoom } from "../teams/room.ts";
import { submitCertificate } from "../teams/submit-certificate.ts";
import { createTeam, deleteTeam, getTeam, listTeams } from "../teams/teams.ts";
import { updateTeam } from "../teams/update-team.ts";
import type { Edge } from "./edge.ts";
import { implement } from "./implement.ts";
import { outcomeToWire } from "./outcome-wire.ts";
import { listFitting } from "./page.ts";
import type { ServedService } from "./served-service.ts";
import {
  parseAddMember,
  parseCreatePossessionChallenge,
  parseCreateTeam,
  parseDeleteTeam,
  parseGetMember,
  parseGetTeam,
  parseListCertificates,
  parseListMembers,
  parseListTeams,
  parseRemoveMember,
  parseReplaceCertificate,
  parseRevokeCertificate,
  parseRevokeMember,
  parseSubmitCertificate,
  parseUpdateTeam,
} from "./team-requests.ts";
import { certificateToWire, challengeToWire, memberToWire, teamToWire } from "./team-wire.ts";

/** Serves imagetrust.v1.TeamService. */
export function teamService(edge: Edge, room: TeamRoom): ServedService {
  return implement(edge, TeamServiceService, {
    createTeam: async (request, call) => {
      const parsed = parseCreateTeam(request);
      const { team, outcome } = await createTeam(room, call, parsed, parsed.options);
      return { team: team && teamToWire(team), outcome: outcomeToWire(outcome) };
    },
    getTeam: async (request) => ({ team: teamToWire(await getTeam(room, parseGetTeam(request))) }),
    listTeams: (request) => {
      const { filter, page } = parseListTeams(request);
      return listFitting(TeamServiceService.listTeams, page, async (fitting) => {
        const { items, nextToken } = await listTeams(room, filter, fitting);
        return { teams: items.map(teamToWire), nextPageToken: nextToken };
      });
    },
    updateTeam: async (request, call) => {
      const parsed = parseUpdateTeam(request);
      const { team, outcome } = await updateTeam(room, call, parsed, parsed.options);
      return { team: teamToWire(team), outcome: outcomeToWire(outcome) };
    },
    deleteTeam: async (request, call) => {
      const parsed = parseDeleteTeam(request);
      const { outcome } = await deleteTeam(room, call, parsed, parsed.options);
      return { outcome: outcomeToWire(outcome) };
    },
    addMember: async (request, call) => {
      const parsed = parseAddMember(request);
      const { member, outcome } = await addMember(room, call, parsed, parsed.options);
      return { member: member && memberToWire(member), outcome: outcomeToWire(outcome) };
    },
    removeMember: async (request, call) => {
      const parsed = parseRemoveMember(request);
      const { member, outcome } = await removeMember(room, call, parsed, parsed.options);
      return { member: member && memberToWire(member), outcome: outcomeToWire(outcome) };
    },
    getMember: async (request) => ({ member: memberToWire(await getMember(room, parseGetMember(request))) }),
    listMembers: (request) => {
      const { filter, page } = parseListMembers(request);
      return listFitting(TeamServiceService.listMembers, page, async (fitting) => {
        const { items, nextToken } = await listMembers(room, filter, fitting);
        return { members: items.map(memberToWire), nextPageToken: nextToken };
      });
    },
    submitCertificate: async (request, call) => {
      const parsed = parseSubmitCertificate(request, room.authorities(), room.changing.now());
      const { certificate, outcome } = await submitCertificate(room, call, parsed, parsed.options);
      return { certificate: certificate && certificateToWire(certificate), outcome: outcomeToWire(outcome) };
    },
    createPossessionChallenge: async (request, call) => {
      const parsed = parseCreatePossessionChallenge(request, room.authorities(), room.changing.now());
      return { challenge: challengeToWire(await createChallenge(room, call, parsed)) };
    },
    revokeCertificate: async (request, call) => {
      const parsed = parseRevokeCertificate(request);
      const { certificates, outcome } = await revokeCertificate(room, call, parsed, parsed.options);
      return { certificates: certificates.map(certificateToWire), outcome: outcomeToWire(outcome) };
    },
    replaceCertificate: async (request, call) => {
      const parsed = parseReplaceCertificate(request, room.authorities(), room.changing.now());
      const { certificate, replaced, outcome } = await replaceCertificate(room, call, parsed, parsed.options);
      return {
        certificate: certificate && certificateToWire(certificate),
        replaced: replaced.map(certificateToWire),
        outcome: outcomeToWire(outcome),
      };
    },
    revokeMember: async (request, call) => {
      const parsed = parseRevokeMember(request);
      const { member, outcome } = await revokeMember(room, call, parsed, parsed.options);
      return { member: memberToWire(member), outcome: outcomeToWire(outcome) };
    },
    listCertificates: (request) => {
      const { query, page } = parseListCertificates(request);
      return listFitting(TeamServiceService.listCertificates, page, async (fitting) => {
        const { items, nextToken } = await listCertificates(room, query, fitting);
        return { certificates: items.map(certificateToWire), nextPageToken: nextToken };
      });
    },
  });
}
