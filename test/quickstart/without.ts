import type { Chapter } from "../../scripts/story/chapter.ts";

/** The chapters with one step left out; throws when there is no such step. */
export function without(chapters: readonly Chapter[], name: string): readonly Chapter[] {
  const left = chapters.map((chapter) => ({ ...chapter, steps: chapter.steps.filter((step) => step.name !== name) }));
  if (countSteps(left) === countSteps(chapters)) throw new Error(`no step is called "${name}"`);
  return left;
}

function countSteps(chapters: readonly Chapter[]): number {
  return chapters.flatMap(({ steps }) => steps).length;
}
