import { runStories } from "./run.ts";

process.exit(await runStories(process.argv.slice(2)));
