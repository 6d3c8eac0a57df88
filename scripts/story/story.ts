import { type Chapter, promises, type StoryPromise } from "./chapter.ts";
import { initializeAndDelegate } from "./initialize-and-delegate.ts";
import { listDelegations } from "./list-delegations.ts";
import { readAudit } from "./read-audit.ts";
import { refuseOutsider } from "./refuse-outsider.ts";
import type { Scene } from "./scene.ts";
import { signTag } from "./sign-tag.ts";
import { StoryFault } from "./story-fault.ts";

/** "Delegate image signing": IT ops initialize trust for a repository, and a member of team qa signs in it. */
export const story: readonly Chapter[] = [initializeAndDelegate, listDelegations, signTag, refuseOutsider, readAudit];

/** Plays every step in order. Throws StoryFault at the first that fails, and at the end for promises that were not kept. */
export async function tellStory(chapters: readonly Chapter[], scene: Scene): Promise<void> {
  const open = new Set<StoryPromise>(promises);
  for (const { title, opening, steps } of chapters) {
    scene.narrator.chapter(title);
    scene.narrator.tell(opening);
    for (const step of steps) {
      try {
        await step.play(scene);
      } catch (error) {
        if (!(error instanceof StoryFault)) throw error;
        throw new StoryFault(`"${step.name}": ${error.message}`, { cause: error });
      }
      if (step.keeps === undefined) continue;
      open.delete(step.keeps);
      scene.narrator.kept(step.keeps);
    }
  }
  if (open.size > 0) throw new StoryFault(`It ended without showing that ${[...open].join("; nor that ")}.`);
}
