import { setTimeout as pause } from "node:timers/promises";
import { delegate, initialize } from "./collections.ts";
import { defineMeasure, type Measure } from "./measure.ts";
import { median, share } from "./pairs.ts";
import { residentMbOf } from "./process-figures.ts";
import { gunOf, makeTeams } from "./teams.ts";

const name = "memory";
const mostMb = 80;
const callerCount = 8;

/** Resident memory of the service above what it takes when idle, at its greatest, with many collections and publications. */
export const memory: Measure = defineMeasure({
  name,
  wanted: { ratio: 1, meaning: "at most" },
  full: { collections: 5_000, publications: 2_000, idleMs: 10_000 },
  short: { collections: 4, publications: 8, idleMs: 200 },
  run: async (site, { collections, publications, idleMs }) =>
    site.withService(async (service) => {
      const idle = await watch(service.pid, () => pause(idleMs));
      const callers = await service.callers(callerCount);
      const rounds = Math.ceil(publications / collections);
      const teams = await makeTeams(callers[0], `${name}-`, 1 + Math.max(4, rounds));
      const guns = Array.from({ length: collections }, (_, number) => gunOf(name, "ours", number));
      const laid = await watch(service.pid, () =>
        share(guns, callers, (caller, gun) => initialize(caller, gun, teams.slice(0, 1))),
      );
      const wishes = Array.from({ length: publications }, (_, number) => ({
        gun: guns[number % collections] ?? "",
        team: teams[1 + Math.floor(number / collections)],
      }));
      const published = await watch(service.pid, () =>
        share(wishes, callers, async (caller, { gun, team }) => {
          if (team !== undefined) await delegate(caller, gun as (typeof guns)[number], team);
        }),
      );
      const above = Math.max(...laid, ...published) - median(idle);
      const quarter = Math.ceil(published.length / 4);
      const growth = median(published.slice(-quarter)) - median(published.slice(0, quarter));
      return {
        ours: above,
        peer: mostMb,
        ratio: above / mostMb,
        unit: "MB above idle",
        conditions:
          `greatest resident memory against the limit; idle ${median(idle).toFixed(0)} MB (median), ${collections} collections ` +
          `initialized through the API ${Math.max(...laid).toFixed(0)} MB (greatest), then ${publications} Delegate publications ` +
          `${Math.max(...published).toFixed(0)} MB (greatest) with ${growth.toFixed(1)} MB between the medians of their first and ` +
          `last quarter; ${callerCount} callers`,
      };
    }),
});

const everyMs = 100;

/** Samples of a process's resident memory, in MB, for as long as the work takes. */
async function watch(pid: number, work: () => Promise<unknown>): Promise<readonly number[]> {
  const samples = [await residentMbOf(pid)];
  let working = true;
  const sampling = (async () => {
    while (working) {
      await pause(everyMs);
      samples.push(await residentMbOf(pid));
    }
  })();
  try {
    await work();
  } finally {
    working = false;
  }
  await sampling;
  return samples;
}
