import { setTimeout as pause } from "node:timers/promises";
import { DelegationServiceService } from "../../gen/imagetrust/v1/delegation.ts";
import type { Caller } from "./caller.ts";

const lookAgainMs = 250;

/** Waits until a rollout has nothing pending. Throws unless it was published on every one of so many repositories. */
export async function followRollout(caller: Caller, id: string, repositories: number): Promise<void> {
  for (;;) {
    const { rollout } = await caller.call(DelegationServiceService.getRollout, { id, pageSize: 1 });
    if (rollout === undefined || rollout.blocked + rollout.refused > 0) throw new Error("the rollout is blocked");
    if (rollout.pending === 0) {
      if (rollout.published !== repositories) throw new Error(`only ${rollout.published} repositories were reached`);
      return;
    }
    await pause(lookAgainMs);
  }
}
