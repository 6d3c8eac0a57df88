import { setTimeout as pause } from "node:timers/promises";
import { DelegationServiceService } from "../../gen/imagetrust/v1/delegation.ts";
import type { Caller } from "./caller.ts";

const lookAgainMs = 250;

/** Waits until a rollout has nothing pending; throws unless it reached every repository. */
export async function requireRolledOut(caller: Caller, id: string, repositories: number): Promise<void> {
  for (;;) {
    const { rollout } = await caller.call(DelegationServiceService.getRollout, { id, pageSize: 1 });
    if (rollout === undefined || rollout.blocked > 0) throw new Error("the rollout is blocked");
    if (rollout.pending === 0) {
      if (rollout.published !== repositories) throw new Error(`only ${rollout.published} repositories were reached`);
      return;
    }
    await pause(lookAgainMs);
  }
}
