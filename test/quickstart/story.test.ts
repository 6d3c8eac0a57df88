import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { after, before, test } from "node:test";
import { type LocalStack, startStack } from "../../scripts/stack/stack.ts";
import { promises } from "../../scripts/story/chapter.ts";
import { createNarrator, type Narrator } from "../../scripts/story/narrator.ts";
import { type Scene, setScene } from "../../scripts/story/scene.ts";
import { story, tellStory } from "../../scripts/story/story.ts";
import { makeFolder, removeFolder } from "../stack/folder.ts";
import { without } from "./without.ts";

let folder: string;
let stack: LocalStack;

before(async () => {
  folder = await makeFolder("story");
  stack = await startStack(folder);
});
after(async () => {
  await stack.stop();
  await removeFolder(folder);
});

const steps = story.flatMap((chapter) => chapter.steps);

function collector(): { readonly narrator: Narrator; readonly text: () => string } {
  let text = "";
  const stream = new Writable({
    write: (chunk, _, done) => {
      text += String(chunk);
      done();
    },
  });
  return { narrator: createNarrator(stream, false), text: () => text };
}

/** A scene about a repository, a team and people of its own. */
function freshScene(name: string, narrator: Narrator): Promise<Scene> {
  const cast = {
    gun: `dtr.example.org/dev/${name}`,
    team: `qa-${name}`,
    members: [`alice-${name}`, `bob-${name}`] as const,
    outsider: `mallory-${name}`,
  };
  return setScene(folder, cast, stack, narrator);
}

test("every promise is kept by one step", () => {
  assert.deepEqual(steps.flatMap((step) => step.keeps ?? []).sort(), [...promises].sort());
});

for (const step of steps.filter(({ keeps }) => keeps !== undefined)) {
  test(`the story fails at its end without the step "${step.name}"`, async () => {
    const idle = story.map((chapter) => ({
      ...chapter,
      steps: chapter.steps.map((each) => ({ ...each, play: () => Promise.resolve() })),
    }));
    const scene = { narrator: collector().narrator } as Scene;
    await tellStory(idle, scene);
    await assert.rejects(tellStory(without(idle, step.name), scene), {
      name: "StoryFault",
      message: new RegExp(`without showing that ${step.keeps}`),
    });
  });
}

for (const [index, step] of steps.filter(({ keeps }) => keeps === undefined).entries()) {
  test(`a later step fails without the step "${step.name}"`, async () => {
    const { narrator, text } = collector();
    const scene = await freshScene(`without-${index}`, narrator);
    await assert.rejects(tellStory(without(story, step.name), scene), { name: "StoryFault" }, text());
  });
}
