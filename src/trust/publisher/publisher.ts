import { setTimeout as sleep } from "node:timers/promises";
import type { Commitment } from "../../changes/outcome.ts";
import { forgetRequests } from "../../changes/requests.ts";
import type { NotaryServer } from "../../notary/server.ts";
import { forgetChallenges } from "../../teams/challenge-store.ts";
import { settleTeams } from "../rollouts/rollout-store.ts";
import { advance, patrol } from "./advance.ts";
import { backOff } from "./back-off.ts";
import type { Walked } from "./carry.ts";
import { dueCollections, holdLease, patrolDue, registerServers, releaseLeases } from "./due-store.ts";
import { createGathering } from "./gathering.ts";
import type { PublisherRoom } from "./publisher-room.ts";

/** Brings Notary to the desired state of every collection, for as long as it runs. */
export interface Publisher {
  start(): Promise<void>;
  /** Says that something was just decided. A hint: what is due is found in the database as well. */
  wake(commitment: Commitment): void;
  /** Whether this process holds the lease on a server, as last seen. */
  leads(notary: string): boolean;
  /** Lets what is under way come to its next durable step, then gives its leases back. */
  stop(): Promise<void>;
}

const pollMs = 500;
const afterFaultMs = 500;
const countMs = 15_000;
const forgetMs = 3_600_000;
const patrolMs = 1_000;
/** A patrol leaves room for what is decided. */
const betweenWalksMs = 20;
const dueChannel = "imagetrust_due";

export function createPublisher(room: PublisherRoom): Publisher {
  const stopping = new AbortController();
  const walked: Walked = new Set();
  /** What is worked on, and of which server: one that hangs must not take the places of the others. */
  const busy = new Map<bigint, { readonly notary: string; readonly done: Promise<void> }>();
  const leased = new Set<string>();
  const gathering = createGathering();
  const generations = new Map<string, { readonly seen: string; readonly since: Date }>();
  const running: Promise<void>[] = [];
  let kick: () => void = () => undefined;
  let kicked = false;
  /** Whether the last look at what is due filled every free place, so that more may wait. */
  let backlog = false;

  const nudge = (): void => {
    kicked = true;
    kick();
  };
  /** One after another for as long as there is more; at most one turn at a collection at a time in this process. */
  const work = async (id: bigint, turn: (id: bigint) => Promise<boolean>): Promise<void> => {
    try {
      while (!stopping.signal.aborted && (await turn(id))) await gathering.settle(id, stopping.signal);
    } catch (error) {
      if (!stopping.signal.aborted) {
        room.log.error({ collection: id, err: error }, "publishing failed");
        await backOff(room, id, "BACK_OFF", "The publisher met an unexpected fault; it tries again.").catch(
          () => undefined,
        );
      }
    } finally {
      busy.delete(id);
      if (backlog || gathering.wasTouched(id)) nudge();
    }
  };
  const begin = (notary: string, id: bigint, turn: (id: bigint) => Promise<boolean>): void => {
    if (!busy.has(id) && !stopping.signal.aborted) busy.set(id, { notary, done: work(id, turn) });
  };
  const freePlaces = (notary: string): number => {
    const taken = [...busy.values()].filter((one) => one.notary === notary).length;
    return Math.max(0, room.settings.concurrency - taken);
  };
  const publishTurn = async (id: bigint): Promise<boolean> =>
    (await advance(room, walked, id, stopping.signal)) === "MORE" || gathering.wasTouched(id);

  const fill = async (): Promise<void> => {
    backlog = false;
    for (const notary of leased) {
      const free = freePlaces(notary);
      const query = { notary, busy: [...busy.keys()], owner: room.owner, now: room.now() };
      const due = free === 0 ? [] : await dueCollections(room.database, query, free);
      backlog ||= due.length === free;
      for (const id of due) begin(notary, id, publishTurn);
    }
  };
  const loop = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      kicked = false;
      await fill();
      if (!kicked) await nudged();
    }
  };
  const nudged = (): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, pollMs);
      kick = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  const keepLeases = async (): Promise<void> => {
    for (const server of room.notaries.all) {
      const held = await holdLease(room.database, server.name, room.owner, room.settings.leaseMs);
      if (held !== leased.has(server.name)) nudge();
      if (held) leased.add(server.name);
      else leased.delete(server.name);
    }
  };
  const noticeRestart = async (server: NotaryServer): Promise<void> => {
    const seen = await server.generation(stopping.signal).catch(() => undefined);
    const last = generations.get(server.name);
    if (seen === undefined || seen === last?.seen) return;
    generations.set(server.name, { seen, since: room.now() });
    if (last === undefined) return;
    room.log.warn(
      { notary: server.name },
      "notary was restarted, or a connection to it broke: every collection is walked again",
    );
    walked.clear();
  };
  /** Walks one collection of a server that is due for it; false when none is. */
  const patrolNext = async (notary: string): Promise<boolean> => {
    if (!leased.has(notary) || stopping.signal.aborted) return false;
    const overdue = new Date(room.now().getTime() - room.settings.patrolMs);
    const restarted = generations.get(notary)?.since ?? overdue;
    const before = restarted > overdue ? restarted : overdue;
    const id = await patrolDue(room.database, notary, before, [...busy.keys()]);
    if (id === undefined) return false;
    begin(notary, id, async () => {
      await patrol(room, walked, id, stopping.signal);
      return false;
    });
    await busy.get(id)?.done;
    return true;
  };
  const patrolServer = async (notary: string): Promise<void> => {
    while (await patrolNext(notary)) await sleep(betweenWalksMs);
  };
  const repeat = async (everyMs: number, step: () => Promise<unknown>, name: string): Promise<void> => {
    while (!stopping.signal.aborted) {
      let pauseMs = everyMs;
      try {
        await step();
      } catch (error) {
        // A database that is away must not be asked in a tight loop.
        pauseMs = Math.max(everyMs, afterFaultMs);
        if (!stopping.signal.aborted) room.log.warn({ err: error, step: name }, "publisher step failed");
      }
      await sleep(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  };

  return {
    start: async () => {
      await registerServers(room.database, room.notaries.all);
      await keepLeases();
      room.database.listen(dueChannel, nudge, stopping.signal);
      running.push(
        repeat(10, loop, "publish"),
        repeat(room.settings.leaseMs / 3, keepLeases, "lease"),
        repeat(countMs, () => room.metrics.refresh(room.database), "count"),
        repeat(pollMs, () => settleTeams(room.database, room.now()), "settle teams"),
        repeat(forgetMs, () => forgetRequests(room.database, room.now()), "forget requests"),
        repeat(forgetMs, () => forgetChallenges(room.database, room.now()), "forget challenges"),
        // Each server by itself: one that hangs must not keep the others from being looked at.
        ...room.notaries.all.flatMap((server) => [
          repeat(room.settings.restartCheckMs, () => noticeRestart(server), "restart check"),
          repeat(patrolMs, () => patrolServer(server.name), "patrol"),
        ]),
      );
    },
    wake: (commitment) => {
      if (stopping.signal.aborted) return;
      const id = commitment.collection?.id;
      if (leased.size < room.notaries.all.length) {
        // Another replica publishes: tell it. It polls as well, so a lost notification costs half a second.
        room.database.run("select pg_notify(:channel, '')", { channel: dueChannel }).catch(() => undefined);
      }
      const [only, ...others] = leased;
      // Which of several servers it is, the look at what is due tells.
      if (id === undefined || only === undefined || others.length > 0 || leased.size < room.notaries.all.length)
        nudge();
      else if (busy.has(id)) gathering.touch(id);
      else if (freePlaces(only) > 0) begin(only, id, publishTurn);
      else backlog = true;
    },
    leads: (notary) => leased.has(notary) && !stopping.signal.aborted,
    stop: async () => {
      stopping.abort();
      nudge();
      await Promise.all([...running, ...[...busy.values()].map(({ done }) => done)]);
      await releaseLeases(room.database, room.owner).catch(() => undefined);
    },
  };
}
