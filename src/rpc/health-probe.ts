import type { Logger } from "../logger.ts";
import type { Conditions, Health } from "./health.ts";

/** Asks whether something answers; rejects if it does not. */
export type Probe = (signal: AbortSignal) => Promise<unknown>;

export interface HealthProbes {
  readonly database: Probe;
  readonly signing: Probe;
}

export interface HealthProbing {
  /** Asks once more, at once. */
  probe(): Promise<void>;
  stop(): void;
}

/**
 * Asks database and signing at once and then at intervals, and reports to health. A probe that takes longer than the timeout
 * counts as failed. Resolves after the first report.
 */
export async function startProbing(
  health: Health,
  probes: HealthProbes,
  log: Logger,
  timing: { readonly everyMs: number; readonly timeoutMs: number } = { everyMs: 2_000, timeoutMs: 2_000 },
): Promise<HealthProbing> {
  let last: Conditions | undefined;
  let running: Promise<void> | undefined;
  const once = async () => {
    const [database, signing] = await Promise.all([
      answers(probes.database, timing.timeoutMs),
      answers(probes.signing, timing.timeoutMs),
    ]);
    const conditions = { database: database === undefined, signing: signing === undefined };
    for (const [name, fault] of [
      ["database", database],
      ["signing", signing],
    ] as const) {
      const was = last?.[name];
      if (fault !== undefined && was !== false)
        log.warn({ err: fault, dependency: name }, "a dependency does not answer");
      if (fault === undefined && was === false) log.info({ dependency: name }, "a dependency answers again");
    }
    last = conditions;
    health.report(conditions);
  };
  const probe = () => {
    running ??= once().finally(() => {
      running = undefined;
    });
    return running;
  };
  await probe();
  const timer = setInterval(() => void probe(), timing.everyMs).unref();
  return { probe, stop: () => clearInterval(timer) };
}

/** Undefined if it answers, else why not. */
async function answers(probe: Probe, timeoutMs: number): Promise<unknown> {
  const signal = AbortSignal.timeout(timeoutMs);
  const late = new Promise<never>((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  return Promise.race([probe(signal), late]).then(
    () => undefined,
    (error: unknown) => error ?? new Error("no answer"),
  );
}
