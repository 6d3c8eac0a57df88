import { PublicationState } from "../../gen/imagetrust/v1/change.ts";
import type { Delegation as WireDelegation, DelegationRule as WireRule } from "../../gen/imagetrust/v1/delegation.ts";
import type { Delegation } from "../trust/delegation-view.ts";
import type { DelegationRule } from "../trust/rules/rule-store.ts";
import { keyRefToWire } from "./outcome-wire.ts";

export function delegationToWire(delegation: Delegation): WireDelegation {
  return {
    gun: delegation.gun,
    team: delegation.team,
    paths: delegation.paths,
    excludeFromReleases: delegation.excludeFromReleases,
    keys: delegation.keys.map(keyRefToWire),
    etag: delegation.etag,
    state: PublicationState[delegation.state],
    teamRevision: delegation.teamRevision,
    publishedTeamRevision: delegation.publishedTeamRevision,
    createTime: delegation.createdAt,
    publishTime: delegation.publishedAt,
    rule: delegation.rule,
  };
}

export function ruleToWire(rule: DelegationRule): WireRule {
  return {
    id: rule.id,
    gunPrefix: rule.gunPrefix,
    team: rule.team,
    paths: rule.paths,
    excludeFromReleases: !rule.inReleases,
    rollout: rule.rolloutId ?? "",
    actor: rule.actor,
    reason: rule.reason,
    createTime: rule.validFrom,
  };
}
