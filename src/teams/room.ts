import type { Changing } from "../changes/mutation.ts";
import type { Effects } from "./effects.ts";

/** What the use cases on teams need from the house. */
export interface TeamRoom {
  readonly changing: Changing;
  readonly effects: Effects;
}
