import type { Call } from "../../audit/call.ts";
import type { RecordDraft } from "../../audit/record.ts";
import { type Changed, makeChange } from "../../changes/mutation.ts";
import type { ChangeOptions } from "../../changes/options.ts";
import { nothingToPublish } from "../../changes/outcome.ts";
import { quietPlan } from "../../changes/plan.ts";
import type { Transaction } from "../../database.ts";
import { Fault } from "../../errors.ts";
import type { Gun, TeamId } from "../../names.ts";
import type { TrustRoom } from "../room.ts";
import type { PermitEvery } from "./batch-delegate.ts";
import { cancelBatchItems } from "./batch-store.ts";
import { noSuchRollout, type RolloutId } from "./rollout-view.ts";

export interface CancelRollout {
  readonly id: RolloutId;
  readonly options: ChangeOptions;
}

/**
 * Gives up what a batch has not begun; what it has decided stays. Repeating it changes nothing. `permit` must permit every repository
 * of the batch. A change of a team cannot be stopped: its one decision, who is in the team, holds for every repository already.
 */
export async function cancelRollout(
  room: TrustRoom,
  call: Call,
  request: CancelRollout,
  permit: PermitEvery,
): Promise<Changed> {
  const { changing } = room;
  const guns = await changing.database.rows<{ gun: Gun }>(
    `select c.gun from rollout_items i join collections c on c.id = i.collection_id where i.rollout_id = :id order by c.gun`,
    { id: request.id },
  );
  await permit(guns.map(({ gun }) => gun));
  return makeChange(changing, call, request.options, async (tx, now) => {
    const rollout = await lockRollout(tx, request.id);
    if (rollout === undefined) throw noSuchRollout(request.id);
    if (rollout.team === null) throw notCancellable(request.id, rollout.removes);
    const cancelled = await cancelBatchItems(tx, request.id, now);
    const changed = rollout.cancelledAt === null && rollout.finishedAt === null;
    if (changed) await tx.run("update rollouts set cancelled_at = :now where id = :id", { id: request.id, now });
    const kept = rollout.total - cancelled;
    const summary = changed
      ? `Stop rollout ${request.id}: ${cancelled} of its repositories are given up, ${kept} stay as decided.`
      : `Rollout ${request.id} has nothing left to stop.`;
    return {
      plan: quietPlan(summary),
      changed,
      commitment: nothingToPublish,
      resource: request.id,
      record: recordOf(request.id, rollout.team, changed ? summary : undefined, cancelled),
    };
  });
}

interface LockedRollout {
  readonly total: number;
  readonly finishedAt: Date | null;
  readonly cancelledAt: Date | null;
  /** Null for a change of teams. */
  readonly team: TeamId | null;
  readonly removes: boolean;
}

function lockRollout(tx: Transaction, id: RolloutId): Promise<LockedRollout | undefined> {
  return tx.row(
    `select r.total, r.finished_at as "finishedAt", r.cancelled_at as "cancelledAt",
       (select g.team_id from rollout_grants g where g.rollout_id = r.id) as team,
       exists (select from rollout_teams t where t.rollout_id = r.id and cardinality(t.keys_removed) > 0) as removes
     from rollouts r where r.id = :id for no key update of r`,
    { id },
  );
}

function notCancellable(id: RolloutId, removes: boolean): Fault {
  const why = removes
    ? "It takes keys away: stopping it would let a removed signer stay where it has not come yet."
    : "It brings one decision about who is in a team to every repository; stopped halfway, Notary would not show what is decided. Make the opposite change, such as RemoveMember.";
  return new Fault("ROLLOUT_NOT_CANCELLABLE", `Rollout ${id} is a change of a team and goes on. ${why}`, {
    metadata: { rollout: id },
  });
}

function recordOf(id: RolloutId, team: TeamId, diff: string | undefined, cancelled: number): RecordDraft {
  return {
    eventType: "rollout.cancelled.v1",
    stage: "RESULT",
    severity: "NOTICE",
    subject: { type: "team", id: team },
    about: [],
    result: "OK",
    resultReason: "",
    gun: undefined,
    change: { before: null, after: { rollout: id, cancelled }, diff: diff === undefined ? [] : [diff] },
    publication: undefined,
  };
}
