import { DelegationServiceService } from "../../gen/imagetrust/v1/delegation.ts";
import { readyOnes } from "./bare-collection.ts";
import { type Caller, noWait } from "./caller.ts";
import { layField, requireSameDelegations, targetsBytesOf } from "./collections.ts";
import { defineMeasure, type Measure } from "./measure.ts";
import { rateOf, roundsOf, runPairs, share } from "./pairs.ts";
import { cpuMsOf } from "./process-figures.ts";
import { followRollout } from "./rollouts.ts";
import { makeTeams } from "./teams.ts";

const name = "rollout-vs-bare";

/** A batch lets one more team sign every repository, against bare uploads of targets of the same size. */
export const rolloutVsBare: Measure = defineMeasure({
  name,
  wanted: { ratio: 0.85, meaning: "at least" },
  full: { pairs: 5, repositories: 500 },
  short: { pairs: 1, repositories: 3 },
  run: async (site, { pairs, repositories }) =>
    site.withService(async (service) => {
      const callers = await service.callers(8);
      const [caller] = callers;
      const teams = await makeTeams(caller, `${name}-`, 1 + roundsOf(pairs));
      const field = await layField(name, repositories, teams.slice(0, 1), callers, site.bare);
      let cpuMs = 0;
      let rounds = 0;
      const found = await runPairs(
        site,
        pairs,
        async (round) => {
          const team = teams[round + 1];
          if (team === undefined) throw new Error("more rounds than teams");
          const before = await cpuMsOf(service.pid);
          const rate = await rateOf(repositories, () => delegateEverywhere(caller, team.id, field.ours));
          cpuMs += (await cpuMsOf(service.pid)) - before;
          rounds++;
          return rate;
        },
        async (round) => {
          const ready = readyOnes(field.bare, round + 2, teams.slice(0, round + 2));
          return await rateOf(repositories, () =>
            share(ready, [site.bare], (bare, { gun, upload }) => bare.post(gun, upload)),
          );
        },
      );
      const [ours, bare] = [field.ours[0], field.bare[0]];
      if (ours === undefined || bare === undefined) throw new Error("no repositories");
      for (const [at, gun] of field.ours.entries())
        await requireSameDelegations(site.bare, gun, field.bare[at]?.gun ?? bare.gun);
      const bytes = [await targetsBytesOf(site.bare, ours), await targetsBytesOf(site.bare, bare.gun)];
      return {
        ...found,
        unit: "repositories/s",
        conditions:
          `one BatchDelegate of a new team on ${repositories} repositories, from the call until its rollout has nothing pending, all ` +
          `checked on Notary; against ready-signed targets uploaded one at a time; ${found.conditions}; targets.json at the end ` +
          `${bytes.join(" and ")} bytes; the service used ${(cpuMs / rounds / repositories).toFixed(1)} ms of CPU for a repository`,
      };
    }),
});

async function delegateEverywhere(caller: Caller, team: string, guns: readonly string[]): Promise<void> {
  const { outcome } = await caller.call(DelegationServiceService.batchDelegate, { team, guns, options: noWait });
  await followRollout(caller, outcome?.rollout?.id ?? "", guns.length);
}
