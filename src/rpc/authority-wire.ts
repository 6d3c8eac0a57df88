import type { ListAuthorityResponse, Authority as WireAuthority } from "../../gen/imagetrust/v1/delegation.ts";
import type { AuthorityFound } from "../trust/authority/authority.ts";
import type { Right } from "../trust/authority/right.ts";
import { keyRefToWire } from "./outcome-wire.ts";

export function authorityToWire(found: AuthorityFound): ListAuthorityResponse {
  return {
    authorities: found.items.map(rightToWire),
    nextPageToken: found.nextToken,
    asOf: found.asOf,
    knownSince: found.knownSince,
    complete: found.isComplete,
  };
}

function rightToWire(right: Right): WireAuthority {
  return {
    gun: right.gun,
    team: right.team,
    roles: right.roles,
    key: keyRefToWire(right.key),
    certificateSha256: right.certificateSha256,
    certificateExpireTime: right.certificateEndsAt,
    decided: right.decided,
    live: right.live,
  };
}
