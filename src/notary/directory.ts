import { Fault } from "../errors.ts";
import { type Gun, registryHostOf } from "../names.ts";
import { type NotaryServer, openNotaryServer } from "./server.ts";
import { type NotaryServerSettings, parseNotarySettings } from "./settings.ts";

/** The Notary servers of this deployment. */
export interface NotaryServers {
  /**
   * The server for a collection that is bound to none yet: the one whose registry hosts fit the GUN most closely (the host
   * itself, then the longest `*.domain`, then `*`), or the named one if it serves that host at all. Else Fault NO_SUCH_NOTARY.
   */
  serverFor(gun: Gun, name?: string): NotaryServer;
  /** The server a collection is bound to, whatever hosts it serves today. Fault NO_SUCH_NOTARY if it is no longer configured. */
  byName(name: string): NotaryServer;
  /** In the order of the configuration. */
  readonly all: readonly NotaryServer[];
  close(): Promise<void>;
}

/** Opens a client for each configured server. Throws one INVALID_FIELD that names every fault of the settings. */
export function openNotaryServers(settings: readonly NotaryServerSettings[]): NotaryServers {
  const entries = parseNotarySettings(settings).map((endpoint) => ({
    server: openNotaryServer(endpoint),
    hosts: endpoint.registryHosts,
  }));
  const all = entries.map((entry) => entry.server);
  return {
    all,
    byName: (name) => {
      const server = all.find((one) => one.name === name);
      if (server !== undefined) return server;
      throw noSuchNotary(`There is no Notary server of the name ${name}; configured are ${namesOf(all)}.`);
    },
    serverFor: (gun, name) => {
      const host = registryHostOf(gun);
      const [best] = entries
        .filter(({ server }) => name === undefined || server.name === name)
        .map(({ server, hosts }) => ({ server, closeness: Math.max(...hosts.map((hostsOf) => fit(hostsOf, host))) }))
        .filter(({ closeness }) => closeness >= 0)
        .sort((a, b) => b.closeness - a.closeness);
      if (best !== undefined) return best.server;
      const wanted = name === undefined ? "No Notary server" : `No Notary server of the name ${name}`;
      throw noSuchNotary(`${wanted} serves the registry host ${host}; configured are ${namesOf(all)}.`);
    },
    close: async () => {
      await Promise.all(all.map((server) => server.close()));
    },
  };
}

/** How closely a pattern fits a host: its length without the wildcard, the host itself above all, -1 if not at all. */
function fit(pattern: string, host: string): number {
  if (pattern === host) return Number.POSITIVE_INFINITY;
  if (!pattern.startsWith("*")) return -1;
  const domain = pattern.slice(1);
  return host.endsWith(domain) && host.length > domain.length ? domain.length : -1;
}

function namesOf(servers: readonly NotaryServer[]): string {
  return servers.map((server) => server.name).join(", ");
}

function noSuchNotary(message: string): Fault {
  return new Fault("NO_SUCH_NOTARY", message);
}
