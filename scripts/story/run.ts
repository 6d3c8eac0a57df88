import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { projectRoot } from "../stack/project.ts";
import { type LocalStack, startStack } from "../stack/stack.ts";
import type { Chapter } from "./chapter.ts";
import { howToCall } from "./how-to-call.ts";
import { createNarrator } from "./narrator.ts";
import { type Cast, seedCast, setScene } from "./scene.ts";
import { story, tellStory } from "./story.ts";
import { StoryFault } from "./story-fault.ts";

const usage = `usage: scripts/quickstart [--once] [--data-dir DIR]

Starts PostgreSQL, Notary and imagetrust on this machine, tells the story of a delegation, and stays up until Ctrl-C.
  --once           end everything after the story; exit 1 when any part of it does not go as it must
  --data-dir DIR   keep everything in DIR (default: .data/quickstart of the project); a later run takes it up again
`;

const exitCodes = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;

export interface Play {
  readonly chapters: readonly Chapter[];
  readonly cast: Cast;
}

/** Runs the quickstart with its arguments and answers its exit code; nothing that it started is left running then. */
export async function runQuickstart(
  args: readonly string[],
  play: Play = { chapters: story, cast: seedCast },
): Promise<number> {
  const options = parseOptions(args);
  if (options === undefined) return exitCodes.usage;
  if (options.help) {
    process.stdout.write(usage);
    return exitCodes.ok;
  }
  const run: Run = { stack: undefined, isTold: false };
  try {
    return await Promise.race([perform(run, play, options), interruption(run)]);
  } catch (error) {
    process.stderr.write(`\n${explain(error, options.directory)}\n`);
    return exitCodes.failed;
  } finally {
    await run.stack?.stop();
  }
}

interface Options {
  readonly once: boolean;
  readonly help: boolean;
  readonly directory: string;
}

function parseOptions(args: readonly string[]): Options | undefined {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { once: { type: "boolean" }, help: { type: "boolean", short: "h" }, "data-dir": { type: "string" } },
    });
    const directory = resolve(values["data-dir"] ?? `${projectRoot}/.data/quickstart`);
    return { once: values.once ?? false, help: values.help ?? false, directory };
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${usage}`);
    return undefined;
  }
}

/** How far it has come. */
interface Run {
  stack: LocalStack | undefined;
  isTold: boolean;
}

async function perform(run: Run, { chapters, cast }: Play, { directory, once }: Options): Promise<number> {
  const begun = Date.now();
  const narrator = createNarrator(process.stdout, process.stdout.isTTY && !process.env["NO_COLOR"]);
  narrator.tell(`Starting PostgreSQL, notary-signer, notary-server and imagetrust in ${directory}`);
  run.stack = await startStack(directory);
  narrator.tell(`They are up after ${seconds(begun)}: ${run.stack.service.address}, ${run.stack.notary.url}`);
  const scene = await setScene(directory, cast, run.stack, narrator);
  await tellStory(chapters, scene);
  run.isTold = true;
  narrator.tell(`All of it went as it must, in ${seconds(begun)}.`);
  if (once) return exitCodes.ok;
  narrator.tell(howToCall(scene));
  await run.stack.ended;
  throw new Error("PostgreSQL has ended.");
}

function seconds(since: number): string {
  return `${((Date.now() - since) / 1_000).toFixed(1)} s`;
}

/** Ends the run at the first signal; a second one ends this process at once, and what it started with it. */
function interruption(run: Run): Promise<number> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.once(signal, () => {
        process.stdout.write("\nEnding everything.\n");
        resolve(run.isTold ? exitCodes.ok : exitCodes.interrupted);
      });
    }
  });
}

function explain(error: unknown, directory: string): string {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof StoryFault) return `The story failed. ${message}\nA new --data-dir begins it anew.`;
  return `The quickstart failed: ${message}\nLogs: ${directory}/imagetrust/service.log, ${directory}/notary/*.log`;
}
