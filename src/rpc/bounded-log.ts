import type { Logger } from "../logger.ts";

/** Writes warnings that a stranger can cause, a limited number of each message per minute. */
export interface BoundedLog {
  warn(fields: object, message: string): void;
}

/**
 * Lets at most `perMinute` lines of each message through; the first line after a pause says in `suppressed` how many were not.
 * Messages must be constants.
 */
export function boundLog(log: Logger, now: () => number, perMinute = 10): BoundedLog {
  const minutes = new Map<string, { began: number; lines: number; suppressed: number }>();
  return {
    warn: (fields, message) => {
      const at = now();
      let minute = minutes.get(message);
      if (minute === undefined || at - minute.began >= 60_000) {
        const suppressed = minute?.suppressed ?? 0;
        minute = { began: at, lines: 0, suppressed: 0 };
        minutes.set(message, minute);
        minute.lines += 1;
        log.warn(suppressed === 0 ? fields : { ...fields, suppressed }, message);
        return;
      }
      minute.lines += 1;
      if (minute.lines <= perMinute) log.warn(fields, message);
      else minute.suppressed += 1;
    },
  };
}
