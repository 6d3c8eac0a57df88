import { after, before } from "node:test";
import { createSequencer, type Sequencer } from "../../src/audit/sequencer.ts";
import { type Database, openDatabase } from "../../src/database.ts";
import { borrowPostgres, type SharedPostgres } from "../stack/shared-postgres.ts";
import { strictLog } from "./samples.ts";

/** One empty log in a database of its own, seen as the role that serves and as the owner. */
export interface LogDatabase {
  readonly app: Database;
  readonly owner: Database;
  readonly appUrl: string;
  /** A sequencer with a pool of its own, as another replica has it. */
  sequencer(options?: {
    log?: ReturnType<typeof strictLog>;
    now?: () => Date;
    pollMs?: number;
    uptimeMs?: () => number;
  }): Sequencer;
}

/** Starts a PostgreSQL for the suite it is called in; answers what makes a log. All is stopped and closed after the suite. */
export function logDatabases(): () => Promise<LogDatabase> {
  const databases: Database[] = [];
  const sequencers: Sequencer[] = [];
  let postgres: SharedPostgres | undefined;
  before(async () => {
    postgres = await borrowPostgres();
  });
  after(async () => {
    await Promise.all(sequencers.map((sequencer) => sequencer.stop()));
    await Promise.all(databases.map((database) => database.close()));
    await postgres?.stop();
  });
  const open = (url: string): Database => {
    const database = openDatabase({ url });
    databases.push(database);
    return database;
  };
  return async () => {
    if (postgres === undefined) throw new Error("The suite has not begun.");
    const { appUrl, ownerUrl } = await postgres.createDatabase();
    return {
      app: open(appUrl),
      owner: open(ownerUrl),
      appUrl,
      sequencer: ({ log = strictLog(), now = () => new Date(), pollMs, uptimeMs } = {}) => {
        const sequencer = createSequencer(open(appUrl), log, now, pollMs, uptimeMs);
        sequencers.push(sequencer);
        return sequencer;
      },
    };
  };
}
