import {
  BlockReason,
  PendingReason,
  PublicationState,
  RolloutKind,
  WarningCode,
  type KeyRef as WireKeyRef,
  type Outcome as WireOutcome,
  type Plan as WirePlan,
  type Publication as WirePublication,
  type RoleVersion as WireRoleVersion,
  type Rollout as WireRollout,
} from "../../gen/imagetrust/v1/change.ts";
import type { Outcome, Publication, RoleVersion, Rollout } from "../changes/outcome.ts";
import type { KeyRef, Plan, PlanWarning, RolePlan } from "../changes/plan.ts";

export function outcomeToWire(outcome: Outcome): WireOutcome {
  return {
    plan: planToWire(outcome.plan),
    state: PublicationState[outcome.state],
    publications: outcome.publications.map(publicationToWire),
    rollout: outcome.rollout === undefined ? undefined : rolloutToWire(outcome.rollout),
    teamRevisions: outcome.teamRevisions,
    validatedOnly: outcome.validatedOnly,
    requestReplayed: outcome.requestReplayed,
    planEtag: outcome.planEtag,
  };
}

/** How many roles and warnings of a plan an answer names; each collection has a few. */
const mostRoles = 200;

function planToWire(plan: Plan): WirePlan {
  return {
    roles: plan.roles.slice(0, mostRoles).map(rolePlanToWire),
    warnings: plan.warnings.slice(0, mostRoles).map(warningToWire),
    collections: plan.collections,
    truncated: plan.truncated || Math.max(plan.roles.length, plan.warnings.length) > mostRoles,
    summary: plan.summary,
  };
}

function rolePlanToWire(plan: RolePlan): WirePlan["roles"][number] {
  return { ...plan, keysAdded: plan.keysAdded.map(keyRefToWire), keysRemoved: plan.keysRemoved.map(keyRefToWire) };
}

function warningToWire(warning: PlanWarning): WirePlan["warnings"][number] {
  const { code, gun, role, message, tags, members, dueAt, readAt } = warning;
  const first = { tags: tags.slice(0, 100), members: members.slice(0, 100) };
  return { code: WarningCode[code], gun, role, message, ...first, dueTime: dueAt, readTime: readAt };
}

export function publicationToWire(publication: Publication): WirePublication {
  return {
    gun: publication.gun,
    state: PublicationState[publication.state],
    generation: publication.generation,
    publishedGeneration: publication.publishedGeneration,
    supersededByGeneration: publication.supersededByGeneration,
    pendingReason: PendingReason[publication.pendingReason || "UNSPECIFIED"],
    blockReason: BlockReason[publication.blockReason || "UNSPECIFIED"],
    blockTime: publication.blockedAt,
    detail: publication.detail,
    roles: publication.roles.map(roleVersionToWire),
    publishTime: publication.publishedAt,
    attempts: publication.attempts,
    nextAttemptTime: publication.nextAttemptAt,
  };
}

export function roleVersionToWire({ role, version, sha256, expiresAt }: RoleVersion): WireRoleVersion {
  return { role, version, sha256, expireTime: expiresAt };
}

export function rolloutToWire(rollout: Rollout): WireRollout {
  const { createdAt, finishedAt, cancelledAt, kind, ...counts } = rollout;
  return { ...counts, kind: RolloutKind[kind], createTime: createdAt, finishTime: finishedAt, cancelTime: cancelledAt };
}

export function keyRefToWire(key: KeyRef): WireKeyRef {
  const { tufKeyId, canonicalKeyId, algorithm, backend, member, certificate } = key;
  return { tufKeyId, canonicalKeyId, algorithm, backend, member, certificate };
}
