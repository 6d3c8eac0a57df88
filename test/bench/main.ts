import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { authority } from "./authority.ts";
import { coalesce } from "./coalesce.ts";
import { delegateVsBare } from "./delegate-vs-bare.ts";
import { follow } from "./follow.ts";
import { idle } from "./idle.ts";
import type { Form, Measure } from "./measure.ts";
import { memory } from "./memory.ts";
import { offboardVsCli } from "./offboard-vs-cli.ts";
import { readVsEcho } from "./read-vs-echo.ts";
import { jsonLine, surroundings, tableHead, tableRow } from "./report.ts";
import { rolloutVsBare } from "./rollout-vs-bare.ts";
import { openSite } from "./site.ts";
import { storyVsCli1, storyVsCli4 } from "./story-vs-cli.ts";
import { teamChangeVsBare } from "./team-change-vs-bare.ts";

/** Every measure, in the order in which they run. */
export const measures: readonly Measure[] = [
  storyVsCli1,
  storyVsCli4,
  delegateVsBare,
  coalesce,
  teamChangeVsBare,
  offboardVsCli,
  follow,
  rolloutVsBare,
  readVsEcho,
  authority,
  idle,
  memory,
];

const usage = `usage: scripts/bench [NAME...] [--json] [--short] [--profile FOLDER]
  NAME      ${measures.map((measure) => measure.name).join(", ")}; none: all
  --json    one line of JSON for each measure instead of a table
  --short   tiny sizes: shows that a measure works, its figures mean nothing
  --profile where the service writes a CPU profile of each measure
`;

interface Order {
  readonly chosen: readonly Measure[];
  readonly json: boolean;
  readonly form: Form;
  readonly profiles: string | undefined;
}

/** Undefined when the arguments cannot be understood. */
function orderOf(args: readonly string[]): Order | undefined {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { json: { type: "boolean" }, short: { type: "boolean" }, profile: { type: "string" } },
      allowPositionals: true,
    });
    if (positionals.some((name) => !measures.some((measure) => measure.name === name))) return undefined;
    return {
      chosen: measures.filter(({ name }) => positionals.length === 0 || positionals.includes(name)),
      json: values.json ?? false,
      form: values.short ? "short" : "full",
      profiles: values.profile === undefined ? undefined : resolve(values.profile),
    };
  } catch {
    return undefined;
  }
}

async function run({ chosen, json, form, profiles }: Order): Promise<void> {
  if (profiles !== undefined) await mkdir(profiles, { recursive: true });
  const nodeOptions = profiles === undefined ? undefined : `--cpu-prof --cpu-prof-dir=${profiles}`;
  const site = await openSite({ nodeOptions, sharesService: form === "short" });
  try {
    if (!json) console.log(tableHead);
    for (const measure of chosen) {
      const found = await measure.run(site, form);
      const finding = { ...found, conditions: `${found.conditions}; ${surroundings(new Date())}` };
      console.log(json ? jsonLine(measure, finding) : tableRow(measure, finding));
    }
  } finally {
    await site.close();
  }
}

if (import.meta.main) {
  const order = orderOf(process.argv.slice(2));
  if (order === undefined) {
    process.stderr.write(usage);
    process.exit(2);
  }
  await run(order);
}
