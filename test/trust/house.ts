import { randomBytes, randomUUID } from "node:crypto";
import type { Call } from "../../src/audit/call.ts";
import { createSequencer } from "../../src/audit/sequencer.ts";
import type { ChangeOptions } from "../../src/changes/options.ts";
import { type Core, openCore } from "../../src/core.ts";
import { type Database, openDatabase } from "../../src/database.ts";
import { createLogger } from "../../src/logger.ts";
import {
  type Gun,
  type MemberId,
  type Parsed,
  parseGun,
  parseMemberId,
  parseTeamId,
  type TeamId,
} from "../../src/names.ts";
import { openNotaryServers } from "../../src/notary/directory.ts";
import { parseKeyEncryptionKey } from "../../src/signing/key-encryption-key.ts";
import { openSealedBackend } from "../../src/signing/sealed.ts";
import type { DisplayName } from "../../src/teams/display-name.ts";
import type { Labels } from "../../src/teams/labels.ts";
import { addMember } from "../../src/teams/memberships.ts";
import { submitCertificate } from "../../src/teams/submit-certificate.ts";
import { createTeam } from "../../src/teams/teams.ts";
import { delegate } from "../../src/trust/delegate.ts";
import { initializeTrust } from "../../src/trust/initialize.ts";
import { everyTag } from "../../src/trust/paths.ts";
import type { PublisherRoom, PublisherSettings } from "../../src/trust/publisher-room.ts";
import { startNotary, type TestNotary } from "../stack/notary.ts";
import { borrowPostgres, type SharedPostgres } from "../stack/shared-postgres.ts";
import { type Identity, makeIdentity } from "./identity.ts";

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

export const day = 86_400_000;

export const testSettings: PublisherSettings = {
  rootLifeMs: 3_650 * day,
  targetsLifeMs: 180 * day,
  concurrency: 8,
  claimMs: 300,
  leaseMs: 300,
  rejectAfterMs: 300,
  patrolMs: 6 * 3_600_000,
  restartCheckMs: 200,
  firstBackOffMs: 50,
  longestBackOffMs: 500,
};

/** One replica of the service without its edge, on a database and a Notary of its own or shared with others. */
export interface Replica {
  readonly core: Core;
  readonly database: Database;
  stop(): Promise<void>;
}

export interface ReplicaOptions {
  readonly appUrl: string;
  readonly notary: { readonly url: string; readonly caFile: string };
  /** A second Notary server, for the repositories of one registry host. */
  readonly otherNotary?: { readonly url: string; readonly caFile: string; readonly registryHost: string };
  readonly kek: string;
  readonly settings?: Partial<PublisherSettings>;
  readonly atStep?: PublisherRoom["atStep"];
  readonly now?: () => Date;
  readonly logLevel?: "silent" | "warn";
  readonly connections?: number;
  readonly longestWaitMs?: number;
}

export function openReplica(options: ReplicaOptions): Replica {
  const now = options.now ?? (() => new Date());
  const log = createLogger(options.logLevel ?? "silent");
  const database = openDatabase({ url: options.appUrl, connections: options.connections ?? 5 });
  const kek = parseKeyEncryptionKey(options.kek);
  if (!kek.ok) throw new Error(kek.fault);
  const sequencer = createSequencer(database, log, now);
  const { notary, otherNotary: other } = options;
  const notaries = openNotaryServers([
    { name: "main", baseUrl: notary.url, registryHosts: ["*"], caFile: notary.caFile },
    ...(other === undefined
      ? []
      : [{ name: "other", baseUrl: other.url, registryHosts: [other.registryHost], caFile: other.caFile }]),
  ]);
  const core = openCore({
    database,
    sequencer,
    notaries,
    backends: [openSealedBackend(database, kek.value, "test")],
    publisher: { ...testSettings, ...options.settings },
    longestWaitMs: options.longestWaitMs ?? 20_000,
    log,
    now,
    ...(options.atStep === undefined ? {} : { atStep: options.atStep }),
  });
  sequencer.start();
  return {
    core,
    database,
    stop: async () => {
      await core.publisher.stop();
      await sequencer.stop();
      await notaries.close();
      await database.close();
    },
  };
}

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
  return {
    ...replica,
    postgres,
    notary,
    kek,
    appUrl: postgres.appUrl,
    another: (more) => openReplica({ ...base, ...options, ...more }),
    stop: async () => {
      await replica.stop();
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
