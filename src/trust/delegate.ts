import type { Call } from "../audit/call.ts";
import type { Json, RecordDraft } from "../audit/record.ts";
import { type Changed, type Decision, makeChange } from "../changes/mutation.ts";
import type { ChangeOptions } from "../changes/options.ts";
import { quietPlan } from "../changes/plan.ts";
import type { Transaction } from "../database.ts";
import { Fault } from "../errors.ts";
import type { Gun, TeamId } from "../names.ts";
import type { SigningCertificate } from "../teams/effects.ts";
import { signingCertificatesOf } from "../teams/signing-certificates-store.ts";
import { bumpGeneration, type Collection, lockCollectionOf } from "./collection-store.ts";
import {
  currentDelegations,
  type DelegationRow,
  desiredOf,
  endDelegation,
  insertDelegation,
} from "./delegation-store.ts";
import type { DesiredCollection } from "./desired.ts";
import { requireHarmless } from "./guard.ts";
import { type NewestOf, requireDelegationEtag } from "./guard-reading.ts";
import { pendingCommitment } from "./initialize.ts";
import { type CollectionChange, describe, planOf, requireFits } from "./planner.ts";
import type { TrustRoom } from "./room.ts";
import { lockGrantedTeams, lockKnownTeam, requireRoomInReleases } from "./team-grants.ts";

export interface Delegate {
  readonly gun: Gun;
  readonly team: TeamId;
  /** Replaces the paths of an existing delegation. */
  readonly paths: readonly string[];
  readonly excludeFromReleases: boolean;
  readonly options: ChangeOptions;
}

export interface Undelegate {
  readonly gun: Gun;
  readonly team: TeamId;
  readonly options: ChangeOptions;
}

/** Decides that a team may sign a repository, or with which paths. Repeating it changes nothing. */
export async function delegate(room: TrustRoom, call: Call, request: Delegate): Promise<Changed> {
  const newest = await room.guards.beforeDelegating(request.gun, call.signal);
  return makeChange(room.changing, call, request.options, async (tx, now) => {
    const certificates = (await lockGrantedTeams(tx, [request], now)).get(request.team)?.certificates ?? [];
    const { collection, desired, held } = await lockDecided(tx, request, certificates);
    requireDelegationEtag(request.options, held);
    requireRoomInReleases([request], collection.releasesPaths, () => "paths");
    if (held !== undefined && isSame(held, request)) return unchanged(collection, request, "delegation.delegated.v1");

    const generation = await bumpGeneration(tx, collection.id, now);
    if (held !== undefined) await endDelegation(tx, held.id, generation, now);
    const inReleases = !request.excludeFromReleases;
    const fresh = { collectionId: collection.id, team: request.team, paths: request.paths, inReleases, generation };
    const id = await insertDelegation(tx, fresh, now);

    const others = desired.delegations.filter((delegation) => delegation.team !== request.team);
    const added = { id, team: request.team, paths: request.paths, inReleases, revision: 0n, certificates };
    const after = { ...desired, delegations: [...others, added] };
    requireFits(after);
    return decided({ collection, request, before: desired, after, generation, newest, now }, "delegation.delegated.v1");
  });
}

/** Decides that a team may no longer sign a repository. Repeating it changes nothing. */
export async function undelegate(room: TrustRoom, call: Call, request: Undelegate): Promise<Changed> {
  const newest = await room.guards.beforeRemoving(request.gun, call.signal);
  return makeChange(room.changing, call, request.options, async (tx, now) => {
    await lockKnownTeam(tx, request.team);
    const { collection, desired, held } = await lockDecided(tx, request, undefined);
    requireDelegationEtag(request.options, held);
    if (held === undefined) return unchanged(collection, request, "delegation.undelegated.v1");
    const generation = await bumpGeneration(tx, collection.id, now);
    await endDelegation(tx, held.id, generation, now);
    const after = {
      ...desired,
      delegations: desired.delegations.filter((delegation) => delegation.team !== request.team),
    };
    return decided(
      { collection, request, before: desired, after, generation, newest, now },
      "delegation.undelegated.v1",
    );
  });
}

interface Decided {
  readonly collection: Collection;
  readonly request: Delegate | Undelegate;
  readonly before: DesiredCollection;
  readonly after: DesiredCollection;
  readonly generation: bigint;
  readonly newest: NewestOf;
  readonly now: Date;
}

function decided(change: Decided, eventType: string): Decision {
  const { collection, request, before, after, generation, now } = change;
  const planned: CollectionChange = { before, after, targetsVersion: collection.targetsVersion };
  requireHarmless([{ change: planned, newest: change.newest(collection.gun) }], request.options);
  const verb = eventType.includes("undelegated") ? "Take" : "Delegate";
  const plan = planOf(
    [planned],
    1,
    `${verb} ${request.gun} ${verb === "Take" ? "from" : "to"} team ${request.team}.`,
    now,
  );
  return {
    plan,
    changed: true,
    commitment: { collection: { id: collection.id, generation }, rolloutId: undefined },
    resource: `${request.gun} ${request.team}`,
    record: recordOf(request, eventType, {
      before: recordedDelegation(before, request.team),
      after: recordedDelegation(after, request.team),
      diff: plan.roles.flatMap(describe),
    }),
  };
}

function unchanged(collection: Collection, request: Delegate | Undelegate, eventType: string): Decision {
  return {
    plan: quietPlan(`${request.gun} and team ${request.team}: decided already.`),
    changed: false,
    commitment: pendingCommitment(collection),
    resource: `${request.gun} ${request.team}`,
    record: recordOf(request, eventType, { before: null, after: null, diff: [] }),
  };
}

function recordOf(request: Delegate | Undelegate, eventType: string, change: RecordDraft["change"]): RecordDraft {
  return {
    eventType,
    stage: "RESULT",
    severity: "NOTICE",
    subject: { type: "gun", id: request.gun },
    about: [{ type: "team", id: request.team }],
    result: "OK",
    resultReason: "",
    gun: request.gun,
    change,
    publication: undefined,
  };
}

function recordedDelegation(desired: DesiredCollection, team: TeamId): Json {
  const found = desired.delegations.find((delegation) => delegation.team === team);
  if (found === undefined) return null;
  return {
    team,
    paths: found.paths,
    in_releases: found.inReleases,
    keys: found.certificates.map((certificate) => ({
      member: certificate.member,
      tuf_key_id: certificate.tufKeyId,
      canonical_key_id: certificate.canonicalKeyId,
    })),
  };
}

function isSame(held: DelegationRow, request: Delegate): boolean {
  return (
    held.inReleases !== request.excludeFromReleases && JSON.stringify(held.paths) === JSON.stringify(request.paths)
  );
}

interface LockedCollection {
  readonly collection: Collection;
  readonly desired: DesiredCollection;
  readonly held: DelegationRow | undefined;
}

/** Locks the collection and reads what is decided of it; `known` are the team's certificates where they were read already. */
async function lockDecided(
  tx: Transaction,
  request: { readonly gun: Gun; readonly team: TeamId },
  known: readonly SigningCertificate[] | undefined,
): Promise<LockedCollection> {
  const collection = await lockCollectionOf(tx, request.gun);
  if (collection === undefined || collection.state === "DELETED") {
    throw new Fault("NOT_FOUND", `There is no trust for ${request.gun}; call InitializeTrust first.`, {
      metadata: { gun: request.gun },
    });
  }
  const rows = await currentDelegations(tx, [collection.id]);
  const others = rows.map((row) => row.team).filter((team) => known === undefined || team !== request.team);
  const certificates = await signingCertificatesOf(tx, others);
  if (known !== undefined) certificates.set(request.team, [...known]);
  const desired = {
    gun: collection.gun,
    releasesPaths: collection.releasesPaths,
    delegations: rows.map((row) => desiredOf(row, certificates.get(row.team) ?? [])),
  };
  return { collection, desired, held: rows.find((row) => row.team === request.team) };
}
