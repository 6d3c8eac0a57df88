import { setTimeout as pause } from "node:timers/promises";
import { initialize } from "./collections.ts";
import { copyCollection } from "./copied-collections.ts";
import { defineMeasure, type Measure } from "./measure.ts";
import { cpuMsOf } from "./process-figures.ts";
import { gunOf, makeTeam } from "./teams.ts";

const name = "idle";
const mostPercent = 1;

/** What a service costs to which nothing happens: it follows, patrols and looks for what is due, of many collections. */
export const idle: Measure = defineMeasure({
  name,
  wanted: { ratio: 1, meaning: "at most" },
  full: { collections: 10_000, settleMs: 30_000, watchMs: 300_000 },
  short: { collections: 5, settleMs: 100, watchMs: 1_000 },
  run: (site, { collections, settleMs, watchMs }) =>
    site.withService(async (service) => {
      const [caller] = await service.callers(1);
      const team = await makeTeam(caller, `${name}-team`);
      const gun = gunOf(name, "ours", "first");
      await initialize(caller, gun, [team]);
      await copyCollection(gun, collections - 1, {
        serviceUrl: service.databaseUrl,
        notaryUrl: site.notary.databaseUrl,
      });
      await pause(settleMs);
      const before = await cpuMsOf(service.pid);
      const began = performance.now();
      await pause(watchMs);
      const usedMs = (await cpuMsOf(service.pid)) - before;
      const percent = Math.max(usedMs, 1) / ((performance.now() - began) / 100);
      return {
        ours: percent,
        peer: mostPercent,
        ratio: percent / mostPercent,
        unit: "% of a core",
        conditions:
          `CPU of the service's process over ${watchMs / 1_000} s with ${collections} collections of a team of 2, all live, their last ` +
          "patrols spread evenly over its six hours, and no call; against the limit. The collections but one were copied row by row, " +
          "on Notary too, so that patrol walks real files",
      };
    }),
});
