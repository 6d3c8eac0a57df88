import { runQuickstart } from "../../scripts/story/run.ts";
import { seedCast } from "../../scripts/story/scene.ts";
import { story } from "../../scripts/story/story.ts";
import { without } from "./without.ts";

/** Run as a program: `--once` in a data directory, with one step of the story left out. */
const [directory = "", name = ""] = process.argv.slice(2);
process.exit(
  await runQuickstart(["--once", "--data-dir", directory], { chapters: without(story, name), cast: seedCast }),
);
