import { setTimeout as pause } from "node:timers/promises";
import type { Database } from "../database.ts";
import type { Logger } from "../logger.ts";
import type { LogState } from "./batch.ts";
import { createBell } from "./bell.ts";
import { createLag, mostWaiting } from "./lag.ts";
import {
  batchRecords,
  countWaiting,
  isWaiting,
  type LogReading,
  logChannel,
  moveBatch,
  readLog,
  takeOver,
} from "./log-store.ts";

/**
 * Moves committed records into the log, in order and without gaps. Any number may run, in any number of processes: the one
 * that took over last extends the log, the others watch it and take over when records wait and it does not grow.
 */
export interface Sequencer {
  /** Takes over and begins to work, until stop(). */
  start(): void;
  /** Says that records were committed; call it after a commit. A hint: without it they are found within half a second. */
  wake(): void;
  /** Finishes the batch in hand and ends. */
  stop(): Promise<void>;
  /** Moves one batch, taking over where that is needed; answers how many records, 0 also when another was faster. */
  sequenceOnce(): Promise<number>;
  /** Resolves when all records committed before the call are in the log, or after a second: call it before a listing. */
  catchUp(signal: AbortSignal): Promise<void>;
  /** How long the log is behind what waits, as last seen. */
  readonly lagMs: number;
  /** How many records wait, as last seen; at most one more than 50,000. */
  readonly waiting: number;
  /** Throws Fault AUDIT_BEHIND while the log cannot keep up. From what was last seen; costs nothing. */
  admit(): void;
}

/** While records wait, a standby looks this often, and takes over when the log has not grown for `patienceMs`. */
const standbyMs = 50;
const patienceMs = 500;
/** Least time from one batch to the next that is not full, so that a busy service fills them. */
const gatherMs = 10;
const catchUpMs = 1_000;

/**
 * Makes a sequencer that does nothing yet. When idle it looks every `pollMs`; between looks it is rung for. `uptimeMs` measures its
 * lag: a clock that is set must not stop all changes.
 */
export function createSequencer(
  database: Database,
  log: Pick<Logger, "warn">,
  now: () => Date,
  pollMs = 500,
  uptimeMs: () => number = () => performance.now(),
): Sequencer {
  return new LogSequencer(database, log, now, pollMs, uptimeMs);
}

class LogSequencer implements Sequencer {
  readonly #database: Database;
  readonly #log: Pick<Logger, "warn">;
  readonly #now: () => Date;
  readonly #pollMs: number;
  readonly #uptimeMs: () => number;
  readonly #bell = createBell();
  readonly #lag = createLag();
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  /** The epoch this sequencer took over with; undefined while another is active. */
  #epoch: bigint | undefined;
  /** Where the log stood when this standby first saw it stand still, on performance.now()'s clock. */
  #still: { readonly size: bigint; readonly since: number } | undefined;
  #growth = Promise.withResolvers<void>();

  constructor(database: Database, log: Pick<Logger, "warn">, now: () => Date, pollMs: number, uptimeMs: () => number) {
    this.#database = database;
    this.#log = log;
    this.#now = now;
    this.#pollMs = pollMs;
    this.#uptimeMs = uptimeMs;
  }

  start(): void {
    if (this.#running !== undefined) return;
    this.#database.listen(logChannel, (news) => this.#hear(news), this.#stopping.signal);
    this.#running = this.#run();
  }

  wake(): void {
    this.#bell.ring();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#bell.ring();
    await this.#running;
  }

  async sequenceOnce(): Promise<number> {
    return this.#extend(await this.#look());
  }

  async catchUp(signal: AbortSignal): Promise<void> {
    const { waiting } = await readLog(this.#database);
    if (waiting === undefined) return;
    for (let left = catchUpMs; left > 0 && !signal.aborted; left -= standbyMs) {
      const growth = this.#growth.promise;
      this.#bell.ring();
      await Promise.race([growth, pause(standbyMs, undefined, { ref: false })]);
      if (!(await isWaiting(this.#database, waiting.newest))) return;
    }
  }

  get waiting(): number {
    return this.#lag.depth;
  }

  get lagMs(): number {
    return this.#lag.msAt(this.#uptimeMs());
  }

  admit(): void {
    this.#lag.admit(this.#uptimeMs());
  }

  async #run(): Promise<void> {
    for (let first = true; !this.#stopping.signal.aborted; first = false) {
      const began = performance.now();
      const dueMs = await this.#work(first).catch((error: unknown) => {
        this.#log.warn({ err: error }, "The audit sequencer failed and tries again.");
        return this.#pollMs;
      });
      if (dueMs === 0) continue;
      await this.#bell.wait(dueMs);
      const spacingMs = this.#epoch === undefined ? standbyMs : gatherMs;
      await pause(Math.max(0, began + spacingMs - performance.now()));
    }
  }

  /** One look and at most one batch; answers after how many milliseconds the next is due if nothing rings. */
  async #work(first: boolean): Promise<number> {
    const reading = await this.#look();
    if (!first) {
      if (reading.waiting === undefined) {
        this.#still = undefined;
        return this.#pollMs;
      }
      if (this.#epoch === undefined && !(await this.#isAbandoned(reading))) return standbyMs;
    }
    this.#still = undefined;
    const moved = await this.#extend(reading);
    if (moved === batchRecords) return 0;
    return this.#epoch === undefined ? standbyMs : gatherMs;
  }

  async #look(): Promise<LogReading> {
    const reading = await readLog(this.#database);
    const { waiting } = reading;
    const span = waiting === undefined ? 0 : Number(waiting.newest - waiting.oldest) + 1;
    // Ids have gaps, so a wide span may hold few records.
    const depth = span > mostWaiting ? await countWaiting(this.#database, mostWaiting + 1) : span;
    this.#lag.observe(waiting, depth, this.#uptimeMs());
    if (reading.epoch !== this.#epoch) this.#epoch = undefined;
    return reading;
  }

  async #extend(state: LogState): Promise<number> {
    this.#epoch ??= await takeOver(this.#database, state);
    if (this.#epoch === undefined) return 0;
    const moved = await moveBatch(this.#database, { ...state, epoch: this.#epoch }, this.#now());
    if (moved === undefined) this.#epoch = undefined;
    if (moved === undefined || moved === 0) return 0;
    this.#announceGrowth();
    return moved;
  }

  /** Whether the active sequencer left records waiting for so long that this one must go on; else it is told of them. */
  async #isAbandoned({ size }: LogState): Promise<boolean> {
    const since = performance.now();
    if (this.#still?.size !== size) this.#still = { size, since };
    if (since - this.#still.since >= patienceMs) return true;
    await this.#database.run("select pg_notify(:channel, 'waiting')", { channel: logChannel });
    return false;
  }

  #hear(news: string): void {
    if (news === "grown") this.#announceGrowth();
    else if (this.#epoch !== undefined) this.#bell.ring();
  }

  #announceGrowth(): void {
    this.#growth.resolve();
    this.#growth = Promise.withResolvers<void>();
  }
}
