import type { PublisherRoom, Step } from "../../src/trust/publisher/publisher-room.ts";
import { until } from "../fault/until.ts";

/** Holds publishers at a step for as long as a test needs, so that what is decided meanwhile meets the same turn. */
export interface Gate {
  /** For the options of a house. */
  readonly atStep: PublisherRoom["atStep"];
  /** Whoever comes to the step from now on waits there; answers when the first has come. */
  close(step: Step): () => Promise<void>;
  /** Lets go whoever waits. */
  open(): void;
}

export function createGate(): Gate {
  let closed: { readonly step: Step; readonly opened: PromiseWithResolvers<void>; waiting: number } | undefined;
  return {
    atStep: async (step) => {
      if (closed?.step !== step) return;
      closed.waiting += 1;
      await closed.opened.promise;
    },
    close: (step) => {
      const one = { step, opened: Promise.withResolvers<void>(), waiting: 0 };
      closed = one;
      return () => until(() => one.waiting > 0, `a publication to be ${step}`);
    },
    open: () => {
      closed?.opened.resolve();
      closed = undefined;
    },
  };
}
