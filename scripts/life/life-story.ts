import type { Stage } from "./stage.ts";

/** What can happen to a delegation, from its beginning to its end, with the notary command as a witness. */
export interface LifeStory {
  /** As the command line takes it. */
  readonly name: string;
  readonly title: string;
  /** What one must know to follow. */
  readonly opening: string;
  /** What was seen to be so when `play` has not thrown. */
  readonly shows: string;
  /** Throws StoryFault when something does not go as it must. */
  play(stage: Stage): Promise<void>;
}
