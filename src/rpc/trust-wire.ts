import {
  CollectionState,
  type RoleState as WireRoleState,
  type Trust as WireTrust,
} from "../../gen/imagetrust/v1/trust.ts";
import type { RoleState, Trust } from "../trust/trust-view.ts";
import { delegationToWire } from "./delegation-wire.ts";
import { keyRefToWire, publicationToWire, roleVersionToWire } from "./outcome-wire.ts";

/** The addresses of Notary servers that members' clients use, by the servers' names. */
export type NotaryUrls = ReadonlyMap<string, string>;

export function trustToWire(trust: Trust, notaryUrls: NotaryUrls): WireTrust {
  return {
    gun: trust.gun,
    state: CollectionState[trust.state],
    publication: publicationToWire(trust.publication),
    etag: trust.etag,
    roles: trust.roles.map(roleStateToWire),
    desiredDelegations: trust.desiredDelegations.map(delegationToWire),
    publishedDelegations: trust.publishedDelegations.map(roleStateToWire),
    rootCertificatePem: trust.rootCertificatePem,
    rootCertificateSha256: trust.rootCertificateSha256,
    rootPin: trust.rootPin,
    notary: trust.notary,
    createTime: trust.createdAt,
    verifyTime: trust.verifiedAt,
    labels: { ...trust.labels },
    releasesPaths: trust.releasesPaths,
    displayName: trust.displayName,
    notaryUrl: notaryUrls.get(trust.notary) ?? "",
  };
}

function roleStateToWire(role: RoleState): WireRoleState {
  return {
    version: roleVersionToWire(role.version),
    keys: role.keys.map(keyRefToWire),
    threshold: role.threshold,
    paths: role.paths,
    signed: role.signed,
    orphaned: role.orphaned,
    // Only files that verified are kept, so one that does not any more has lost its signer.
    suspended: false,
  };
}
