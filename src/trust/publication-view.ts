import type { PendingReason, Publication, RoleVersion } from "../changes/outcome.ts";
import type { Queryable } from "../database.ts";
import type { RoleName } from "../names.ts";
import type { Collection } from "./collection-store.ts";
import { concernsUploadOnly } from "./publisher/block.ts";
import type { RolloutItem } from "./rollouts/rollout-store.ts";

/** How far the change that made `generation` has come on Notary, as of now. */
export async function publicationFor(db: Queryable, collection: Collection, generation: bigint): Promise<Publication> {
  const published = collection.publishedGeneration >= generation;
  const supersededBy = published ? await generationThatUndid(db, collection, generation) : 0n;
  const state = published && supersededBy > 0n ? "SUPERSEDED" : stateOfChange(collection, generation);
  return {
    gun: collection.gun,
    state,
    generation,
    publishedGeneration: collection.publishedGeneration,
    supersededByGeneration: supersededBy,
    pendingReason: "",
    blockReason: collection.blockReason ?? "",
    blockedAt: collection.blockedAt ?? undefined,
    detail: detailOf(collection, state),
    roles: await publishedRoles(db, collection),
    publishedAt: collection.publishedAt ?? undefined,
    attempts: collection.attempts,
    nextAttemptAt: undefined,
    ...(state === "PENDING" ? waiting(collection) : {}),
  };
}

/** A collection's part in a rollout, whose state is known from the team's revision or the batch. */
export async function publicationOfItem(
  db: Queryable,
  collection: Collection,
  { state, teams, detail: known }: Pick<RolloutItem, "state" | "teams" | "detail">,
): Promise<Publication> {
  const newest = await publicationFor(db, collection, collection.generation);
  const undone = `A later change of team ${teams}, or of its delegation, undid this one before it was live.`;
  const detail = known !== "" ? known : state === "SUPERSEDED" ? undone : detailOf(collection, state);
  const told = { ...newest, state, detail, pendingReason: "" as const };
  if (state !== "PENDING") return told;
  const wait = waiting(collection);
  return { ...told, ...wait, detail: known === "" ? wait.detail : known };
}

/** What a publication that is not yet live tells of its waiting. */
export function waiting(
  collection: Collection,
): Pick<Publication, "state" | "pendingReason" | "detail" | "nextAttemptAt"> {
  const pendingReason = pendingReasonOf(collection);
  const texts = [remedies[pendingReason] ?? "", collection.lastAnswer ?? ""];
  return {
    state: "PENDING",
    pendingReason,
    detail: texts.filter((text) => text !== "").join(" "),
    nextAttemptAt: collection.nextAttemptAt ?? undefined,
  };
}

/** What was published is not called so while Notary shows something else. */
function stateOfChange(collection: Collection, generation: bigint): "PUBLISHED" | "PENDING" | "BLOCKED" {
  if (isLive(collection, generation)) return "PUBLISHED";
  return collection.blockReason === null ? "PENDING" : "BLOCKED";
}

/** Whether what `generation` decided was published and is, for all that is known, still there. */
export function isLive({ publishedGeneration, blockReason }: Collection, generation: bigint): boolean {
  return publishedGeneration >= generation && (blockReason === null || concernsUploadOnly(blockReason));
}

function pendingReasonOf(collection: Collection): PendingReason {
  return collection.pendingReason ?? (collection.attempts > 0 ? "BACK_OFF" : "QUEUED");
}

const remedies: Readonly<Record<string, string>> = {
  NOTARY_UNREACHABLE: "Notary does not answer; the change is kept and goes live when it does.",
  SIGNING_UNAVAILABLE: "The collection's keys cannot sign just now; the change is kept and goes live when they can.",
  BACK_OFF: "Notary has not taken the change yet; it is sent again.",
};

function detailOf(collection: Collection, state: Publication["state"]): string {
  if (state === "BLOCKED") return collection.blockDetail ?? "";
  return state === "SUPERSEDED" ? "A later change undid this one before it was live." : "";
}

/**
 * The later generation that undid a published one before it was live, or 0. A delegation decided at `generation` was live if any
 * landed content held it; one ended at `generation` was live if it was gone before the team was delegated to again.
 */
async function generationThatUndid(db: Queryable, collection: Collection, generation: bigint): Promise<bigint> {
  // Only trust that never landed can be deleted: nothing of an earlier life was live.
  if (generation < collection.firstGeneration) return collection.firstGeneration;
  if (generation === collection.publishedGeneration) return 0n;
  const row = await db.row<{ by: bigint | null }>(
    `select min(by) as by from (
       select d.until_generation as by from delegations d
       where d.collection_id = :id and d.since_generation = :generation and d.until_generation <= :published
         and d.live_from is null
       union all
       select later.since_generation from delegations d join delegations later
         on later.collection_id = d.collection_id and later.team_id = d.team_id and later.since_generation > :generation
           and later.since_generation <= :published and (later.until_generation is null or later.until_generation > :published)
           and (d.live_to is null or later.live_from <= d.live_to)
       where d.collection_id = :id and d.until_generation = :generation and not exists (
         select from delegations same where same.collection_id = d.collection_id and same.team_id = d.team_id
           and same.since_generation = :generation)) undone`,
    { id: collection.id, generation, published: collection.publishedGeneration },
  );
  return row?.by ?? 0n;
}

/** The newest files read back from Notary: root and targets of ours, and the snapshot and timestamp that name them. */
export async function publishedRoles(db: Queryable, collection: Collection): Promise<readonly RoleVersion[]> {
  if (collection.rootVersion === 0) return [];
  const rows = await db.rows<{ role: RoleName; version: number; sha256: string; expiresAt: Date | null }>(
    `select role, version, encode(sha256, 'hex') as sha256, expires_at as "expiresAt" from published_parts
     where collection_id = :id and incarnation = :incarnation
       and ((role = 'root' and version = :rootVersion) or (role = 'targets' and version = :targetsVersion))
     union all
     select role, version, encode(sha256, 'hex'), null from seen_files
     where collection_id = :id and incarnation = :incarnation and role in ('snapshot', 'timestamp') order by role`,
    {
      id: collection.id,
      incarnation: collection.incarnation,
      rootVersion: collection.rootVersion,
      targetsVersion: collection.targetsVersion,
    },
  );
  return rows.map((row) => ({ ...row, expiresAt: row.expiresAt ?? undefined }));
}
