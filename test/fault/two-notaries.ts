import type { PublisherSettings } from "../../src/trust/publisher/publisher-room.ts";
import type { House, Replica } from "../trust/house.ts";
import type { NotaryProxy } from "./notary-proxy.ts";

/** The registry host whose repositories a replica of two Notary servers publishes to the other one. */
export const otherHost = "other.example.org";

/** A replica of a house that has two Notary servers: the house's own, and for one registry host another one behind a proxy. */
export function openTwoServerReplica(
  house: House,
  { url, caFile }: Pick<NotaryProxy, "url" | "caFile">,
  settings: Partial<PublisherSettings>,
): Replica {
  return house.another({ settings, otherNotary: { url, caFile, registryHost: otherHost } });
}
