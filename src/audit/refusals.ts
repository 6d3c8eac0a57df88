import type { Database } from "../database.ts";
import { Fault } from "../errors.ts";
import type { Logger } from "../logger.ts";
import { appendRecord } from "./append.ts";
import type { Call } from "./call.ts";
import type { RecordDraft, Subject } from "./record.ts";
import { callerOf, recordRefusal, severityOf, withoutWords } from "./refusal.ts";
import { createTallies, type Flood } from "./tallies.ts";

/** Records refused calls, and survives a flood of them. */
export interface Refusals {
  /**
   * Records one refusal before its error goes out: by itself, or, when the caller was refused for the same reason ten times
   * within ten seconds, as one of "at least N" in a summary. Throws when it could not be recorded: then answer that error.
   */
  record(call: Call, fault: Fault, now: Date, meant?: Subject): Promise<void>;
  /** Writes the summaries that are due, whatever their age, and stops the timer; the last thing before the database closes. */
  flush(now: Date): Promise<void>;
}

const windowMs = 10_000;
const most = { singles: 10, windowMs, keys: 1_000 };

/** Makes the recorder of one replica. Its memory and its rate of writes are bounded by 1,000 callers and reasons at a time. */
export function createRefusals(database: Database, log: Pick<Logger, "warn">, now: () => Date): Refusals {
  const tallies = createTallies(most);
  let timer: NodeJS.Timeout | undefined;

  const flush = async (at: Date): Promise<void> => {
    const floods = tallies.take(at);
    if (floods.length === 0) return;
    try {
      await database.transaction(async (tx) => {
        for (const flood of floods) await appendRecord(tx, withoutWords(flood.call), draftOf(flood), at);
      });
    } catch (error) {
      // Counting a summary twice would claim too much; "at least" allows for one that is lost.
      if (!(error instanceof Fault && error.reason === "OUTCOME_UNKNOWN")) tallies.giveBack(floods);
      throw error;
    }
  };

  const flushLater = (): void => {
    timer ??= setTimeout(() => {
      timer = undefined;
      flush(now()).catch((error: unknown) => {
        log.warn(
          { err: error },
          "Refused calls could not be summarised in the audit log; they are kept and tried again.",
        );
        flushLater();
      });
    }, windowMs).unref();
  };

  return {
    record: async (call, fault, at, meant) => {
      if (tallies.count(call, fault.reason, at)) await recordRefusal(database, call, fault, at, meant);
      else flushLater();
    },
    flush: async (at) => {
      clearTimeout(timer);
      timer = undefined;
      await flush(at);
    },
  };
}

function draftOf(flood: Flood): RecordDraft {
  const { call, reason, calls, first, last, methods, isMixed } = flood;
  const whose = isMixed ? "further callers" : "this caller";
  return {
    eventType: "call.refused_repeatedly.v1",
    stage: "DENIED",
    severity: severityOf(reason),
    subject: isMixed ? { type: "log", id: "refusals" } : callerOf(call),
    about: [],
    result: new Fault(reason, "").kind,
    resultReason: reason,
    gun: undefined,
    change: {
      before: null,
      after: { at_least: calls, first: first.toISOString(), last: last.toISOString(), methods: [...methods].sort() },
      diff: [`at least ${calls} more calls of ${whose} were refused with ${reason}`],
    },
    publication: undefined,
  };
}
