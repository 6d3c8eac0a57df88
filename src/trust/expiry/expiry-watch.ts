import { setTimeout as pause } from "node:timers/promises";
import { metrics } from "@opentelemetry/api";
import { serviceCall } from "../../audit/call.ts";
import type { AppendRecord } from "../../changes/mutation.ts";
import type { Database } from "../../database.ts";
import type { Logger } from "../../logger.ts";
import { type Notice, takeNotices } from "./expiry-notices-store.ts";
import { expiryRecord } from "./expiry-record.ts";

/** Records what a person must see to before it ends: certificates, and files that members sign. */
export interface ExpiryWatch {
  start(): void;
  /** Writes a record for each end that has come nearer than a threshold, once among all replicas; answers how many. */
  look(): Promise<number>;
  stop(): Promise<void>;
}

export interface ExpiryWatchRoom {
  readonly database: Database;
  readonly append: AppendRecord;
  readonly log: Logger;
  readonly now: () => Date;
}

const everyMs = 60_000;
const batch = 100;

export function createExpiryWatch(room: ExpiryWatchRoom): ExpiryWatch {
  const stopping = new AbortController();
  const events = metrics.getMeter("imagetrust").createCounter("expiry_events_total", {
    description: "Ends that came nearer than a threshold, by kind and days left; each has a record.",
  });
  let running: Promise<void> = Promise.resolve();

  const recordNext = async (): Promise<readonly Notice[]> => {
    const now = room.now();
    const notices = await room.database.transaction(async (tx) => {
      const taken = await takeNotices(tx, now, batch);
      const call = serviceCall("expiry-watch", "look", { traceId: "", spanId: "" }, stopping.signal);
      for (const notice of taken) await room.append(tx, call, expiryRecord(notice), now);
      return taken;
    });
    for (const { kind, days } of notices) events.add(1, { kind, days });
    return notices;
  };
  const look = async (): Promise<number> => {
    let count = 0;
    for (;;) {
      const { length } = await recordNext();
      count += length;
      if (length === 0 || stopping.signal.aborted) return count;
    }
  };
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      await look().catch((error: unknown) => room.log.warn({ err: error }, "ends were not looked at; tried again"));
      await pause(everyMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };
  return {
    start: () => {
      running = run();
    },
    look,
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}
