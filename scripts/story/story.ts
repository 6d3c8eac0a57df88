import { initializeAndDelegate } from "./delegate.ts";
import type { Narrator } from "./narrator.ts";
import { readAudit } from "./read-audit.ts";
import { refuseOutsider } from "./refuse-outsider.ts";
import type { Scene } from "./scene.ts";
import { showDelegations } from "./show-delegations.ts";
import { signTag } from "./sign-tag.ts";
import { StoryFault } from "./story-fault.ts";

/** What must have been seen to be so by the end, however the story is told. */
export const promises = [
  "one publication initialized trust and delegated it",
  "both roles hold both members' keys, for all paths",
  "a member signed with the bundle's private key and what `member setup` printed, nothing else",
  "docker agrees, where it is",
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
  readonly steps: readonly Step[];
}

/** "Delegate image signing": IT ops initialize trust for a repository, and team qa signs in it. */
export const story: readonly Chapter[] = [
  initializeAndDelegate,
  showDelegations,
  signTag,
  refuseOutsider,
  readAudit,
];

/** Plays every step in order. Throws StoryFault at the first that fails, and at the end for promises that were not kept. */
export async function tellStory(chapters: readonly Chapter[], scene: Scene, narrator: Narrator): Promise<void> {
  const open = new Set<StoryPromise>(promises);
  for (const { title, steps } of chapters) {
    narrator.chapter(title);
    for (const step of steps) {
      try {
        await step.play(scene);
      } catch (error) {
        if (!(error instanceof StoryFault)) throw error;
        throw new StoryFault(`in the step "${step.name}": ${error.message}`, { cause: error });
      }
      if (step.keeps === undefined) continue;
      open.delete(step.keeps);
      narrator.kept(step.keeps);
    }
  }
  if (open.size > 0) throw new StoryFault(`it ended without showing that ${[...open].join("; nor that ")}.`);
}
