import type { Call } from "../audit/call.ts";
import type { Json, RecordDraft } from "../audit/record.ts";
import { type Changed, type Decision, makeChange } from "../changes/mutation.ts";
import type { ChangeOptions } from "../changes/options.ts";
import { type Commitment, nothingToPublish } from "../changes/outcome.ts";
import { quietPlan } from "../changes/plan.ts";
import { withinReadingTime } from "../changes/reading-time.ts";
import type { Transaction } from "../database.ts";
import { Fault } from "../errors.ts";
import { type Gun, rootRole, type TeamId, targetsRole } from "../names.ts";
import type { DisplayName } from "../teams/display-name.ts";
import { areSameLabels, type Labels, labelsFromJson } from "../teams/labels.ts";
import { verifyAbsence } from "../tuf/verify.ts";
import { type Collection, findCollection, insertCollection, lockCollectionOf } from "./collection-store.ts";
import { insertDelegation, readDesired } from "./delegation-store.ts";
import { describe, planOf, requireFits } from "./planner.ts";
import { isLive } from "./publication-view.ts";
import { readAbsence } from "./publisher/absence.ts";
import type { TrustRoom } from "./room.ts";
import { grantsByRules } from "./rules/ruled-grants.ts";
import { type GrantedTeam, lockGrantedTeams, requireRoomInReleases, requireSigners } from "./team-grants.ts";
import { requireTrustEtag } from "./trust-view.ts";

/** A team to delegate to from the first publication on. */
export interface TeamGrant {
  readonly team: TeamId;
  /** The rule that wishes for it; undefined where the call does. */
  readonly ruleId?: string;
  readonly paths: readonly string[];
  readonly excludeFromReleases: boolean;
}

export interface InitializeTrust {
  readonly gun: Gun;
  readonly teams: readonly TeamGrant[];
  readonly displayName: DisplayName;
  readonly labels: Labels;
  /** Empty: the default backend. */
  readonly keyBackend: string;
  /** Empty: the server that serves the GUN's registry host. */
  readonly notary: string;
  readonly releasesPaths: readonly string[];
  readonly options: ChangeOptions;
}

/**
 * Decides trust for a GUN, with its first delegations, those of rules included, to be live in one publication. Repeating it changes nothing.
 * A GUN that has trust on Notary which this service did not make is refused with FOREIGN_TRUST, and nothing is touched.
 */
export async function initializeTrust(room: TrustRoom, call: Call, request: InitializeTrust): Promise<Changed> {
  const server = room.notaries.serverFor(request.gun, request.notary === "" ? undefined : request.notary);
  const keyBackend = backendOf(room, request);
  requireRoomInReleases(request.teams, request.releasesPaths, (at) => `teams[${at}].paths`);
  if (!(await isHeld(room, request.gun))) {
    await withinReadingTime(call, (signal) => requireAbsent(room, server.name, request.gun, signal));
  }
  return makeChange(room.changing, call, request.options, async (tx, now) => {
    const named = new Set(request.teams.map(({ team }) => team));
    const grants = [...request.teams, ...(await grantsByRules(tx, request.gun, named))];
    const granted = await lockGrantedTeams(tx, grants);
    const fresh = { ...request, notary: server.name, keyBackend, labels: Object.fromEntries(request.labels) };
    const collection = await insertCollection(tx, fresh, now);
    if (collection === undefined) return await alreadyHeld(tx, request);
    // A rule may have a team that nobody signs for yet; that must not stop this call.
    requireSigners(new Map([...granted].filter(([team]) => named.has(team))), now);
    for (const grant of grants) {
      await insertDelegation(
        tx,
        {
          collectionId: collection.id,
          team: grant.team,
          paths: grant.paths,
          inReleases: !grant.excludeFromReleases,
          generation: collection.generation,
          ruleId: grant.ruleId,
        },
        now,
      );
    }
    return await decided(tx, collection, { ...request, teams: grants }, granted, now);
  });
}

function backendOf(room: TrustRoom, request: InitializeTrust): string {
  const name = request.keyBackend === "" ? room.defaultKeyBackend : request.keyBackend;
  if (room.keyBackends.has(name)) return name;
  throw new Fault("INVALID_FIELD", "There is no such key backend.", {
    fields: [{ field: "key_backend", fault: `must be one of ${[...room.keyBackends].join(", ")}, or empty` }],
  });
}

/**
 * Reads Notary before anything is decided: absent means 404 for 1.root.json, 2.root.json and timestamp.json. What is found there may
 * have been published here in the meantime; then the repeat is judged by what was decided.
 */
async function requireAbsent(room: TrustRoom, notary: string, gun: Gun, signal: AbortSignal): Promise<void> {
  if (verifyAbsence(await readAbsence(room.notaries.byName(notary), gun, signal)) === undefined) return;
  if (await isHeld(room, gun)) return;
  throw new Fault(
    "FOREIGN_TRUST",
    `${gun} already has trust on Notary that was not made here. Nothing was touched; this GUN can be initialized once it is gone there.`,
    { metadata: { gun, notary } },
  );
}

async function isHeld(room: TrustRoom, gun: Gun): Promise<boolean> {
  const held = await findCollection(room.changing.database, gun);
  return held !== undefined && held.state !== "DELETED";
}

async function decided(
  tx: Transaction,
  collection: Collection,
  request: InitializeTrust,
  granted: ReadonlyMap<TeamId, GrantedTeam>,
  now: Date,
): Promise<Decision> {
  const desired = (await readDesired(tx, [collection])).get(collection.id);
  if (desired === undefined) throw new Error("the collection just made is not there");
  requireFits(desired);
  const teams = request.teams.length === 0 ? "no team" : request.teams.map((grant) => grant.team).join(", ");
  const delegations = planOf(
    [{ before: undefined, after: desired, targetsVersion: collection.targetsVersion }],
    1,
    `Initialize trust for ${request.gun} and delegate it to ${teams}: one publication.`,
    now,
  );
  const base = [rootRole, targetsRole].map((role) => ({
    gun: request.gun,
    role,
    fromVersion: 0,
    toVersion: 1,
    keysAdded: [],
    keysRemoved: [],
    pathsAdded: [],
    pathsRemoved: [],
    roleCreated: true,
    roleRemoved: false,
  }));
  const plan = { ...delegations, roles: [...base, ...delegations.roles] };
  return {
    plan,
    changed: true,
    commitment: { collection: { id: collection.id, generation: collection.generation }, rolloutId: undefined },
    resource: request.gun,
    record: recordOf(
      request,
      {
        ...recordedTrust(collection),
        teams: Object.fromEntries([...granted].map(([team, { revision }]) => [team, String(revision)])),
      },
      [`trust for ${request.gun} is initialized`, ...ruledTeams(request), ...plan.roles.flatMap(describe)],
    ),
  };
}

function ruledTeams({ teams }: InitializeTrust): readonly string[] {
  return teams.flatMap(({ team, ruleId }) =>
    ruleId === undefined ? [] : [`rule ${ruleId} delegates it to team ${team}`],
  );
}

function recordOf(request: InitializeTrust, after: RecordedState | null, diff: readonly string[]): RecordDraft {
  return {
    eventType: "trust.initialized.v1",
    stage: "RESULT",
    severity: "NOTICE",
    subject: { type: "gun", id: request.gun },
    about: request.teams.map((grant) => ({ type: "team" as const, id: grant.team })),
    result: "OK",
    resultReason: "",
    gun: request.gun,
    change: { before: null, after, diff },
    publication: undefined,
  };
}

/** What is decided of a collection itself, as records show it. */
export function recordedTrust(collection: Collection): RecordedTrust {
  return {
    gun: collection.gun,
    notary: collection.notary,
    key_backend: collection.keyBackend,
    incarnation: collection.incarnation,
    generation: String(collection.generation),
    releases_paths: collection.releasesPaths,
  };
}

type RecordedTrust = { readonly [name: string]: Json };
type RecordedState = NonNullable<NonNullable<RecordDraft["change"]>["after"]>;

/** A repeat of what is decided already changes nothing and follows it; anything else is ALREADY_EXISTS. */
async function alreadyHeld(tx: Transaction, request: InitializeTrust): Promise<Decision> {
  const collection = await lockCollectionOf(tx, request.gun);
  if (collection !== undefined) requireTrustEtag(request.options, collection);
  if (collection === undefined) throw new Fault("CONFLICT", "Another change won a race; repeat the call.");
  const desired = (await readDesired(tx, [collection])).get(collection.id);
  const same =
    desired !== undefined &&
    request.teams.every((grant) =>
      desired.delegations.some(
        (held) =>
          held.team === grant.team &&
          held.inReleases !== grant.excludeFromReleases &&
          JSON.stringify(held.paths) === JSON.stringify(grant.paths),
      ),
    ) &&
    JSON.stringify(collection.releasesPaths) === JSON.stringify(request.releasesPaths) &&
    (request.displayName === "" || request.displayName === collection.displayName) &&
    (request.labels.size === 0 || areSameLabels(request.labels, labelsFromJson(collection.labels))) &&
    (request.notary === "" || request.notary === collection.notary) &&
    (request.keyBackend === "" || request.keyBackend === collection.keyBackend);
  if (!same) {
    throw new Fault(
      "ALREADY_EXISTS",
      `Trust for ${request.gun} was initialized before with other settings; use Delegate and Undelegate to change them.`,
      { metadata: { gun: request.gun } },
    );
  }
  return {
    plan: quietPlan(`Trust for ${request.gun} is decided already.`),
    changed: false,
    commitment: pendingCommitment(collection, collection.generation),
    resource: request.gun,
    record: recordOf(request, null, []),
  };
}

/** What a caller follows who asked for what `generation` decided already: nothing when it is live. */
export function pendingCommitment(collection: Collection, generation: bigint): Commitment {
  if (isLive(collection, generation)) return nothingToPublish;
  return { collection: { id: collection.id, generation }, rolloutId: undefined };
}
