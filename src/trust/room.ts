import type { Changing } from "../changes/mutation.ts";
import type { NotaryServers } from "../notary/directory.ts";
import type { GuardReader } from "./guards/guard-reading.ts";
import type { TrustReader } from "./trust-reading.ts";

/** What the use cases on collections and delegations need from the house. */
export interface TrustRoom {
  readonly changing: Changing;
  readonly notaries: NotaryServers;
  /** The key backend of new collections where the caller names none, and all there are. */
  readonly defaultKeyBackend: string;
  readonly keyBackends: ReadonlySet<string>;
  readonly guards: GuardReader;
  readonly reader: TrustReader;
}
