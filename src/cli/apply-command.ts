import type { Command } from "commander";
import { awaitLive } from "./apply-live.ts";
import { type ApplyPlan, namedBy, planApply } from "./apply-plan.ts";
import { makeSteps, previewSteps, type StepResult } from "./apply-run.ts";
import { applyJson, stepText, tallyText } from "./apply-text.ts";
import { addChangeFlags, changeOptionsOf } from "./change.ts";
import { confirm } from "./confirm.ts";
import { type ExitCode, exitCode, UsageError } from "./exit-code.ts";
import { type Holdings, readHoldings } from "./holdings.ts";
import { loadManifest, requireFaultless } from "./manifest-file.ts";
import { watchDeadlineOf } from "./rollout-commands.ts";
import type { Perform, Session } from "./session.ts";
import { printable } from "./terminal.ts";

interface ApplyFlags {
  readonly file: string;
  readonly dryRun: boolean;
  readonly prune: boolean;
  readonly yes: boolean;
}

/** Adds `apply` to the command. */
export function addApplyCommand(program: Command, perform: Perform): void {
  const apply = program
    .command("apply")
    .description("make the service hold what a file describes: teams, members, certificates, delegations")
    .requiredOption("-f, --file <file>", "the file, YAML or JSON; `-` for standard input")
    .option("--dry-run", "show what would be done, and change nothing", false)
    .option("--prune", "also take away what the file leaves out of the teams and repositories that it names", false)
    .option("--yes", "prune without asking", false);
  addChangeFlags(apply, ["orphaned", "revived", "withoutSigner"]).action(() =>
    perform(apply, (session) => applyFile(session, apply, apply.opts<ApplyFlags>())),
  );
}

async function applyFile(session: Session, command: Command, flags: ApplyFlags): Promise<ExitCode> {
  const { settings, terminal } = session;
  const dryRun = flags.dryRun || settings.validateOnly;
  if (settings.requestId !== "" || command.opts<{ planEtag: string }>().planEtag !== "") {
    throw new UsageError("apply makes many changes and names each itself; leave out --request-id and --plan-etag.");
  }
  const manifest = await loadManifest(terminal, flags.file);
  const held = await readHoldings(session, namedBy(manifest));
  const plan = planApply(manifest, held);
  requireFaultless(flags.file, plan.faults);
  const removals = flags.prune ? plan.removals : [];
  const steps = { additions: plan.additions, removals };
  const run = { session, command, held, steps, notes: notesOf(plan, flags.prune) };
  if (dryRun) return await preview(run);
  if (removals.length > 0 && !flags.yes && !(await confirmRemovals(run))) {
    terminal.err("Nothing was changed.\n");
    return exitCode.refused;
  }
  return await act(run);
}

interface Run {
  readonly session: Session;
  readonly command: Command;
  readonly held: Holdings;
  readonly steps: Pick<ApplyPlan, "additions" | "removals">;
  readonly notes: readonly string[];
}

function notesOf({ notes, removals }: ApplyPlan, prune: boolean): readonly string[] {
  return [...notes, ...(prune ? [] : removals.map(({ words }) => `the file leaves out what --prune would: ${words}`))];
}

async function preview({ session, command, steps, notes }: Run): Promise<ExitCode> {
  const { terminal } = session;
  const all = [...steps.additions, ...steps.removals];
  const results = await previewSteps(session, all, changeOptionsOf(session, command));
  if (session.settings.json) terminal.out(applyJson(results, { notes, unlive: [], dryRun: true }));
  else {
    const said = all.length === 0 ? "UNCHANGED: the service holds all of the file." : `${tallyText(results)}.`;
    terminal.out(
      `${results.map((result) => stepText(terminal, result)).join("")}${notesText(notes)}${said}\nNothing was changed.\n`,
    );
  }
  return codeOf(results, []);
}

/** Shows what would be taken away and what that does, and asks. */
async function confirmRemovals({ session, command, steps }: Run): Promise<boolean> {
  const { terminal, settings } = session;
  if (!terminal.isTerminal || settings.json) {
    throw new UsageError(
      "--prune takes things away: look at them with --dry-run, then give --yes. Nothing was changed.",
    );
  }
  const all = [...steps.additions, ...steps.removals];
  const options = changeOptionsOf(session, command);
  const results = (await previewSteps(session, all, options)).filter(({ step }) => steps.removals.includes(step));
  terminal.out(results.map((result) => stepText(terminal, result)).join(""));
  return await confirm(terminal, `Take away these ${results.length}, after ${steps.additions.length} additions?`);
}

async function act({ session, command, held, steps, notes }: Run): Promise<ExitCode> {
  const { terminal, settings } = session;
  const options = changeOptionsOf(session, command);
  const told = (result: StepResult): void => {
    if (!settings.json) terminal.out(stepText(terminal, result));
  };
  const results = await makeSteps(session, steps, options, told);
  const deadline = settings.wait ? watchDeadlineOf(session, command) : Date.now();
  const outcomes = results.map(({ outcome }) => outcome);
  const unlive = await awaitLive(session, held.trusts.values(), outcomes, deadline);
  if (settings.json) terminal.out(applyJson(results, { notes, unlive, dryRun: false }));
  else terminal.out(notesText(notes) + closing(results, unlive));
  return codeOf(results, unlive);
}

function closing(results: readonly StepResult[], unlive: readonly string[]): string {
  const said = results.length === 0 ? "UNCHANGED: the service holds all of the file" : tallyText(results);
  const isWhole = results.every(({ state }) => state === "DONE");
  const rest = isWhole ? "" : " Apply the file again: only what is missing is done.";
  if (unlive.length === 0) return `${said}${isWhole ? "; all of it is live." : "."}${rest}\n`;
  return `${said}.${rest}\nNot live yet:\n${unlive.map((one) => `  ${printable(one)}\n`).join("")}`;
}

function notesText(notes: readonly string[]): string {
  return notes.map((note) => `note: ${printable(note)}\n`).join("");
}

function codeOf(results: readonly StepResult[], unlive: readonly string[]): ExitCode {
  if (results.some(({ state }) => state === "UNKNOWN")) return exitCode.unreachable;
  if (results.some(({ state }) => state === "REFUSED" || state === "LEFT")) return exitCode.refused;
  return unlive.length === 0 ? exitCode.live : exitCode.pending;
}
