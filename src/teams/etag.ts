import type { ChangeOptions } from "../changes/options.ts";
import { Fault } from "../errors.ts";

/** The etag of a thing at that version of its row. */
export function etagOf(version: bigint): string {
  return String(version);
}

/** Refuses with ETAG_MISMATCH when the caller insists on another version; `version` is undefined for what does not exist. */
export function requireEtag(options: ChangeOptions, version: bigint | undefined): void {
  if (options.etag === "") return;
  const current = version === undefined ? "" : etagOf(version);
  if (options.etag === current) return;
  throw new Fault("ETAG_MISMATCH", "The etag is no longer current; read again and decide anew.", {
    metadata: { etag: current },
  });
}
