import { type Rollout, RolloutKind } from "../../gen/imagetrust/v1/change.ts";
import { nameOf } from "./json.ts";
import { details } from "./table.ts";
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
    ["Collections", String(rollout.total)],
    ["Progress", countsText(rollout)],
  ]);
}

/** Its counts that are not 0, such as `480 published, 20 pending`. */
export function countsText(rollout: Rollout): string {
  const { published, pending, blocked, superseded, unchanged, cancelled } = rollout;
  return Object.entries({ published, pending, blocked, superseded, unchanged, cancelled })
    .filter(([, count]) => count > 0)
    .map(([name, count]) => `${count} ${name}`)
    .join(", ");
}
