import type { Changing } from "../changes/mutation.ts";
import type { Authorities } from "../x509/authorities.ts";
import type { Effects } from "./effects.ts";

/** What the use cases on teams need from the house. */
export interface TeamRoom {
  readonly changing: Changing;
  readonly effects: Effects;
  /** Who may have issued members' certificates, as configured now; undefined: anybody. */
  readonly authorities: () => Authorities | undefined;
  /** Whether new teams take proved keys only, unless they are told otherwise. */
  readonly requiresPossessionProof: boolean;
}
