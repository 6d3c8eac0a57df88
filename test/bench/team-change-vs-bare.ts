import { TeamServiceService } from "../../gen/imagetrust/v1/team.ts";
import { roleOf } from "../../src/names.ts";
import { makeIdentity } from "../trust/identity.ts";
import { readyOnes } from "./bare-collection.ts";
import { type Caller, noWait } from "./caller.ts";
import { delegationsOn, type Field, layField, targetsBytesOf } from "./collections.ts";
import { defineMeasure, type Measure } from "./measure.ts";
import { rateOf, runPairs, share } from "./pairs.ts";
import { cpuMsOf } from "./process-figures.ts";
import { followRollout } from "./rollouts.ts";
import type { Site } from "./site.ts";
import { type BenchTeam, makeTeam } from "./teams.ts";

const name = "team-change-vs-bare";

/** A new member's certificate reaches every repository of a team, against bare uploads of the same targets. */
export const teamChangeVsBare: Measure = defineMeasure({
  name,
  wanted: { ratio: 0.85, meaning: "at least" },
  full: { pairs: 5, repositories: 500 },
  short: { pairs: 1, repositories: 3 },
  run: async (site, { pairs, repositories }) =>
    site.withService(async (service) => {
      const callers = await service.callers(8);
      const [caller] = callers;
      let team = await makeTeam(caller, `${name}-team`);
      const field = await layField(name, repositories, [team], callers, site.bare);
      let cpuMs = 0;
      let rounds = 0;
      const found = await runPairs(
        site,
        pairs,
        async (round) => {
          const member = `${name}-new-${round}`;
          await caller.call(TeamServiceService.addMember, { team: team.id, member });
          const { certificatePem: pem } = await makeIdentity(member);
          team = { ...team, certificates: [...team.certificates, pem] };
          const before = await cpuMsOf(service.pid);
          const rate = await rateOf(repositories, () => submitEverywhere(caller, member, pem, repositories));
          cpuMs += (await cpuMsOf(service.pid)) - before;
          rounds++;
          await requireLive(site, field, team);
          return rate;
        },
        async (round) => {
          const ready = readyOnes(field.bare, round + 2, [team]);
          return await rateOf(repositories, () =>
            share(ready, [site.bare], (bare, { gun, upload }) => bare.post(gun, upload)),
          );
        },
      );
      const [ours, bare] = [field.ours[0], field.bare[0]];
      if (ours === undefined || bare === undefined) throw new Error("no repositories");
      const bytes = [await targetsBytesOf(site.bare, ours), await targetsBytesOf(site.bare, bare.gun)];
      return {
        ...found,
        unit: "repositories/s",
        conditions:
          `one new member's certificate for a team delegated on ${repositories} repositories, from SubmitCertificate until its ` +
          `rollout has nothing pending, all checked on Notary; against ready-signed targets uploaded one at a time; ` +
          `${found.conditions}; targets.json at the end ${bytes.join(" and ")} bytes; the service used ` +
          `${(cpuMs / rounds / repositories).toFixed(1)} ms of CPU for a repository`,
      };
    }),
});

async function submitEverywhere(caller: Caller, member: string, pem: string, repositories: number): Promise<void> {
  const { outcome } = await caller.call(TeamServiceService.submitCertificate, {
    member,
    certificatePem: pem,
    options: noWait,
  });
  await followRollout(caller, outcome?.rollout?.id ?? "", repositories);
}

/** Throws unless Notary shows every repository with all of the team's keys. */
async function requireLive({ bare }: Site, { ours }: Field, team: BenchTeam): Promise<void> {
  for (const gun of ours) {
    const keys = (await delegationsOn(bare, gun)).get(roleOf(team.id));
    if (keys !== team.certificates.length) throw new Error(`${gun} shows ${keys} of ${team.certificates.length} keys`);
  }
}
