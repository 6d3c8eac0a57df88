import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { RevocationReason, TeamServiceService } from "../../gen/imagetrust/v1/team.ts";
import { roleOf } from "../../src/names.ts";
import { canonicalKeyIdOf, certificateKey } from "../../src/tuf/key.ts";
import { makeNotaryCli, type NotaryCli } from "../stack/notary-cli.ts";
import { type Caller, noWait } from "./caller.ts";
import { delegationsOn, initialize } from "./collections.ts";
import { defineMeasure, type Measure } from "./measure.ts";
import { rateOf, roundsOf, runPairs, share } from "./pairs.ts";
import { followRollout } from "./rollouts.ts";
import type { Site } from "./site.ts";
import { type BenchTeam, gunOf, makeTeam } from "./teams.ts";

const name = "offboard-vs-cli";
/** Who stays in the team. */
const staying = 2;

/** A member leaves every repository of a team by one call, against a loop of the notary command. */
export const offboardVsCli: Measure = defineMeasure({
  name,
  wanted: { ratio: 3, meaning: "at least" },
  full: { pairs: 5, repositories: 30 },
  short: { pairs: 1, repositories: 1 },
  run: (site, { pairs, repositories }) =>
    site.withService(async (service) => {
      const callers = await service.callers(4);
      const [caller] = callers;
      // One leaves in each round, and none is new: nothing that is published later may pay for a setting up.
      const team = await makeTeam(caller, `${name}-team`, staying + roundsOf(pairs));
      const numbers = Array.from({ length: repositories }, (_, number) => number);
      const ours = numbers.map((number) => gunOf(name, "ours", number));
      const theirs = numbers.map((number) => gunOf(name, "cli", number));
      await share(ours, callers, (one, gun) => initialize(one, gun, [team]));
      const cli = await makeNotaryCli(site.notary);
      try {
        await layByCli(cli, theirs, team);
        const found = await runPairs(
          site,
          pairs,
          (round) => rateOf(repositories, () => revoke(caller, `${team.id}-${staying + round + 1}`, repositories)),
          (round) =>
            rateOf(repositories, async () => {
              const key = canonicalKeyIdOf(certificateKey(team.certificates[staying + round] ?? ""));
              for (const gun of theirs) await cli.mustRun("delegation", "purge", gun, "--key", key, "--publish");
            }),
        );
        await requireSameKeys(site, team, ours[0], theirs[0]);
        return {
          ...found,
          unit: "repositories/s",
          conditions:
            `RevokeMember of a member of a team delegated on ${repositories} repositories until its rollout has nothing pending, against ` +
            `a loop of the notary command's one \`delegation purge --publish\` for each; ${found.conditions}`,
        };
      } finally {
        await cli.remove();
      }
    }),
});

async function revoke(caller: Caller, member: string, repositories: number): Promise<void> {
  const options = { ...noWait, acceptOrphaned: true };
  const { outcome } = await caller.call(TeamServiceService.revokeMember, {
    member,
    revocationReason: RevocationReason.LEFT,
    options,
  });
  await followRollout(caller, outcome?.rollout?.id ?? "", repositories);
}

async function layByCli(cli: NotaryCli, guns: readonly string[], team: BenchTeam): Promise<void> {
  const files = team.certificates.map((_, index) => join(cli.folder, `member-${index}.pem`));
  for (const [index, file] of files.entries()) await writeFile(file, team.certificates[index] ?? "");
  for (const gun of guns) {
    await cli.mustRun("init", "--publish", gun);
    await cli.mustRun("key", "rotate", gun, "snapshot", "--server-managed");
    await cli.mustRun("delegation", "add", gun, "targets/releases", "--all-paths", ...files);
    await cli.mustRun("delegation", "add", "--publish", gun, roleOf(team.id), "--all-paths", ...files);
  }
}

/** Throws unless both sides took as many members out. */
async function requireSameKeys({ bare }: Site, team: BenchTeam, ours = gunOf(name, "ours", 0), theirs = ours) {
  const [our, their] = [await delegationsOn(bare, ours), await delegationsOn(bare, theirs)];
  const count = our.get(roleOf(team.id));
  if (count === undefined || count === team.certificates.length || count !== their.get(roleOf(team.id))) {
    throw new Error(`${ours} shows ${count} keys, ${theirs} ${their.get(roleOf(team.id))}`);
  }
}
