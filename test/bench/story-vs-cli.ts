import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeNotaryCli } from "../stack/notary-cli.ts";
import { prepareBareCollection } from "./bare-collection.ts";
import { initialize, requireSameDelegations } from "./collections.ts";
import { defineMeasure, type Finding, type Measure } from "./measure.ts";
import { rateOf, runPairs, share } from "./pairs.ts";
import type { Site } from "./site.ts";
import { type BenchTeam, gunOf, makeTeam } from "./teams.ts";

/** The workflow for new repositories one after another, against the notary command in one loop. */
export const storyVsCli1: Measure = defineMeasure({
  name: "story-vs-cli-1",
  wanted: { ratio: 3, meaning: "at least" },
  full: { loops: 1, pairs: 7, repositories: 8 },
  short: { loops: 1, pairs: 1, repositories: 1 },
  run: (site, sizes) => tellStory("story-vs-cli-1", site, sizes),
});

/** The same by four callers, against four loops of the notary command. */
export const storyVsCli4: Measure = defineMeasure({
  name: "story-vs-cli-4",
  wanted: { ratio: 2.5, meaning: "at least" },
  full: { loops: 4, pairs: 7, repositories: 16 },
  short: { loops: 4, pairs: 1, repositories: 4 },
  run: (site, sizes) => tellStory("story-vs-cli-4", site, sizes),
});

interface Sizes {
  readonly loops: number;
  readonly pairs: number;
  /** New repositories of a side in one round, all loops together. */
  readonly repositories: number;
}

async function tellStory(measure: string, site: Site, { loops, pairs, repositories }: Sizes): Promise<Finding> {
  return await site.withService(async (service) => {
    const callers = await service.callers(loops);
    const team = await makeTeam(callers[0], `${measure}-qa`);
    const owners = await Promise.all(Array.from({ length: loops }, () => openOwner(site, team)));
    const gunsOf = (side: string, round: number) =>
      Array.from({ length: repositories }, (_, number) => gunOf(measure, side, `${round}-${number}`));
    try {
      const found = await runPairs(
        site,
        pairs,
        (round) =>
          rateOf(repositories, () =>
            share(gunsOf("ours", round), callers, (caller, gun) => initialize(caller, gun, [team])),
          ),
        (round) => rateOf(repositories, () => share(gunsOf("cli", round), owners, (owner, gun) => owner.tell(gun))),
        async (round) => {
          const ready = gunsOf("bare", round).map((gun) => prepareBareCollection(site.bare, gun, [team]));
          const collections = await Promise.all(ready);
          return await rateOf(repositories, () =>
            share(collections, [site.bare], (_, collection) => collection.initialize()),
          );
        },
      );
      await requireSameDelegations(site.bare, gunOf(measure, "ours", "0-0"), gunOf(measure, "cli", "0-0"));
      const [ceiling = 0] = found.others;
      return {
        ...found,
        unit: "repositories/s",
        conditions:
          `${loops} gRPC ${loops === 1 ? "caller" : "callers"} of InitializeTrust with a team of 2 members against ${loops} ` +
          `${loops === 1 ? "loop" : "loops"} of the notary command (init, key rotate, delegation add twice), ${repositories} new ` +
          `repositories a side, ${found.conditions}; ceiling: bare uploads (two GET .key, one POST of root and targets), one ` +
          `repository at a time, ${ceiling.toFixed(1)}/s`,
      };
    } finally {
      for (const owner of owners) await owner.remove();
    }
  });
}

/** A repository owner at a laptop: trust folder, root key and the members' certificate files are there already. */
interface Owner {
  tell(gun: string): Promise<void>;
  remove(): Promise<void>;
}

async function openOwner(site: Site, team: BenchTeam): Promise<Owner> {
  const cli = await makeNotaryCli(site.notary);
  const files = team.certificates.map((_, index) => join(cli.folder, `member-${index}.pem`));
  for (const [index, file] of files.entries()) await writeFile(file, team.certificates[index] ?? "");
  return {
    tell: async (gun) => {
      await cli.mustRun("init", "--publish", gun);
      await cli.mustRun("key", "rotate", gun, "snapshot", "--server-managed");
      for (const role of ["targets/releases", `targets/${team.id}`]) {
        await cli.mustRun("delegation", "add", "--publish", gun, role, "--all-paths", ...files);
      }
    },
    remove: () => cli.remove(),
  };
}
