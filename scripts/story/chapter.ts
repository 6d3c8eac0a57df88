import type { Scene } from "./scene.ts";

/** What must have been seen to be so by the end, however the story is told. */
export const promises = [
  "one publication initialized trust and delegated it",
  "both roles hold both members' keys, for all paths",
  "a member signed with the bundle's private key and what `member setup` gave, nothing else",
  "docker agrees, where there is a docker",
  "the notary client refuses who was not delegated",
  "the Notary server refuses the same file, signed by the outsider and posted raw",
  "a viewer may not delegate",
  "the audit log tells all of it, the refusal included",
] as const;

export type StoryPromise = (typeof promises)[number];

/** One thing that somebody does, with everything that must come of it. */
export interface Step {
  readonly name: string;
  /** The promise that is kept when `play` has not thrown. */
  readonly keeps?: StoryPromise;
  /** Throws StoryFault when it does not go as it must. */
  play(scene: Scene): Promise<void>;
}

export interface Chapter {
  readonly title: string;
  /** What one must know to follow. */
  readonly opening: string;
  readonly steps: readonly Step[];
}
