/** Work that has begun: `result` is for the one who asked, `finished` tells when the next may begin. */
export interface Begun<T> {
  readonly result: Promise<T>;
  /** Never rejects. May come long after the result was given up. */
  readonly finished: Promise<void>;
}

/** Lets at most `width` pieces of work run at once, in the order in which they came. */
export interface Lane {
  /** The number of entries that wait. */
  readonly depth: number;
  /**
   * Begins the work when its turn has come. An entry whose signal aborts while it waits leaves the lane and rejects with
   * the signal's reason, its work never begun; later the signal is the work's own affair.
   */
  run<T>(signal: AbortSignal, begin: () => Begun<T>): Promise<T>;
}

/** A lane that tells `onDepth` each time the number of waiting entries changed. */
export function createLane(width: number, onDepth: (depth: number) => void = () => undefined): Lane {
  const waiting = new Set<() => void>();
  let free = width;

  function leave(): void {
    free++;
    const [next] = waiting;
    if (next === undefined) return;
    waiting.delete(next);
    onDepth(waiting.size);
    next();
  }

  function start<T>(begin: () => Begun<T>): Promise<T> {
    free--;
    try {
      const { result, finished } = begin();
      void finished.finally(leave);
      return result;
    } catch (error) {
      leave();
      return Promise.reject(error);
    }
  }

  function wait<T>(signal: AbortSignal, begin: () => Begun<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const turn = () => {
        signal.removeEventListener("abort", giveUp);
        resolve(start(begin));
      };
      const giveUp = () => {
        waiting.delete(turn);
        onDepth(waiting.size);
        reject(signal.reason);
      };
      signal.addEventListener("abort", giveUp, { once: true });
      waiting.add(turn);
      onDepth(waiting.size);
    });
  }

  return {
    get depth() {
      return waiting.size;
    },
    run: async (signal, begin) => {
      signal.throwIfAborted();
      return free > 0 ? start(begin) : wait(signal, begin);
    },
  };
}
