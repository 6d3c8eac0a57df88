import { randomBytes, randomUUID } from "node:crypto";
import type { Call } from "../../src/audit/call.ts";
import type { ChangeOptions } from "../../src/changes/options.ts";
import type { Core } from "../../src/core.ts";
import {
  type Gun,
  type MemberId,
  type Parsed,
  parseGun,
  parseMemberId,
  parseTeamId,
  type TeamId,
} from "../../src/names.ts";
import type { DisplayName } from "../../src/teams/display-name.ts";
import type { Labels } from "../../src/teams/labels.ts";
import { addMember } from "../../src/teams/memberships.ts";
import { submitCertificate } from "../../src/teams/submit-certificate.ts";
import { createTeam } from "../../src/teams/teams.ts";
import { delegate } from "../../src/trust/delegate.ts";
import { initializeTrust } from "../../src/trust/initialize.ts";
import { everyTag } from "../../src/trust/paths.ts";
import { keepService } from "../stack/kept-service.ts";
import { startNotary, type TestNotary } from "../stack/notary.ts";
import { borrowPostgres, type SharedPostgres } from "../stack/shared-postgres.ts";
import { type Identity, makeIdentity } from "./identity.ts";
import { openReplica, type Replica, type ReplicaOptions } from "./replica.ts";

export { day, openReplica, type Replica, type ReplicaOptions, testFollowing, testSettings } from "./replica.ts";

export const noOptions: ChangeOptions = {
  requestId: "",
  validateOnly: false,
  reason: "",
  etag: "",
  noWait: false,
  acceptOrphaned: false,
  acceptRevived: false,
  acceptWithoutSigner: false,
  planEtag: "",
};

/** A whole house for one test file: real PostgreSQL, real Notary, one running replica. */
export interface House extends Replica {
  readonly postgres: SharedPostgres;
  readonly notary: TestNotary;
  readonly kek: string;
  readonly appUrl: string;
  /** Another replica on the same database and Notary; the caller stops it. */
  another(options?: Partial<ReplicaOptions>): Replica;
}

export async function openHouse(options: Partial<ReplicaOptions> = {}): Promise<House> {
  const postgres = await borrowPostgres();
  const notary = await startNotary(postgres).catch(async (error: unknown) => {
    await postgres.stop();
    throw error;
  });
  const kek = randomBytes(32).toString("base64");
  const base = { appUrl: postgres.appUrl, notary, kek };
  const replica = openReplica({ ...base, ...options });
  await replica.core.publisher.start();
  if (options.follow !== undefined) replica.core.follower.start();
  return {
    ...replica,
    postgres,
    notary,
    kek,
    appUrl: postgres.appUrl,
    another: (more) => openReplica({ ...base, ...options, ...more }),
    stop: async () => {
      await replica.stop();
      await keepService(postgres.ownerUrl, kek, "test");
      await notary.stop();
      await postgres.stop();
    },
  };
}

export function makeCall(over: Partial<Call> = {}): Call {
  return {
    actor: { type: "caller", id: "spiffe://test/admin", authentication: "mtls", certificateSha256: "00" },
    method: "test",
    authorization: undefined,
    requestId: "",
    requestDigest: "",
    reason: "",
    peer: "127.0.0.1",
    userAgent: "test",
    traceId: "",
    spanId: "",
    deadline: Date.now() + 30_000,
    signal: new AbortController().signal,
    ...over,
  };
}

export function must<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new Error(parsed.fault);
  return parsed.value;
}

export const gunOf = (text: string): Gun => must(parseGun(text));
export const teamOf = (text: string): TeamId => must(parseTeamId(text));
export const memberOf = (text: string): MemberId => must(parseMemberId(text));
export const noLabels = new Map() as unknown as Labels;
export const noName = "" as DisplayName;

/** A team with one member who has one certificate. */
export async function makeTeam(
  core: Core,
  team: string,
  members: readonly string[] = [`${team}-${randomUUID().slice(0, 8)}`],
): Promise<readonly (Identity & { readonly member: MemberId })[]> {
  await createTeam(core.teams, makeCall(), { team: teamOf(team), displayName: noName, labels: noLabels }, noOptions);
  const identities = [];
  for (const name of members) {
    const member = memberOf(name);
    await joinTeam(core, team, name);
    const identity = await makeIdentity(name);
    await submitCertificate(core.teams, makeCall(), { member, pem: identity.certificatePem }, noOptions);
    identities.push({ ...identity, member });
  }
  return identities;
}

export async function joinTeam(core: Core, team: string, member: string) {
  const request = {
    team: teamOf(team),
    member: memberOf(member),
    displayName: noName,
    kind: "PERSON" as const,
    labels: noLabels,
  };
  return await addMember(core.teams, makeCall(), request, noOptions);
}

export function initialize(
  core: Core,
  gun: string,
  teams: readonly string[] = [],
  options: Partial<ChangeOptions> = {},
  call = makeCall(),
) {
  return initializeTrust(core.trust, call, {
    gun: gunOf(gun),
    teams: teams.map((team) => ({ team: teamOf(team), paths: everyTag, excludeFromReleases: false })),
    displayName: noName,
    labels: noLabels,
    keyBackend: "",
    notary: "",
    releasesPaths: everyTag,
    options: { ...noOptions, ...options },
  });
}

export function delegateTo(
  core: Core,
  gun: string,
  team: string,
  options: Partial<ChangeOptions> = {},
  call = makeCall(),
  excludeFromReleases = false,
) {
  return delegate(core.trust, call, {
    gun: gunOf(gun),
    team: teamOf(team),
    paths: everyTag,
    excludeFromReleases,
    options: { ...noOptions, ...options },
  });
}
