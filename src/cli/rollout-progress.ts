import type { Rollout } from "../../gen/imagetrust/v1/change.ts";
import { countsText } from "./rollout-text.ts";

/** How many of a rollout's collections are settled, as of a moment in milliseconds. */
interface Sample {
  readonly at: number;
  readonly settled: number;
}

/** Words the progress of one rollout from message to message; the rate is that of the last half minute it was watched. */
export interface ProgressLine {
  /** Such as `[####----] 480/1,000  48 %  12.5/s  42 s left  480 published, 519 pending, 1 refused`. */
  next(rollout: Rollout, now: number): string;
}

const rateOverMs = 30_000;
const width = 24;

export function createProgressLine(): ProgressLine {
  const samples: Sample[] = [];
  return {
    next: (rollout, now) => {
      const settled = rollout.total - rollout.pending - rollout.blocked;
      samples.push({ at: now, settled });
      while (samples.length > 2 && now - (samples[0]?.at ?? now) > rateOverMs) samples.shift();
      const rate = rateOf(samples);
      const share = rollout.total === 0 ? 1 : settled / rollout.total;
      const filled = Math.floor(share * width);
      return [
        `[${"#".repeat(filled)}${"-".repeat(width - filled)}]`,
        `${settled.toLocaleString("en")}/${rollout.total.toLocaleString("en")}`,
        `${Math.floor(share * 100)} %`,
        ...(rate === 0 ? [] : [`${rate.toFixed(1)}/s`]),
        ...(rate === 0 || rollout.pending === 0 ? [] : [`${durationText(rollout.pending / rate)} left`]),
        countsText(rollout),
      ].join("  ");
    },
  };
}

/** Collections settled in a second; 0 as long as it is not known. */
function rateOf(samples: readonly Sample[]): number {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || last.at === first.at) return 0;
  return Math.max(0, ((last.settled - first.settled) * 1_000) / (last.at - first.at));
}

function durationText(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
