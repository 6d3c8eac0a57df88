import type { Call } from "../../audit/call.ts";
import type { ChangeOptions } from "../../changes/options.ts";
import type { PlanWarning } from "../../changes/plan.ts";
import { withinReadingTime } from "../../changes/reading-time.ts";
import type { Gun } from "../../names.ts";
import { effectOf, type NewestFiles } from "../guards/guard-effect.ts";
import { guardWarnings } from "../guards/guard-warnings.ts";
import type { CollectionChange } from "../planner.ts";

/** What a preview could learn, in the time it has, of what is signed on the repositories of a batch. */
export type Judged = ReadonlyMap<Gun, NewestFiles>;

const mostMs = 2_000;
const atOnce = 8;

/**
 * Reads what is signed on the first repositories of a batch, for two seconds at most and half of what the call has left; for previews
 * alone, since each repository is judged again when its turn comes. Undefined when nothing was asked.
 */
export async function judgeBatch(
  call: Call,
  { validateOnly }: ChangeOptions,
  guns: readonly Gun[],
  read: (gun: Gun, signal: AbortSignal) => Promise<NewestFiles>,
): Promise<Judged | undefined> {
  if (!validateOnly) return undefined;
  const judged = new Map<Gun, NewestFiles>();
  const turns = guns.values();
  const judge = async (signal: AbortSignal): Promise<void> => {
    for (const gun of turns) {
      if (signal.aborted) return;
      const newest = await read(gun, signal);
      // What the end of the time broke off was not judged.
      if (!signal.aborted) judged.set(gun, newest);
    }
  };
  await withinReadingTime(
    call,
    (signal) => Promise.all(Array.from({ length: Math.min(atOnce, guns.length) }, () => judge(signal))),
    mostMs,
  );
  return judged;
}

/** What the changes orphan or revive, as far as it was judged; what outlives them is told at each repository's turn. Beside the plan: it does not count for its etag. */
export function forecastWarnings(changes: readonly CollectionChange[], judged: Judged): readonly PlanWarning[] {
  const known = changes.flatMap((change) => {
    const newest = judged.get(change.after.gun);
    return newest === undefined ? [] : [effectOf({ change, newest, introduced: new Map() })];
  });
  return guardWarnings(known).map((warning) => ({ ...warning, isForecast: true }));
}

/** How many of a batch's repositories the guards judged, for the plan's summary. */
export function judgedWords(judged: Judged | undefined, repositories: number): string {
  if (judged === undefined || repositories === 0) return "";
  return ` The guards judged ${judged.size} of ${repositories} in time; each is judged again when its turn comes.`;
}
