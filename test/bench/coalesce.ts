import { type Outcome, PublicationState } from "../../gen/imagetrust/v1/change.ts";
import { DelegationServiceService } from "../../gen/imagetrust/v1/delegation.ts";
import { type Gun, roleOf, targetsRole, timestampRole } from "../../src/names.ts";
import { parseTimestamp } from "../../src/tuf/envelope.ts";
import type { BareNotary } from "./bare-notary.ts";
import type { Caller } from "./caller.ts";
import { delegationsOn, initialize } from "./collections.ts";
import { defineMeasure, type Measure } from "./measure.ts";
import { type BenchTeam, gunOf, makeTeam } from "./teams.ts";

const name = "coalesce";
const mostUploads = 12;

/** Many Delegate calls at once on one collection share uploads, and each caller's answer holds against what Notary shows. */
export const coalesce: Measure = defineMeasure({
  name,
  wanted: { ratio: 1, meaning: "at most" },
  full: { repeats: 5, calls: 200 },
  short: { repeats: 1, calls: 4 },
  run: async (site, { repeats, calls }) =>
    site.withService(async (service) => {
      const callers = await service.callers(8);
      const teams: BenchTeam[] = [];
      for (let number = 0; number < calls; number++) teams.push(await makeTeam(callers[0], `${name}-${number}`, 1));
      const uploads: number[] = [];
      const seconds: number[] = [];
      let published = 0;
      for (let repeat = 0; repeat < repeats; repeat++) {
        const burst = await delegateAtOnce(site.bare, callers, gunOf(name, "ours", repeat), teams);
        uploads.push(burst.uploads);
        seconds.push(burst.seconds);
        published += burst.published;
      }
      const worst = Math.max(...uploads);
      return {
        ours: worst,
        peer: mostUploads,
        ratio: worst / mostUploads,
        unit: "uploads",
        conditions:
          `${calls} Delegate calls at once over ${callers.length} connections on one collection, each for another team, against the ` +
          `limit; ${repeats} bursts with ${uploads.join(", ")} uploads in ${seconds.map((one) => one.toFixed(1)).join(", ")} s; ` +
          `${published} of ${repeats * calls} calls were told PUBLISHED, each checked against the version on Notary that its answer names`,
      };
    }),
});

interface Burst {
  readonly uploads: number;
  readonly seconds: number;
  readonly published: number;
}

async function delegateAtOnce(
  bare: BareNotary,
  callers: readonly [Caller, ...Caller[]],
  gun: Gun,
  teams: readonly BenchTeam[],
): Promise<Burst> {
  await initialize(callers[0], gun, []);
  const before = await timestampOf(bare, gun);
  const truth = createTruth(bare, gun);
  const began = performance.now();
  const told = await Promise.all(
    teams.map(async (team, index) => {
      const caller = callers[index % callers.length] ?? callers[0];
      const { outcome } = await caller.call(DelegationServiceService.delegate, { gun, team: team.id });
      return await truth.hold(outcome, team);
    }),
  );
  const seconds = (performance.now() - began) / 1_000;
  // Each accepted upload makes one timestamp; nobody else writes here.
  return { uploads: (await timestampOf(bare, gun)) - before, seconds, published: told.filter((one) => one).length };
}

async function timestampOf(bare: BareNotary, gun: Gun): Promise<number> {
  const bytes = await bare.read(gun, `${timestampRole}.json`);
  return bytes === undefined ? 0 : parseTimestamp(bytes).content.version;
}

/** Holds answers against Notary as soon as they come; each version is read once, when it is first named. */
function createTruth(bare: BareNotary, gun: Gun) {
  const versions = new Map<number, ReturnType<typeof delegationsOn>>();
  return {
    /** Whether the answer was PUBLISHED. Throws for an answer that is not true, or that says less than accepted. */
    hold: async (outcome: Outcome | undefined, team: BenchTeam): Promise<boolean> => {
      if (outcome?.state === PublicationState.PENDING) return false;
      if (outcome?.state !== PublicationState.PUBLISHED) throw new Error(`${team.id} was told state ${outcome?.state}`);
      const version = outcome.publications[0]?.roles.find((role) => role.role === targetsRole)?.version ?? 0;
      const shown = versions.get(version) ?? delegationsOn(bare, gun, `${version}.${targetsRole}.json`);
      versions.set(version, shown);
      if ((await shown).get(roleOf(team.id)) === team.certificates.length) return true;
      throw new Error(`${team.id} was told PUBLISHED, but version ${version} of targets does not delegate to it`);
    },
  };
}
