import { PublicationState } from "../../gen/imagetrust/v1/change.ts";
import type { Delegation as WireDelegation } from "../../gen/imagetrust/v1/delegation.ts";
import type { Delegation } from "../trust/delegation-view.ts";
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
  };
}
