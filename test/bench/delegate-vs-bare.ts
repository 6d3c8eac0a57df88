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
          const ready = field.bare.map((collection) => ({
            gun: collection.gun,
            upload: collection.readySigned(round + 2, teams.slice(0, round + 2)),
          }));
          return await rateOf(collections, () =>
            share(ready, [site.bare], (bare, { gun, upload }) => bare.post(gun, upload)),
          );
        },
      );
      const [ours, bare] = [field.ours[0], field.bare[0]];
      if (ours === undefined || bare === undefined) throw new Error("no collections");
      await requireSameDelegations(site.bare, ours, bare.gun);
      const bytes = [await targetsBytesOf(site.bare, ours), await targetsBytesOf(site.bare, bare.gun)];
      return {
        ...found,
        unit: "publications/s",
        conditions:
          `${callerCount} callers of Delegate, each call waiting until it is live, against ready-signed targets uploaded one at a ` +
          `time; ${collections} collections a side, ${found.conditions}; targets.json at the end ${bytes.join(" and ")} bytes; the ` +
          `service used ${(cpuMs / rounds / collections).toFixed(1)} ms of CPU for a Delegate`,
      };
    }),
});
