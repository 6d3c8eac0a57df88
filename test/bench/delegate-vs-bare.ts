import { type ReadyOne, readyOnes } from "./bare-collection.ts";
import type { BareNotary } from "./bare-notary.ts";
import { delegate, layField, requireSameDelegations, targetsBytesOf } from "./collections.ts";
import { defineMeasure, type Measure } from "./measure.ts";
import { rateOf, roundsOf, runPairs, share } from "./pairs.ts";
import { cpuMsOf } from "./process-figures.ts";
import { makeTeams } from "./teams.ts";

const name = "delegate-vs-bare";
const callerCount = 8;

/** One more team for each of many collections by Delegate, against a loop that uploads ready-signed targets of the same size. */
export const delegateVsBare: Measure = defineMeasure({
  name,
  wanted: { ratio: 0.85, meaning: "at least" },
  full: { pairs: 7, collections: 80 },
  short: { pairs: 1, collections: 2 },
  run: async (site, { pairs, collections }) =>
    site.withService(async (service) => {
      const callers = await service.callers(callerCount);
      const teams = await makeTeams(callers[0], `${name}-`, 1 + roundsOf(pairs));
      const field = await layField(name, collections, teams.slice(0, 1), callers, site.bare);
      let cpuMs = 0;
      let rounds = 0;
      const found = await runPairs(
        site,
        pairs,
        async (round) => {
          const team = teams[round + 1];
          if (team === undefined) throw new Error("more rounds than teams");
          const before = await cpuMsOf(service.pid);
          const rate = await rateOf(collections, () =>
            share(field.ours, callers, (caller, gun) => delegate(caller, gun, team)),
          );
          cpuMs += (await cpuMsOf(service.pid)) - before;
          rounds++;
          return rate;
        },
        async (round) => {
          const ready = readyOnes(field.bare, 2 * round + 2, teams.slice(0, round + 2));
          return await rateOf(collections, () =>
            share(ready, [site.bare], (bare, { gun, upload }) => bare.post(gun, upload)),
          );
        },
        async (round) => {
          const ready = readyOnes(field.bare, 2 * round + 3, teams.slice(0, round + 2));
          return await rateOf(collections, () => share(ready, [site.bare], postAndReadBack));
        },
      );
      const [withReads = 0] = found.others;
      const [ours, bare] = [field.ours[0], field.bare[0]];
      if (ours === undefined || bare === undefined) throw new Error("no collections");
      await requireSameDelegations(site.bare, ours, bare.gun);
      const bytes = [await targetsBytesOf(site.bare, ours), await targetsBytesOf(site.bare, bare.gun)];
      return {
        ...found,
        unit: "publications/s",
        conditions:
          `${callerCount} callers of Delegate, each call waiting until it is live, against ready-signed targets uploaded one at a ` +
          `time (${withReads.toFixed(1)}/s with the five reads of a publication); ${collections} collections a side, ${found.conditions}; targets.json at the end ${bytes.join(" and ")} bytes; the ` +
          `service used ${(cpuMs / rounds / collections).toFixed(1)} ms of CPU for a Delegate`,
      };
    }),
});

/** What Notary does for one publication, look and read-back included: the limit of any service that keeps nothing. */
async function postAndReadBack(bare: BareNotary, { gun, version, upload }: ReadyOne): Promise<void> {
  for (const file of ["2.root.json", `${version}.targets.json`]) await bare.read(gun, file);
  await bare.post(gun, upload);
  for (const role of ["targets", "timestamp", "snapshot"]) await bare.read(gun, `${version}.${role}.json`);
}
