import { AuditServiceService } from "../../gen/imagetrust/v1/audit.ts";
import { DelegationServiceService } from "../../gen/imagetrust/v1/delegation.ts";
import { ExpiryServiceService } from "../../gen/imagetrust/v1/expiry.ts";
import { SignatureServiceService } from "../../gen/imagetrust/v1/signature.ts";
import { TeamServiceService } from "../../gen/imagetrust/v1/team.ts";
import { TrustServiceService } from "../../gen/imagetrust/v1/trust.ts";
import {
  auditOf,
  certificate,
  collection,
  collectionsUnder,
  member,
  type Resource,
  rollout,
  team,
} from "./resource.ts";

/** What an RPC needs to be permitted: the action of its name, on what its request is about. */
export interface Permission {
  readonly action: string;
  resourceOf(request: unknown): Resource;
}

type RequestOf<Method> = Method extends { requestDeserialize: (bytes: Buffer) => infer Request } ? Request : never;
type Resources<Service> = { readonly [Name in keyof Service]: (request: RequestOf<Service[Name]>) => Resource };

const trust: Resources<typeof TrustServiceService> = {
  initializeTrust: (request) => collection(request.gun),
  getTrust: (request) => collection(request.gun),
  listTrusts: (request) => collectionsUnder(request.gunPrefix),
  deleteTrust: (request) => collection(request.gun),
};

const teams: Resources<typeof TeamServiceService> = {
  createTeam: (request) => team(request.team),
  getTeam: (request) => team(request.team),
  listTeams: (request) => (request.member === "" ? team("") : member(request.member)),
  updateTeam: (request) => team(request.team),
  deleteTeam: (request) => team(request.team),
  addMember: (request) => team(request.team),
  removeMember: (request) => team(request.team),
  getMember: (request) => member(request.member),
  listMembers: (request) => (request.team === "" ? member("") : team(request.team)),
  submitCertificate: (request) => member(request.member),
  createPossessionChallenge: (request) => member(request.member),
  revokeCertificate: (request) => certificate(request.certificate),
  replaceCertificate: (request) => certificate(request.certificate),
  revokeMember: (request) => member(request.member),
  listCertificates: (request) => (request.member === "" ? team(request.team) : member(request.member)),
};

const delegations: Resources<typeof DelegationServiceService> = {
  delegate: (request) => collection(request.gun),
  undelegate: (request) => collection(request.gun),
  getDelegation: (request) => collection(request.gun),
  listDelegations: (request) => (request.gun === "" ? team(request.team) : collection(request.gun)),
  getRollout: (request) => rollout(request.id),
  // For each repository of the batch and of the rollout, permit-every.ts asks again.
  batchDelegate: ({ guns, selection }) =>
    selection === undefined ? collection(guns[0] ?? "") : collectionsUnder(selection.gunPrefix),
  listRollouts: () => rollout(""),
  watchRollout: (request) => rollout(request.id),
  cancelRollout: (request) => rollout(request.id),
  // What a question is asked of whom decides; whoever may not see all of it asks for what lies below a prefix of its own.
  listAuthority: (request) => {
    if (request.gun !== "") return collection(request.gun);
    if (request.gunPrefix !== "") return collectionsUnder(request.gunPrefix);
    if (request.team !== "") return team(request.team);
    return request.member === "" ? certificate(request.key) : member(request.member);
  },
  // For each repository that is there, permit-every.ts asks again.
  createDelegationRule: (request) => collectionsUnder(request.gunPrefix),
  deleteDelegationRule: (request) => collectionsUnder(request.gunPrefix),
  listDelegationRules: (request) =>
    request.gunPrefix === "" && request.team !== "" ? team(request.team) : collectionsUnder(request.gunPrefix),
};

const expiry: Resources<typeof ExpiryServiceService> = {
  listExpiring: (request) =>
    request.gunPrefix === "" && request.team !== "" ? team(request.team) : collectionsUnder(request.gunPrefix),
};

const signatures: Resources<typeof SignatureServiceService> = {
  listSignedTags: (request) => collection(request.gun),
  getSignedTag: (request) => collection(request.gun),
  watchTrust: (request) => (request.gun === "" ? collectionsUnder("") : collection(request.gun)),
};

const audit: Resources<typeof AuditServiceService> = {
  listAuditRecords: (request) => auditOf(request),
  getAuditRecord: () => auditOf({ gun: "", team: "", member: "" }),
};

/** The permission of every RPC, by its path (`/imagetrust.v1.TrustService/GetTrust`). An RPC that is not here is not served. */
export const permissions: ReadonlyMap<string, Permission> = new Map([
  ...permissionsOf(TrustServiceService, trust),
  ...permissionsOf(TeamServiceService, teams),
  ...permissionsOf(DelegationServiceService, delegations),
  ...permissionsOf(ExpiryServiceService, expiry),
  ...permissionsOf(SignatureServiceService, signatures),
  ...permissionsOf(AuditServiceService, audit),
]);

function permissionsOf<Service extends Readonly<Record<string, { readonly path: string }>>>(
  service: Service,
  resources: Resources<Service>,
): readonly [string, Permission][] {
  return Object.entries(resources).map(([name, resourceOf]) => {
    const path = service[name]?.path ?? "";
    return [path, { action: path.slice(path.lastIndexOf("/") + 1), resourceOf }];
  });
}
