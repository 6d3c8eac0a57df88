import type { ChangeOptions, Outcome } from "../../gen/imagetrust/v1/change.ts";
import type { ApplyPlan } from "./apply-plan.ts";
import { phase, type Send, type Step } from "./apply-steps.ts";
import { decide } from "./change.ts";
import { exitCode } from "./exit-code.ts";
import { inParallel } from "./in-parallel.ts";
import { exitCodeOf, Refusal } from "./refusal.ts";
import type { Session } from "./session.ts";

/**
 * What became of a step. DONE: accepted and durable. PLANNED: it would be accepted now. WAITS: refused as things are, and an earlier step
 * may change that. REFUSED: the service's reason. UNKNOWN: no answer that decides. LEFT: not tried, since something before it failed.
 */
export type StepState = "DONE" | "PLANNED" | "WAITS" | "REFUSED" | "UNKNOWN" | "LEFT";

export interface StepResult {
  readonly step: Step;
  readonly state: StepState;
  /** The refusal in the service's words; empty where there is none. */
  readonly detail: string;
  readonly outcome: Outcome | undefined;
}

const atOnce = 4;

/** Asks what each step would do, and changes nothing. A step that needs an earlier one is asked for as things are now. */
export async function previewSteps(
  session: Session,
  steps: readonly Step[],
  options: ChangeOptions,
): Promise<readonly StepResult[]> {
  return await inParallel(steps, atOnce, async (step) => {
    const result = await attempt(session, step, { ...options, validateOnly: true });
    if (result.state === "DONE") return { ...result, state: "PLANNED" };
    return result.state === "REFUSED" && waitsForAnother(step, steps) ? { ...result, state: "WAITS" } : result;
  });
}

/** Whether a step before it may change what becomes of it. */
function waitsForAnother(step: Step, steps: readonly Step[]): boolean {
  return steps.some(
    (other) => other.phase < step.phase && (other.team === "" || step.team === "" || other.team === step.team),
  );
}

/**
 * Makes the steps, phase after phase, a few at once. A step that fails stops no other, but what takes away is left when something that
 * was to be added failed: it might have been the signer who takes over. `told` hears of every result.
 */
export async function makeSteps(
  session: Session,
  { additions, removals }: Pick<ApplyPlan, "additions" | "removals">,
  options: ChangeOptions,
  told: (result: StepResult) => void,
): Promise<readonly StepResult[]> {
  const results: StepResult[] = [];
  const act = async (steps: readonly Step[]): Promise<void> => {
    for (const turn of Object.values(phase)) {
      const due = steps.filter((step) => step.phase === turn);
      results.push(
        ...(await inParallel(due, atOnce, async (step) => {
          const result = await attempt(session, step, { ...options, noWait: true });
          told(result);
          return result;
        })),
      );
    }
  };
  await act(additions);
  if (results.every(({ state }) => state === "DONE")) await act(removals);
  else {
    const left = removals.map((step) => ({ step, state: "LEFT" as const, detail: "", outcome: undefined }));
    for (const result of left) told(result);
    results.push(...left);
  }
  return results;
}

/** Makes one step's call, within --timeout of its own. */
async function attempt(session: Session, step: Step, options: ChangeOptions): Promise<StepResult> {
  const timed = { ...session, deadline: Date.now() + session.settings.timeout * 1_000 };
  const send: Send = (method, request, requestId) => decide(timed, method, request, requestId);
  try {
    return { step, state: "DONE", detail: "", outcome: await step.send(send, options) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const state = exitCodeOf(error) === exitCode.unreachable ? "UNKNOWN" : "REFUSED";
    const fields = error.fields.map(({ field, fault }) => `${field} ${fault}`).join("; ");
    return {
      step,
      state,
      detail: `${error.reason}: ${error.message}${fields === "" ? "" : ` (${fields})`}`,
      outcome: undefined,
    };
  }
}
