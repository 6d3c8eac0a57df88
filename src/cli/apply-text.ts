import type { StepResult, StepState } from "./apply-run.ts";
import { jsonOf } from "./json.ts";
import { coloured, printable, type Terminal } from "./terminal.ts";

const colourOf = {
  DONE: "green",
  PLANNED: "green",
  WAITS: "yellow",
  REFUSED: "red",
  UNKNOWN: "red",
  LEFT: "yellow",
} as const;

/** One step and what became of it, with what the service warns of. */
export function stepText(terminal: Terminal, { step, state, detail, outcome }: StepResult): string {
  const said = coloured(terminal, colourOf[state], state.padEnd(7));
  const warnings = (outcome?.plan?.warnings ?? []).map(({ message, tags }) => {
    const about = tags.length === 0 ? "" : ` Tags: ${tags.join(", ")}.`;
    return `         ${coloured(terminal, "yellow", "warning")}: ${printable(message + about)}\n`;
  });
  const why = detail === "" ? "" : `         ${printable(detail)}\n`;
  return `${said}  line ${step.line}: ${printable(step.words)}\n${why}${warnings.join("")}`;
}

/** How many steps came to what, such as `3 done, 1 refused`. */
export function tallyText(results: readonly StepResult[]): string {
  const states: readonly StepState[] = ["DONE", "PLANNED", "WAITS", "REFUSED", "UNKNOWN", "LEFT"];
  return states
    .map((state) => [state, results.filter((result) => result.state === state).length] as const)
    .filter(([, count]) => count > 0)
    .map(([state, count]) => `${count} ${state.toLowerCase()}`)
    .join(", ");
}

/** All of it as one JSON document. */
export function applyJson(
  results: readonly StepResult[],
  more: { readonly notes: readonly string[]; readonly unlive: readonly string[]; readonly dryRun: boolean },
): string {
  const steps = results.map(({ step, state, detail, outcome }) => ({
    line: step.line,
    step: step.words,
    result: state,
    detail,
    outcome,
  }));
  return jsonOf({ steps, ...more });
}
