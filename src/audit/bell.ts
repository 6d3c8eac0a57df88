/** Wakes whoever waits. A ring while nobody waits is kept for the next wait; further ones add nothing. */
export interface Bell {
  ring(): void;
  /** Resolves at the next ring, or after that many milliseconds. One at a time may wait. */
  wait(ms: number): Promise<void>;
}

/** Makes a bell that has not rung. */
export function createBell(): Bell {
  let rung = false;
  let wake: (() => void) | undefined;
  return {
    ring: () => {
      rung = true;
      wake?.();
    },
    wait: async (ms) => {
      if (!rung) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
        wake = undefined;
      }
      rung = false;
    },
  };
}
