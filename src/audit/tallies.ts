import type { ErrorReason } from "../errors.ts";
import { type Call, serviceCall } from "./call.ts";

/** Refusals that were counted instead of recorded one by one. */
export interface Flood {
  /** The first call counted; when `isMixed`, a call of the service's own. */
  readonly call: Call;
  readonly reason: ErrorReason;
  /** True for callers who came when as many as are kept apart were counted already. */
  readonly isMixed: boolean;
  readonly calls: number;
  readonly first: Date;
  readonly last: Date;
  /** At most eight. */
  readonly methods: ReadonlySet<string>;
}

export interface TallyLimits {
  /** Refusals per caller, reason and window that are recorded one by one. */
  readonly singles: number;
  readonly windowMs: number;
  /** Pairs of caller and reason that are kept apart. */
  readonly keys: number;
}

/** Decides which refusals are recorded one by one and counts the others, in bounded memory. */
export interface Tallies {
  /** True when the refusal is to be recorded by itself; false when it was counted. */
  count(call: Call, reason: ErrorReason, now: Date): boolean;
  /** Takes all that was counted, and forgets windows that are over. */
  take(now: Date): readonly Flood[];
  /** Returns what was taken and could not be written. */
  giveBack(floods: readonly Flood[]): void;
}

interface Tally {
  windowStart: number;
  singles: number;
  flood: Flood | undefined;
}

export function createTallies(limits: TallyLimits): Tallies {
  const tallies = new Map<string, Tally>();

  const tallyOf = (key: string, now: Date): Tally => {
    const found = tallies.get(key);
    if (found !== undefined) return found;
    const tally: Tally = { windowStart: now.getTime(), singles: 0, flood: undefined };
    tallies.set(key, tally);
    return tally;
  };

  const forget = (now: Date): void => {
    for (const [key, tally] of tallies) {
      if (tally.flood === undefined && now.getTime() - tally.windowStart >= limits.windowMs) tallies.delete(key);
    }
  };

  const add = (flood: Flood, now: Date): void => {
    const tally = tallyOf(keyOf(flood), now);
    tally.flood = tally.flood === undefined ? flood : merge(tally.flood, flood);
  };

  return {
    count: (call, reason, now) => {
      const own = { call, reason, isMixed: false, calls: 1, first: now, last: now, methods: new Set([call.method]) };
      if (!tallies.has(keyOf(own)) && tallies.size >= limits.keys) forget(now);
      if (!tallies.has(keyOf(own)) && tallies.size >= limits.keys) {
        add({ ...own, isMixed: true, call: callOfMany(call) }, now);
        return false;
      }
      const tally = tallyOf(keyOf(own), now);
      if (now.getTime() - tally.windowStart >= limits.windowMs)
        Object.assign(tally, { windowStart: now.getTime(), singles: 0 });
      tally.singles += 1;
      if (tally.singles <= limits.singles) return true;
      add(own, now);
      return false;
    },
    take: (now) => {
      const taken: Flood[] = [];
      for (const tally of tallies.values()) {
        if (tally.flood !== undefined) taken.push(tally.flood);
        tally.flood = undefined;
      }
      forget(now);
      return taken;
    },
    giveBack: (floods) => {
      for (const flood of floods) add(flood, flood.last);
    },
  };
}

function keyOf({ call, reason, isMixed }: Pick<Flood, "call" | "reason" | "isMixed">): string {
  return isMixed ? `mixed ${reason}` : `caller ${reason} ${call.actor.id}`;
}

function callOfMany(call: Call): Call {
  return serviceCall("audit", "refusals", { traceId: "", spanId: "" }, call.signal);
}

function merge(one: Flood, other: Flood): Flood {
  const first = one.first < other.first ? one.first : other.first;
  const last = one.last > other.last ? one.last : other.last;
  const methods = new Set([...one.methods, ...other.methods].slice(0, 8));
  return { ...one, calls: one.calls + other.calls, first, last, methods };
}
