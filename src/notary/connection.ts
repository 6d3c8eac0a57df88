import { Pool } from "undici";
import { maxErrorBytes } from "./answers.ts";
import { beginExchange, type ExchangeAnswer } from "./exchange.ts";
import { createInstruments, type Operation } from "./instruments.ts";
import { createLane } from "./lane.ts";
import type { Endpoint } from "./settings.ts";

/** One request to a Notary server. */
export interface Question {
  readonly operation: Operation;
  /**
   * What the server works with. Its `cache` and its `database` are asked in the queue; a request to its cache that was given up keeps
   * its place until the server is through with it. What touches `nothing` goes beside the queue.
   */
  readonly touches: "cache" | "database" | "nothing";
  /** Behind the base URL, encoded. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** A POST if there is one, else a GET. */
  readonly body?: Buffer;
}

/** The way to one Notary server: its connections, its queue and what operators see of it. */
export interface Connection {
  /**
   * Asks once and gives what `read` makes of the answer; `outcomeOf` names that for the metrics.
   * Rejects with an ExchangeFailure, with what `read` throws, or, if the signal aborts while the request waits, with its reason.
   */
  ask<T>(
    question: Question,
    read: (answer: ExchangeAnswer) => T,
    outcomeOf: (value: T) => string,
    signal: AbortSignal,
  ): Promise<T>;
  /** Connections that broke before an answer was complete, since the service started. */
  readonly resets: number;
  close(): Promise<void>;
}

/** Requests at once beside the queue. */
const besideWidth = 2;

/** Opens the way to a server; nothing is connected before the first question. */
export function openConnection(endpoint: Endpoint): Connection {
  const { concurrency, requestTimeoutMs: timeoutMs, maxBodyBytes } = endpoint;
  const instruments = createInstruments(endpoint.name);
  const queue = { lane: createLane(concurrency, instruments.queueDepth), pool: openPool(endpoint, concurrency) };
  const beside = { lane: createLane(besideWidth), pool: openPool(endpoint, besideWidth) };
  let resets = 0;
  const onReset = () => {
    resets++;
    instruments.connectionReset();
  };
  return {
    ask: ({ operation, touches, path, headers, body }, read, outcomeOf, signal) =>
      instruments.observe(operation, outcomeOf, async (observation) => {
        const request = {
          method: body === undefined ? ("GET" as const) : ("POST" as const),
          path: `${basePathOf(endpoint.url)}${path}`,
          headers: { "user-agent": "imagetrust", ...headers, ...observation.traceHeaders() },
          body: body ?? null,
          ...{ timeoutMs, maxBodyBytes, maxErrorBytes, onReset },
          whenAborted: touches === "cache" ? ("let-go" as const) : ("cut" as const),
        };
        const { lane, pool } = touches === "nothing" ? beside : queue;
        const answer = await lane.run(signal, () => {
          observation.began();
          return beginExchange(pool, request, signal);
        });
        observation.answered(answer.status);
        return read(answer);
      }),
    get resets() {
      return resets;
    },
    close: async () => {
      await Promise.all([queue.pool.destroy(), beside.pool.destroy()]);
    },
  };
}

/** HTTP/1.1 over connections that are kept: what a broken one means is known exactly. */
function openPool({ url, tls, requestTimeoutMs }: Endpoint, connections: number): Pool {
  const timeout = Math.min(requestTimeoutMs, 10_000);
  return new Pool(url.origin, { connections, allowH2: false, connect: { ...tls, timeout } });
}

/** The path of a base URL without the slash at its end; empty for a server at the root. */
export function basePathOf(url: URL): string {
  return url.pathname.replace(/\/+$/, "");
}
