import { createHash, randomUUID } from "node:crypto";
import type { Call } from "../../audit/call.ts";
import type { RecordDraft } from "../../audit/record.ts";
import { type Changed, type Decision, makeChange } from "../../changes/mutation.ts";
import type { ChangeOptions } from "../../changes/options.ts";
import { nothingToPublish } from "../../changes/outcome.ts";
import { type Plan, quietPlan } from "../../changes/plan.ts";
import type { Transaction } from "../../database.ts";
import { Fault, type FieldFault } from "../../errors.ts";
import type { Gun, TeamId } from "../../names.ts";
import { type Collection, findCollectionsOf } from "../collection-store.ts";
import { currentDelegationsTo, type HeldDelegationRow, readDesired } from "../delegation-store.ts";
import { type CollectionChange, planOf } from "../planner.ts";
import { isLive } from "../publication-view.ts";
import type { TrustRoom } from "../room.ts";
import { type GrantedTeam, isGranted, lockKnownTeams, requireRoomInReleases, requireSigners } from "../team-grants.ts";
import { type Selection, selectGuns } from "./batch-selection.ts";
import { insertBatch, type NewBatchItem, supersedeBatchItems } from "./batch-store.ts";
import { insertRollout } from "./rollout-store.ts";

export interface BatchDelegate {
  readonly team: TeamId;
  /** The repositories themselves, each once, or what they have in common. */
  readonly of: { readonly guns: readonly Gun[] } | { readonly selection: Selection };
  readonly paths: readonly string[];
  readonly excludeFromReleases: boolean;
  readonly options: ChangeOptions;
}

/** Refuses with NOT_PERMITTED unless the caller may do it for every repository. */
export type PermitEvery = (guns: readonly Gun[]) => Promise<void>;

/**
 * Decides that a team may sign many repositories, as one rollout: what is decided here is the list, and a batch runner decides one
 * repository after the other. What can be known to fail for one is refused here, with every fault at once.
 */
export async function batchDelegate(
  room: TrustRoom,
  call: Call,
  request: BatchDelegate,
  permit: PermitEvery,
): Promise<Changed> {
  const { changing } = room;
  const guns = "guns" in request.of ? request.of.guns : await selectGuns(changing.database, request.of.selection);
  await permit(guns);
  return makeChange(changing, call, request.options, async (tx, now) => {
    const teams = await lockKnownTeams(tx, [request.team]);
    const collections = await findCollectionsOf(tx, guns);
    requireKnown(request, guns, teams, collections);
    requireExclusion(request, collections);
    // Before it is read what is decided: an earlier batch that goes on behind the reading would undo what is found here.
    await supersedeBatchItems(tx, { guns, team: request.team }, now);
    const held = await currentDelegationsTo(tx, request.team, idsOf(collections));
    const decidedAlready = collections.filter(({ id }) => isGranted(held.get(id), request));
    const open = collections.filter(({ id }) => !isGranted(held.get(id), request));
    if (open.length > 0) requireSigners(teams, now);
    const plan = await planBatch(tx, request, open, decidedAlready.length, teams, now);

    const items = [...open.map(itemToDecide), ...decidedAlready.map((one) => itemDecided(one, held.get(one.id)))];
    if (items.every((item) => item.isUnchanged)) {
      return {
        plan,
        changed: false,
        record: recordOf(request, guns, undefined, 0),
        commitment: nothingToPublish,
        resource: "",
      };
    }
    const id = randomUUID();
    await insertRollout(
      tx,
      { id, kind: "BATCH", actor: call.actor.id, reason: call.reason, total: items.length },
      [],
      now,
    );
    await insertBatch(tx, grantOf(id, request), items, now);
    const commitment = { collection: undefined, rolloutId: id };
    const record = recordOf(request, guns, id, open.length);
    return { plan, changed: open.length > 0, record, commitment, resource: id } satisfies Decision;
  });
}

function idsOf(collections: readonly Collection[]): readonly bigint[] {
  return collections.map((collection) => collection.id);
}

/** Refuses what is not there, the team and every repository at once, and a selection of nothing. */
function requireKnown(
  request: BatchDelegate,
  guns: readonly Gun[],
  teams: ReadonlyMap<TeamId, GrantedTeam>,
  collections: readonly Collection[],
): void {
  const known = new Set<string>(collections.map((collection) => collection.gun));
  const faults: FieldFault[] = [];
  if (!teams.has(request.team)) faults.push({ field: "team", fault: "must be a team; create it first" });
  if (guns.length === 0) faults.push({ field: "selection", fault: "must select at least one repository with trust" });
  for (const [at, gun] of guns.entries()) {
    if (known.has(gun)) continue;
    const field = "guns" in request.of ? `guns[${at}]` : "selection";
    faults.push({ field, fault: "must be a repository with trust; call InitializeTrust first" });
  }
  const [first] = faults;
  if (first === undefined) return;
  const more = faults.length === 1 ? "" : ` (and ${faults.length - 1} more faults)`;
  throw new Fault("NOT_FOUND", `Nothing was decided: ${first.field} ${first.fault}${more}.`, { fields: faults });
}

/** Refuses paths that the releases of any of the repositories would make void, and names the first of these. */
function requireExclusion(request: BatchDelegate, collections: readonly Collection[]): void {
  for (const { releasesPaths } of collections) requireRoomInReleases([request], releasesPaths, () => "paths");
}

const chunk = 200;

/** The plans of all repositories that are to be decided, so that the plan's etag stands for every one of them. */
async function planBatch(
  tx: Transaction,
  request: BatchDelegate,
  open: readonly Collection[],
  already: number,
  teams: ReadonlyMap<TeamId, GrantedTeam>,
  now: Date,
): Promise<Plan> {
  const { certificates = [], revision = 0n } = teams.get(request.team) ?? {};
  const added = {
    id: 0n,
    team: request.team,
    paths: request.paths,
    inReleases: !request.excludeFromReleases,
    revision,
    certificates,
  };
  const summary = `Delegate ${countOf(open.length)} to team ${request.team}; ${already} decided already.`;
  const whole: { roles: Plan["roles"][number][]; warnings: Plan["warnings"][number][] } = { roles: [], warnings: [] };
  for (let at = 0; at < open.length; at += chunk) {
    const part = open.slice(at, at + chunk);
    const desired = await readDesired(tx, part);
    const changes = part.flatMap((collection): readonly CollectionChange[] => {
      const before = desired.get(collection.id);
      if (before === undefined) return [];
      const others = before.delegations.filter(({ team }) => team !== request.team);
      const after = { ...before, delegations: [...others, added] };
      return [{ before, after, targetsVersion: collection.targetsVersion }];
    });
    const { roles, warnings } = planOf(changes, changes.length, "", now);
    whole.roles.push(...roles);
    whole.warnings.push(...warnings);
  }
  return { ...quietPlan(summary), ...whole, collections: open.length };
}

function countOf(repositories: number): string {
  return repositories === 1 ? "1 repository" : `${repositories} repositories`;
}

function itemToDecide({ id }: Collection): NewBatchItem {
  return { collectionId: id, generation: undefined, isUnchanged: false };
}

/** What is decided already is as live as the generation that decided it. */
function itemDecided(collection: Collection, held: HeldDelegationRow | undefined): NewBatchItem {
  const generation = held?.sinceGeneration ?? collection.generation;
  return { collectionId: collection.id, generation, isUnchanged: isLive(collection, generation) };
}

function grantOf(rolloutId: string, { team, paths, excludeFromReleases, options }: BatchDelegate) {
  const { acceptOrphaned, acceptRevived } = options;
  return { rolloutId, team, paths, inReleases: !excludeFromReleases, acceptOrphaned, acceptRevived };
}

const namedGuns = 100;

/** The call's own record; what is decided for each repository has a record there. */
function recordOf(
  request: BatchDelegate,
  guns: readonly Gun[],
  rolloutId: string | undefined,
  toDecide: number,
): RecordDraft {
  const { team, paths, excludeFromReleases } = request;
  const after = {
    rollout: rolloutId ?? null,
    team,
    paths,
    in_releases: !excludeFromReleases,
    repositories: guns.length,
    to_decide: toDecide,
    guns: guns.slice(0, namedGuns),
    guns_sha256: createHash("sha256").update(guns.join("\n")).digest("hex"),
  };
  return {
    eventType: "delegation.batch_delegated.v1",
    stage: "RESULT",
    severity: "NOTICE",
    subject: { type: "team", id: team },
    about: [],
    result: "OK",
    resultReason: "",
    gun: undefined,
    change: { before: null, after, diff: [`team ${team} may sign ${countOf(toDecide)}, one after the other`] },
    publication: undefined,
  };
}
