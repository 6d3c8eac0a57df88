import type { Authorization, Call } from "../audit/call.ts";
import type { PermitEvery } from "../trust/rollouts/batch-delegate.ts";
import type { Edge } from "./edge.ts";
import { NotPermitted } from "./not-permitted.ts";
import { collection } from "./resource.ts";

/** After so many decisions other calls get their turn. */
const atOnce = 50;
const named = 20;

/** Refuses a call with NOT_PERMITTED unless its caller is permitted an action on every one of many repositories. */
export function permitEvery({ authorizer }: Edge, call: Call, action: string): PermitEvery {
  return async (guns) => {
    const denied: string[] = [];
    let first: Authorization | undefined;
    for (const [at, gun] of guns.entries()) {
      if (at % atOnce === atOnce - 1) await new Promise((resolve) => setImmediate(resolve));
      call.signal.throwIfAborted();
      const authorization = authorizer.decide(call.actor.id, action, collection(gun));
      if (authorization.decision === "ALLOW") continue;
      denied.push(gun);
      first ??= authorization;
    }
    if (first === undefined) return;
    const names = denied.slice(0, named).join(", ") + (denied.length > named ? ", ..." : "");
    const which = `${denied.length} of its ${guns.length} repositories`;
    const message = `No policy permits ${call.actor.id} to ${action} for ${which}: ${names}.`;
    throw new NotPermitted(first, message, { caller: call.actor.id, denied: String(denied.length) });
  };
}
