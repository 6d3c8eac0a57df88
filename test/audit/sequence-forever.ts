import { createSequencer } from "../../src/audit/sequencer.ts";
import { openDatabase } from "../../src/database.ts";

/** A replica that does nothing but sequence, for tests that kill it. Says "ready" when it has begun. */
const database = openDatabase({ url: process.env["DATABASE_URL"] ?? "" });
createSequencer(database, console, () => new Date()).start();
process.stdout.write("ready\n");
