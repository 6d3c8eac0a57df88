import { createHash, randomUUID } from "node:crypto";
import type { Call } from "../../audit/call.ts";
import type { RecordDraft } from "../../audit/record.ts";
import { type Changed, type Decision, makeChange } from "../../changes/mutation.ts";
import type { ChangeOptions } from "../../changes/options.ts";
import { nothingToPublish } from "../../changes/outcome.ts";
import type { Plan } from "../../changes/plan.ts";
import type { Transaction } from "../../database.ts";
import { Fault, type FieldFault } from "../../errors.ts";
import type { Gun, TeamId } from "../../names.ts";
import { type Collection, findCollectionsOf } from "../collection-store.ts";
import { currentDelegationsTo, type HeldDelegationRow } from "../delegation-store.ts";
import type { DesiredDelegation } from "../desired.ts";
import { isLive } from "../publication-view.ts";
import type { TrustRoom } from "../room.ts";
import { type GrantedTeam, isGranted, lockKnownTeams, requireRoomInReleases, requireSigners } from "../team-grants.ts";
import { type Judged, judgeBatch, judgedWords } from "./batch-guards.ts";
import { planInChunks } from "./batch-plan.ts";
import { type Selection, selectGuns } from "./batch-selection.ts";
import { type BatchGrant, insertBatch, type NewBatchItem, supersedeBatchItems } from "./batch-store.ts";
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
  const judged = await judgeDelegations(room, call, request, guns);
  return makeChange(changing, call, request.options, async (tx, now) => {
    const teams = await lockKnownTeams(tx, [request.team]);
    const collections = await findCollectionsOf(tx, guns);
    requireKnown(request, guns, teams, collections);
    const batch = await decideBatch(tx, call, request, { guns, collections, teams, judged }, now);
    const { plan, rolloutId, open } = batch;
    const commitment = rolloutId === undefined ? nothingToPublish : { collection: undefined, rolloutId };
    const record = recordOf(request, guns, rolloutId, open);
    return { plan, changed: open > 0, record, commitment, resource: rolloutId ?? "" } satisfies Decision;
  });
}

/** What is granted on many repositories, by a call or by a rule. */
export type BatchWish = Pick<BatchDelegate, "team" | "paths" | "excludeFromReleases" | "options"> & {
  readonly ruleId?: string;
};

/** The repositories of a batch, all of them there, and the teams whose rows are locked. */
export interface BatchOf {
  readonly guns: readonly Gun[];
  readonly collections: readonly Collection[];
  readonly teams: ReadonlyMap<TeamId, GrantedTeam>;
  /** What a preview learned of them. */
  readonly judged: Judged | undefined;
}

/** Asks the guards of the repositories, where this is a preview. */
export function judgeDelegations(
  { guards }: TrustRoom,
  call: Call,
  { team, options }: Pick<BatchDelegate, "team" | "options">,
  guns: readonly Gun[],
): Promise<Judged | undefined> {
  return judgeBatch(call, options, guns, (gun, signal) => guards.beforeDelegating(gun, team, signal));
}

export interface DecidedBatch {
  readonly plan: Plan;
  /** Undefined where all is decided and live already. */
  readonly rolloutId: string | undefined;
  /** How many repositories are to be decided. */
  readonly open: number;
}

/** Keeps the list of a batch with its rollout, where anything is left to do. Refuses what can be known to fail for any repository. */
export async function decideBatch(
  tx: Transaction,
  call: Call,
  wish: BatchWish,
  { guns, collections, teams, judged }: BatchOf,
  now: Date,
): Promise<DecidedBatch> {
  requireExclusion(wish, collections);
  // Before it is read what is decided: an earlier batch that goes on behind the reading would undo what is found here.
  await supersedeBatchItems(tx, { guns, team: wish.team }, now);
  const held = await currentDelegationsTo(tx, wish.team, idsOf(collections));
  const decidedAlready = collections.filter(({ id }) => isGranted(held.get(id), wish));
  const open = collections.filter(({ id }) => !isGranted(held.get(id), wish));
  if (open.length > 0) requireSigners(teams, now);
  const plan = await planBatch(tx, wish, open, { already: decidedAlready.length, teams, judged }, now);
  const items = [...open.map(itemToDecide), ...decidedAlready.map((one) => itemDecided(one, held.get(one.id)))];
  if (items.every((item) => item.isUnchanged)) return { plan, rolloutId: undefined, open: 0 };
  const rolloutId = await startBatch(tx, call, { ...grantOf(wish), ends: false }, items, now);
  return { plan, rolloutId, open: open.length };
}

/** Keeps a batch and its rollout, for the batch runner to decide. */
export async function startBatch(
  tx: Transaction,
  call: Call,
  grant: Omit<BatchGrant, "rolloutId">,
  items: readonly NewBatchItem[],
  now: Date,
): Promise<string> {
  const id = randomUUID();
  const rollout = { id, kind: "BATCH" as const, actor: call.actor.id, reason: call.reason, total: items.length };
  await insertRollout(tx, rollout, [], now);
  await insertBatch(tx, { ...grant, rolloutId: id }, items, now);
  return id;
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
function requireExclusion(request: BatchWish, collections: readonly Collection[]): void {
  for (const { releasesPaths } of collections) requireRoomInReleases([request], releasesPaths, () => "paths");
}

/** The plans of all repositories that are to be decided, so that the plan's etag stands for every one of them. */
async function planBatch(
  tx: Transaction,
  request: BatchWish,
  open: readonly Collection[],
  { already, teams, judged }: Pick<BatchOf, "teams" | "judged"> & { readonly already: number },
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
  const summary = `Delegate ${countOf(open.length)} to team ${request.team}; ${already} decided already.${judgedWords(judged, open.length + already)}`;
  const granted = (held: readonly DesiredDelegation[]) => [...held.filter(({ team }) => team !== request.team), added];
  return await planInChunks(tx, open, summary, now, granted, judged);
}

/** `1 repository`, `2 repositories`. */
export function countOf(repositories: number): string {
  return repositories === 1 ? "1 repository" : `${repositories} repositories`;
}

/** One repository that the batch runner is to decide. */
export function itemToDecide({ id }: Pick<Collection, "id">): NewBatchItem {
  return { collectionId: id, generation: undefined, isUnchanged: false };
}

/** What is decided already is as live as the generation that decided it. */
function itemDecided(collection: Collection, held: HeldDelegationRow | undefined): NewBatchItem {
  const generation = held?.sinceGeneration ?? collection.generation;
  return { collectionId: collection.id, generation, isUnchanged: isLive(collection, generation) };
}

function grantOf({ team, paths, excludeFromReleases, options, ruleId }: BatchWish) {
  const { acceptOrphaned, acceptRevived } = options;
  return { team, paths, inReleases: !excludeFromReleases, acceptOrphaned, acceptRevived, ruleId: ruleId ?? null };
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
