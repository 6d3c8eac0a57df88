import { createSequencer } from "../../src/audit/sequencer.ts";
import { type Core, openCore } from "../../src/core.ts";
import { type Database, openDatabase } from "../../src/database.ts";
import { openNotaryServers } from "../../src/notary/directory.ts";
import { parseKeyEncryptionKey } from "../../src/signing/key-encryption-key.ts";
import { openSealedBackend } from "../../src/signing/sealed.ts";
import type { FollowerSettings } from "../../src/trust/follower/follower-room.ts";
import type { PublisherRoom, PublisherSettings } from "../../src/trust/publisher/publisher-room.ts";
import { openLog } from "../stack/kept-service.ts";

export const day = 86_400_000;

export const testSettings: PublisherSettings = {
  rootLifeMs: 3_650 * day,
  targetsLifeMs: 180 * day,
  concurrency: 8,
  claimMs: 300,
  leaseMs: 300,
  rejectAfterMs: 300,
  patrolMs: 6 * 3_600_000,
  restartCheckMs: 200,
  firstBackOffMs: 50,
  longestBackOffMs: 500,
};

export const testFollowing: Partial<FollowerSettings> = { pollMs: 50, gapMs: 10_000, sweepMs: 200 };

/** One replica of the service without its edge, on a database and a Notary of its own or shared with others. */
export interface Replica {
  readonly core: Core;
  readonly database: Database;
  stop(): Promise<void>;
}

export interface ReplicaOptions {
  readonly appUrl: string;
  readonly notary: { readonly url: string; readonly caFile?: string };
  /** A second Notary server, for the repositories of one registry host. */
  readonly otherNotary?: { readonly url: string; readonly caFile: string; readonly registryHost: string };
  readonly kek: string;
  readonly settings?: Partial<PublisherSettings>;
  /** Follows Notary, in such intervals; without it nothing does. */
  readonly follow?: Partial<FollowerSettings>;
  readonly atStep?: PublisherRoom["atStep"];
  readonly now?: () => Date;
  readonly logLevel?: "silent" | "warn";
  readonly longestWaitMs?: number;
}

export function openReplica(options: ReplicaOptions): Replica {
  const now = options.now ?? (() => new Date());
  const log = openLog(options.logLevel ?? "silent");
  const database = openDatabase({ url: options.appUrl });
  const kek = parseKeyEncryptionKey(options.kek);
  if (!kek.ok) throw new Error(kek.fault);
  const sequencer = createSequencer(database, log, now);
  const { notary, otherNotary: other } = options;
  const notaries = openNotaryServers([
    { name: "main", baseUrl: notary.url, registryHosts: ["*"], ...(notary.caFile && { caFile: notary.caFile }) },
    ...(other === undefined
      ? []
      : [{ name: "other", baseUrl: other.url, registryHosts: [other.registryHost], caFile: other.caFile }]),
  ]);
  const core = openCore({
    database,
    sequencer,
    notaries,
    backends: [openSealedBackend(database, kek.value, "test")],
    publisher: { ...testSettings, ...options.settings },
    follower: { ...testFollowing, ...options.follow },
    longestWaitMs: options.longestWaitMs ?? 20_000,
    log,
    now,
    ...(options.atStep === undefined ? {} : { atStep: options.atStep }),
  });
  sequencer.start();
  return {
    core,
    database,
    stop: async () => {
      await core.follower.stop();
      await core.publisher.stop();
      await sequencer.stop();
      await notaries.close();
      await database.close();
    },
  };
}
