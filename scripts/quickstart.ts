import { runQuickstart } from "./story/run.ts";

process.exit(await runQuickstart(process.argv.slice(2)));
