import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { projectRoot } from "../stack/project.ts";
import { type LocalStack, startStack } from "../stack/stack.ts";
import { createNarrator } from "../story/narrator.ts";
import { StoryFault } from "../story/story-fault.ts";
import { leaver } from "./leaver.ts";
import type { LifeStory } from "./life-story.ts";
import { replacedCertificate } from "./replaced-certificate.ts";
import { setStage } from "./stage.ts";

/** Every story, in the order in which they are told. */
export const stories: readonly LifeStory[] = [leaver, replacedCertificate];

const usage = `usage: scripts/stories [NAME...] [--once] [--data-dir DIR]

Starts PostgreSQL, Notary and imagetrust on this machine, tells what can happen to a delegation, and stays up until Ctrl-C.
  NAME             ${stories.map(({ name }) => name).join(", ")}; none: all
  --once           end everything after the stories; exit 1 when any part of them does not go as it must
  --data-dir DIR   keep everything in DIR (default: .data/stories of the project); a later run takes it up again
`;

const exitCodes = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** Tells the stories that are asked for on one stack and answers the exit code; nothing that it started is left running then. */
export async function runStories(args: readonly string[]): Promise<number> {
  const options = parseOptions(args);
  if (options === undefined) return exitCodes.usage;
  const run: { stack?: LocalStack } = {};
  const interrupted = new Promise<number>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve(exitCodes.interrupted));
  });
  try {
    return await Promise.race([tell(run, options), interrupted]);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const logs = `Logs: ${options.directory}/imagetrust/service.log, ${options.directory}/notary/*.log`;
    process.stderr.write(`\n${error instanceof StoryFault ? "A story failed" : "It failed"}: ${message}\n${logs}\n`);
    return exitCodes.failed;
  } finally {
    await run.stack?.stop();
  }
}

interface Options {
  readonly chosen: readonly LifeStory[];
  readonly once: boolean;
  readonly directory: string;
}

function parseOptions(args: readonly string[]): Options | undefined {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { once: { type: "boolean" }, "data-dir": { type: "string" } },
      allowPositionals: true,
    });
    const unknown = positionals.find((name) => !stories.some((story) => story.name === name));
    if (unknown !== undefined) throw new Error(`there is no story ${unknown}`);
    return {
      chosen: stories.filter(({ name }) => positionals.length === 0 || positionals.includes(name)),
      once: values.once ?? false,
      directory: resolve(values["data-dir"] ?? `${projectRoot}/.data/stories`),
    };
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${usage}`);
    return undefined;
  }
}

async function tell(run: { stack?: LocalStack }, { chosen, once, directory }: Options): Promise<number> {
  const narrator = createNarrator(process.stdout, process.stdout.isTTY && !process.env["NO_COLOR"]);
  narrator.tell(`Starting PostgreSQL, notary-signer, notary-server and imagetrust in ${directory}`);
  const stack = await startStack(directory);
  run.stack = stack;
  const stage = await setStage(directory, stack, narrator);
  for (const { title, opening, play, shows } of chosen) {
    narrator.chapter(title);
    narrator.tell(opening);
    await play(stage);
    narrator.kept(shows);
  }
  narrator.tell("All of it went as it must.");
  if (once) return exitCodes.ok;
  narrator.tell(`imagetrust answers on ${stack.service.address}: source ${directory}/env.sh. Ctrl-C ends all of it.`);
  await stack.ended;
  throw new Error("PostgreSQL has ended.");
}
