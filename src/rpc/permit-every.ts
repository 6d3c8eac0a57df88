import type { Call } from "../audit/call.ts";
import { Fault } from "../errors.ts";
import type { PermitEvery } from "../trust/rollouts/batch-delegate.ts";
import type { Edge } from "./edge.ts";
import { collection } from "./resource.ts";

/** After so many decisions other calls get their turn. */
const atOnce = 50;
const named = 20;

/** Refuses a call with NOT_PERMITTED unless its caller is permitted an action on every one of many repositories. */
export function permitEvery({ authorizer }: Edge, call: Call, action: string): PermitEvery {
  return async (guns) => {
    const denied: string[] = [];
    for (const [at, gun] of guns.entries()) {
      if (at % atOnce === atOnce - 1) await new Promise((resolve) => setImmediate(resolve));
      call.signal.throwIfAborted();
      if (authorizer.decide(call.actor.id, action, collection(gun)).decision === "DENY") denied.push(gun);
    }
    if (denied.length === 0) return;
    const names = denied.slice(0, named).join(", ") + (denied.length > named ? ", ..." : "");
    const which = `${denied.length} of its ${guns.length} repositories`;
    throw new Fault("NOT_PERMITTED", `No policy permits ${call.actor.id} to ${action} for ${which}: ${names}.`, {
      metadata: { action, caller: call.actor.id, denied: String(denied.length) },
    });
  };
}
