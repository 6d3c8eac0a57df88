import type { ChangeOptions } from "../changes/options.ts";
import { Fault } from "../errors.ts";
import type { DelegationRow } from "./delegation-store.ts";

/** Refuses with ETAG_MISMATCH when the caller insists on another state of the delegation than the one held. */
export function requireDelegationEtag(options: ChangeOptions, held: DelegationRow | undefined): void {
  if (options.etag === "") return;
  const current = held === undefined ? "" : delegationEtag(held);
  if (options.etag === current) return;
  throw new Fault("ETAG_MISMATCH", "The delegation has changed since it was read; read it again and decide anew.", {
    metadata: { etag: current },
  });
}

/** Changes whenever the delegation is decided anew. */
export function delegationEtag(row: DelegationRow): string {
  return `${row.id}.${row.sinceGeneration}`;
}
