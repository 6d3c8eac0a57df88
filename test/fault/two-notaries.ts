import { createSequencer } from "../../src/audit/sequencer.ts";
import { openCore } from "../../src/core.ts";
import { openDatabase } from "../../src/database.ts";
import { createLogger } from "../../src/logger.ts";
import { openNotaryServers } from "../../src/notary/directory.ts";
import { parseKeyEncryptionKey } from "../../src/signing/key-encryption-key.ts";
import { openSealedBackend } from "../../src/signing/sealed.ts";
import type { PublisherSettings } from "../../src/trust/publisher-room.ts";
import { type House, must, type Replica, testSettings } from "../trust/house.ts";
import type { NotaryProxy } from "./notary-proxy.ts";

/** The registry host whose repositories a replica of two Notary servers publishes to the other one. */
export const otherHost = "other.example.org";

/** A replica of a house that has two Notary servers: the house's own, and for one registry host another one behind a proxy. */
export function openTwoServerReplica(
  house: House,
  other: Pick<NotaryProxy, "url" | "caFile">,
  settings: Partial<PublisherSettings>,
): Replica {
  const now = (): Date => new Date();
  const log = createLogger("silent");
  const database = openDatabase({ url: house.appUrl, connections: 10 });
  const sequencer = createSequencer(database, log, now);
  const notaries = openNotaryServers([
    { name: "main", baseUrl: house.notary.url, registryHosts: ["*"], caFile: house.notary.caFile },
    { name: "other", baseUrl: other.url, registryHosts: [otherHost], caFile: other.caFile },
  ]);
  const core = openCore({
    database,
    sequencer,
    notaries,
    backends: [openSealedBackend(database, must(parseKeyEncryptionKey(house.kek)), "test")],
    publisher: { ...testSettings, ...settings },
    longestWaitMs: 20_000,
    log,
    now,
  });
  sequencer.start();
  return {
    core,
    database,
    stop: async () => {
      await core.publisher.stop();
      await sequencer.stop();
      await notaries.close();
      await database.close();
    },
  };
}
