import { setTimeout as sleep } from "node:timers/promises";
import type { FeedRow, NotaryServer } from "../../notary/server.ts";
import { askAfter, type FeedPosition, feedBeginning, isSameFeed, readOn } from "./feed-position.ts";
import { followCollection } from "./follow-collection.ts";
import { behindWhatWasSeen, feedMark, keepFeedMark, type Owed, owedOf } from "./followed-store.ts";
import type { FollowerRoom } from "./follower-room.ts";

/** Follows what happens on the Notary servers that this process leads, for as long as it runs. */
export interface Follower {
  start(): void;
  /** Ends at the next durable step. */
  stop(): Promise<void>;
}

const longestPauseMs = 10_000;
/** Collections followed at once: Notary is asked one thing at a time, so that more would only wait. */
const atOnce = 4;
const mostSwept = 1_000;

/**
 * The changefeed says quickly that something happened, and patrol, which sees it late but surely, what the feed kept to itself. What
 * happened is read from the files in either case.
 */
export function createFollower(room: FollowerRoom): Follower {
  const stopping = new AbortController();
  const { signal } = stopping;
  /** When each server was last followed to the end of its feed, on the clock of performance.now(). */
  const caughtUp = new Map<string, number>();
  const running: Promise<void>[] = [];
  room.metrics.observeLag(() =>
    [...caughtUp].map(([server, at]) => ({ server, seconds: (performance.now() - at) / 1_000 })),
  );

  /** Repeats a step for as long as this process leads the server; a fault is told once until it ends. */
  const repeat = async (server: NotaryServer, everyMs: number, name: string, step: () => Promise<void>) => {
    for (let faults = 0; !signal.aborted; ) {
      if (room.leads(server.name)) {
        try {
          await step();
          faults = 0;
        } catch (error) {
          if (!signal.aborted && faults === 0)
            room.log.warn({ notary: server.name, step: name, err: error }, "notary could not be followed");
          faults++;
        }
      } else caughtUp.delete(server.name);
      const pauseMs = pauseAfter(faults, everyMs);
      await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    }
  };
  return {
    start: () => {
      for (const server of room.notaries.all) {
        const feed = createFeedReader(room, server, signal);
        const read = async (): Promise<void> => {
          if (!caughtUp.has(server.name)) caughtUp.set(server.name, performance.now());
          await feed();
          caughtUp.set(server.name, performance.now());
        };
        running.push(repeat(server, room.settings.pollMs, "changefeed", read));
        running.push(repeat(server, room.settings.sweepMs, "sweep", createSweep(room, server, signal)));
      }
    },
    stop: async () => {
      stopping.abort();
      await Promise.all(running);
    },
  };
}

/** The usual pause, longer with every fault in a row. */
function pauseAfter(faults: number, everyMs: number): number {
  return faults === 0 ? everyMs : Math.max(everyMs, Math.min(longestPauseMs, everyMs * 2 ** Math.min(faults, 10)));
}

/** Reads a changefeed from where it was left to its end, and follows every collection that it names. */
function createFeedReader(room: FollowerRoom, server: NotaryServer, signal: AbortSignal): () => Promise<void> {
  const { pageSize, gapMs } = room.settings;
  const owed = createOwed(room, server, signal);
  let position: FeedPosition | undefined;
  /** The id of the mark that is kept. Not moved on while a collection is owed, so that a restart hears of it again. */
  let keptId: bigint | undefined;
  return async () => {
    position ??= { ...feedBeginning, base: await feedMark(room.database, server.name) };
    let rows = await server.changefeed(askAfter(position), pageSize, signal);
    if (!isSameFeed(position, rows)) {
      room.log.warn({ notary: server.name }, "the changefeed began anew: it is read from its beginning");
      position = feedBeginning;
      rows = await server.changefeed(askAfter(position), pageSize, signal);
    }
    for (;;) {
      const read = readOn(position, rows, performance.now(), gapMs);
      const isPaid = await owed.follow(await owedOf(room.database, server.name, newestOf(read.fresh)));
      position = read.position;
      const { base } = position;
      if (isPaid && base !== undefined && base.id !== keptId) {
        await keepFeedMark(room.database, server.name, base, room.now());
        keptId = base.id;
      }
      const last = rows.at(-1);
      if (rows.length < pageSize || last === undefined || signal.aborted) return;
      rows = await server.changefeed(last.id, pageSize, signal);
    }
  };
}

/** By GUN, the newest timestamp that the rows tell of. */
function newestOf(rows: readonly FeedRow[]): ReadonlyMap<string, number> {
  const newest = new Map<string, number>();
  for (const { gun, version } of rows) newest.set(gun, Math.max(version, newest.get(gun) ?? 0));
  return newest;
}

/** What patrol, looks and publications saw of a server and its feed did not tell. */
function createSweep(room: FollowerRoom, server: NotaryServer, signal: AbortSignal): () => Promise<void> {
  const owed = createOwed(room, server, signal);
  return async () => void (await owed.follow(await behindWhatWasSeen(room.database, server.name, mostSwept)));
}

interface Debt {
  readonly upTo: number;
  readonly failures: number;
  /** On the clock of performance.now(). */
  readonly notBefore: number;
}

/** Collections that are owed a visit. One that cannot be followed keeps neither the others nor the feed waiting: it is tried again. */
function createOwed(
  room: FollowerRoom,
  server: NotaryServer,
  signal: AbortSignal,
): { follow(owed: readonly Owed[]): Promise<boolean> } {
  const debts = new Map<bigint, Debt>();
  const visit = async (id: bigint, { upTo, failures }: Debt): Promise<void> => {
    try {
      await followCollection(room, id, upTo, signal);
      if (debts.get(id)?.upTo === upTo) debts.delete(id);
    } catch (error) {
      if (signal.aborted) return;
      if (failures === 0)
        room.log.warn({ notary: server.name, collection: id, err: error }, "a collection could not be followed");
      const pauseMs = Math.min(longestPauseMs, room.settings.pollMs * 2 ** Math.min(failures, 10));
      debts.set(id, { upTo, failures: failures + 1, notBefore: performance.now() + pauseMs });
    }
  };
  return {
    /** Visits these, and those owed from before; whether nothing is owed any more. */
    follow: async (owed) => {
      for (const { id, upTo } of owed) {
        const before = debts.get(id);
        const debt = { failures: 0, notBefore: 0, ...before, upTo: Math.max(upTo, before?.upTo ?? 0) };
        debts.set(id, debt);
      }
      const waiting = [...debts].filter(([, { notBefore }]) => notBefore <= performance.now());
      const work = async (): Promise<void> => {
        for (let next = waiting.shift(); next !== undefined && !signal.aborted; next = waiting.shift())
          await visit(...next);
      };
      await Promise.all(Array.from({ length: Math.min(atOnce, waiting.length) }, work));
      return debts.size === 0;
    },
  };
}
