import { randomUUID } from "node:crypto";
import { appendRecord } from "./audit/append.ts";
import type { Sequencer } from "./audit/sequencer.ts";
import type { Changing } from "./changes/mutation.ts";
import type { Database } from "./database.ts";
import type { Logger } from "./logger.ts";
import type { NotaryServers } from "./notary/directory.ts";
import type { KeyBackend } from "./signing/backend.ts";
import type { TeamRoom } from "./teams/room.ts";
import { type ChangeSignals, createChangeSignals } from "./trust/change-signals.ts";
import { createGuardReader } from "./trust/guard-reading.ts";
import { createProgress } from "./trust/progress.ts";
import { createPublisher, type Publisher } from "./trust/publisher.ts";
import { createPublisherMetrics } from "./trust/publisher-metrics.ts";
import type { PublisherRoom, PublisherSettings } from "./trust/publisher-room.ts";
import type { TrustRoom } from "./trust/room.ts";
import { createTeamEffects } from "./trust/team-effects.ts";
import { createTrustReader } from "./trust/trust-reading.ts";

export interface CoreParts {
  readonly database: Database;
  readonly sequencer: Sequencer;
  readonly notaries: NotaryServers;
  /** The first is the default of new collections. */
  readonly backends: readonly KeyBackend[];
  readonly publisher: PublisherSettings;
  /** The longest a call waits for its change to be live; ms. */
  readonly longestWaitMs: number;
  readonly log: Logger;
  readonly now: () => Date;
  readonly atStep?: PublisherRoom["atStep"];
}

/** The rooms below the edge, wired: what services call and what runs beside them. Nothing runs before `publisher.start()`. */
export interface Core {
  readonly changing: Changing;
  readonly teams: TeamRoom;
  readonly trust: TrustRoom;
  readonly signals: ChangeSignals;
  readonly publisher: Publisher;
}

export function openCore(parts: CoreParts): Core {
  const { database, sequencer, notaries, backends, now } = parts;
  const signals = createChangeSignals(database);
  const guards = createGuardReader(database, notaries, now);
  const publisher = createPublisher({
    database,
    append: appendRecord,
    notaries,
    backends: new Map(backends.map((backend) => [backend.name, backend])),
    signals,
    log: parts.log,
    now,
    owner: randomUUID(),
    settings: parts.publisher,
    metrics: createPublisherMetrics(),
    atStep: parts.atStep ?? (() => undefined),
  });
  const wake: Publisher["wake"] = (commitment) => {
    sequencer.wake();
    publisher.wake(commitment);
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
  return {
    changing,
    teams: { changing, effects: createTeamEffects(guards) },
    trust: {
      changing,
      notaries,
      guards,
      reader: createTrustReader(database),
      defaultKeyBackend: defaultBackend.name,
      keyBackends: new Set(backends.map((backend) => backend.name)),
    },
    signals,
    publisher,
  };
}
