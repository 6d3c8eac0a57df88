import { type Rollout, RolloutKind } from "../../gen/imagetrust/v1/change.ts";
import { nameOf } from "./json.ts";
import { details, table } from "./table.ts";
import { timeText } from "./words.ts";

/** A rollout and its counts. */
export function rolloutText(rollout: Rollout): string {
  return details([
    ["Rollout", rollout.id],
    ["Kind", nameOf(RolloutKind, rollout.kind)],
    ["Actor", rollout.actor],
    ["Reason", rollout.reason],
    ["Begun", timeText(rollout.createTime)],
    ["Finished", timeText(rollout.finishTime)],
    ["Stopped", rollout.cancelTime === undefined ? "" : timeText(rollout.cancelTime)],
    ["Collections", String(rollout.total)],
    ["Progress", countsText(rollout)],
  ]);
}

/** Its counts that are not 0, such as `480 published, 20 pending`. */
export function countsText(rollout: Rollout): string {
  const { published, pending, blocked, superseded, unchanged, cancelled, refused } = rollout;
  return Object.entries({ published, pending, blocked, refused, superseded, unchanged, cancelled })
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${count} ${name}`)
    .join(", ");
}

/** Rollouts, one a row, without what became of their collections. */
export function rolloutsText(rollouts: readonly Rollout[]): string {
  return table(
    ["ROLLOUT", "KIND", "ACTOR", "BEGUN", "FINISHED", "COLLECTIONS", "REASON"],
    rollouts.map(({ id, kind, actor, createTime, finishTime, cancelTime, total, reason }) => [
      id,
      nameOf(RolloutKind, kind),
      actor,
      timeText(createTime),
      timeText(finishTime) + (cancelTime === undefined ? "" : " (stopped)"),
      String(total),
      reason,
    ]),
  );
}
