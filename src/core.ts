import { randomUUID } from "node:crypto";
import { appendRecord } from "./audit/append.ts";
import { createLogNews } from "./audit/log-news.ts";
import type { Sequencer } from "./audit/sequencer.ts";
import type { Changing } from "./changes/mutation.ts";
import type { Database } from "./database.ts";
import type { Logger } from "./logger.ts";
import type { NotaryServers } from "./notary/directory.ts";
import type { KeyBackend } from "./signing/backend.ts";
import type { TeamRoom } from "./teams/room.ts";
import { type ChangeSignals, createChangeSignals } from "./trust/change-signals.ts";
import { createExpiryWatch, type ExpiryWatch } from "./trust/expiry/expiry-watch.ts";
import { createFollower, type Follower } from "./trust/follower/follower.ts";
import { createFollowerMetrics } from "./trust/follower/follower-metrics.ts";
import { type FollowerSettings, standardFollowing } from "./trust/follower/follower-room.ts";
import { createGuardReader } from "./trust/guards/guard-reading.ts";
import { createPublisher, type Publisher } from "./trust/publisher/publisher.ts";
import { createPublisherMetrics } from "./trust/publisher/publisher-metrics.ts";
import type { PublisherRoom, PublisherSettings } from "./trust/publisher/publisher-room.ts";
import { createBatchMetrics } from "./trust/rollouts/batch-metrics.ts";
import { type BatchRunner, createBatchRunner } from "./trust/rollouts/batch-runner.ts";
import { createProgress } from "./trust/rollouts/progress.ts";
import type { TrustRoom } from "./trust/room.ts";
import { createSignedTags, type SignedTags } from "./trust/signed/signed-tags.ts";
import type { Watching } from "./trust/signed/watch-trust.ts";
import { createTeamEffects } from "./trust/team-effects.ts";
import { createTrustReader } from "./trust/trust-reading.ts";

export interface CoreParts {
  readonly database: Database;
  readonly sequencer: Sequencer;
  readonly notaries: NotaryServers;
  /** Who may have issued members' certificates; default: anybody. */
  readonly authorities?: TeamRoom["authorities"];
  /** Whether new teams take proved keys only; default: no. */
  readonly requiresPossessionProof?: boolean;
  /** The first is the default of new collections. */
  readonly backends: readonly KeyBackend[];
  readonly publisher: PublisherSettings;
  /** Default: as in `standardFollowing`. */
  readonly follower?: Partial<FollowerSettings>;
  /** The longest a call waits for its change to be live; ms. */
  readonly longestWaitMs: number;
  /** How long a stream of WatchTrust may say nothing; default 15 s. */
  readonly heartbeatMs?: number;
  readonly log: Logger;
  readonly now: () => Date;
  readonly atStep?: PublisherRoom["atStep"];
}

/** The rooms below the edge, wired: what services call and what runs beside them. Nothing runs before the `start` of each. */
export interface Core {
  readonly changing: Changing;
  readonly teams: TeamRoom;
  readonly trust: TrustRoom;
  readonly signals: ChangeSignals;
  /** Starts and stops with the batch runner, which gives it its work. */
  readonly publisher: Publisher;
  readonly expiryWatch: ExpiryWatch;
  readonly follower: Follower;
  readonly signedTags: SignedTags;
  readonly watching: Watching;
}

export function openCore(parts: CoreParts): Core {
  const { database, sequencer, notaries, backends, now } = parts;
  const signals = createChangeSignals(database);
  const guards = createGuardReader(database, notaries, now);
  const owner = randomUUID();
  const publisher = createPublisher({
    database,
    append: appendRecord,
    notaries,
    backends: new Map(backends.map((backend) => [backend.name, backend])),
    signals,
    log: parts.log,
    now,
    owner,
    settings: parts.publisher,
    metrics: createPublisherMetrics(),
    atStep: parts.atStep ?? (() => undefined),
  });
  const follower = createFollower({
    database,
    append: appendRecord,
    notaries,
    leads: publisher.leads,
    recorded: () => sequencer.wake(),
    log: parts.log,
    now,
    settings: { ...standardFollowing, ...parts.follower },
    metrics: createFollowerMetrics(),
  });
  let batches: BatchRunner | undefined;
  const wake: Publisher["wake"] = (commitment) => {
    sequencer.wake();
    publisher.wake(commitment);
    batches?.wake();
  };
  const changing: Changing = {
    database,
    append: appendRecord,
    admit: () => sequencer.admit(),
    progress: createProgress({ database, signals, wake, longestWaitMs: parts.longestWaitMs }),
    now,
  };
  const [defaultBackend] = backends;
  if (defaultBackend === undefined) throw new Error("no key backend is configured");
  const trust: TrustRoom = {
    changing,
    notaries,
    guards,
    reader: createTrustReader(database),
    defaultKeyBackend: defaultBackend.name,
    keyBackends: new Set(backends.map((backend) => backend.name)),
  };
  const { concurrency, leaseMs } = parts.publisher;
  batches = createBatchRunner({
    trust,
    signals,
    publish: wake,
    log: parts.log,
    metrics: createBatchMetrics(),
    owner,
    concurrency,
    leaseMs,
  });
  return {
    changing,
    teams: {
      changing,
      effects: createTeamEffects(guards),
      authorities: parts.authorities ?? (() => undefined),
      requiresPossessionProof: parts.requiresPossessionProof ?? false,
    },
    trust,
    signals,
    publisher: together(publisher, batches),
    expiryWatch: createExpiryWatch({ database, append: appendRecord, log: parts.log, now }),
    follower,
    signedTags: createSignedTags(database, now),
    watching: { database, news: createLogNews(database), heartbeatMs: parts.heartbeatMs ?? 15_000 },
  };
}

/** One that starts and stops both: first what is no longer to be decided, then what is no longer to be published. */
function together(publisher: Publisher, batches: BatchRunner): Publisher {
  return {
    ...publisher,
    start: async () => {
      await publisher.start();
      batches.start();
    },
    stop: async () => {
      await batches.stop();
      await publisher.stop();
    },
  };
}
