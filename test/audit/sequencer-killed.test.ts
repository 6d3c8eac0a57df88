import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { describe, test } from "node:test";
import type { Database } from "../../src/database.ts";
import { checkLog } from "./check-log.ts";
import { type LogDatabase, logDatabases } from "./log-database.ts";
import { appendAll, sampleDraft, until } from "./samples.ts";

const kills = 4;

describe("a sequencer killed with -9", () => {
  const openLog = logDatabases();

  test("loses and doubles nothing, however often it dies under load", async () => {
    const log = await openLog();
    const finish = new AbortController();
    const writers = [0, 1].map((writer) => appendUntil(log.app, `w${writer}`, finish.signal));
    try {
      for (let kill = 0; kill < kills; kill++) {
        const before = await sizeOf(log.app);
        const child = await startReplica(log);
        await until(async () => (await sizeOf(log.app)) > before, "the replica moved a batch");
        await killReplica(child);
      }
    } finally {
      finish.abort();
    }
    const written = (await Promise.all(writers)).flat();
    const sequencer = log.sequencer();
    while ((await waitingOf(log.app)) > 0) await sequencer.sequenceOnce();
    const { types } = await checkLog(log.app);
    assert.deepEqual([...types].sort(), written.sort());
  });

  const steps = [
    { table: "audit.intake", step: "before it removes what it moves", records: 20 },
    { table: "audit.entry", step: "before it inserts entries", records: 20 },
    { table: "audit.entry_about", step: "between entries and lists", records: 20 },
    { table: "audit.subjects", step: "before it saves the heads", records: 20 },
    { table: "audit.time_index", step: "before it indexes times", records: 1_023 },
  ];
  for (const { table, step, records } of steps) {
    test(`leaves no trace of its batch when it dies ${step}`, async () => {
      const log = await openLog();
      await appendAll(log.app, [sampleDraft()]);
      assert.equal(await log.sequencer().sequenceOnce(), 1);
      await log.app.transaction((tx) => appendMany({ transaction: (work) => work(tx) }, records));
      await log.owner.transaction(async (tx) => {
        await tx.run(`lock table ${table} in share mode`);
        const child = await startReplica(log);
        await until(() => isBlockedOn(log.owner, table), `the replica stands before ${table}`);
        await killReplica(child);
      });
      await until(async () => !(await isBlockedOn(log.owner, table)), "the dead replica's transaction ended");
      assert.equal((await checkLog(log.app)).size, 1);
      const sequencer = log.sequencer();
      while ((await waitingOf(log.app)) > 0) await sequencer.sequenceOnce();
      assert.equal((await checkLog(log.app)).size, records + 1);
    });
  }
});

async function appendUntil(app: Database, name: string, finish: AbortSignal): Promise<readonly string[]> {
  const types: string[] = [];
  while (!finish.aborted) {
    const eventType = `${name}.n${types.length}.v1`;
    await appendAll(app, [sampleDraft({ eventType, subject: { type: "team", id: `t${types.length % 5}` } })]);
    types.push(eventType);
  }
  return types;
}

function appendMany(database: Pick<Database, "transaction">, records: number): Promise<void> {
  return appendAll(
    database,
    Array.from({ length: records }, () => sampleDraft()),
  );
}

async function startReplica(log: LogDatabase): Promise<ChildProcess> {
  const script = new URL("sequence-forever.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [script], {
    env: { ...process.env, DATABASE_URL: log.appUrl },
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (child.stdout !== null) await once(child.stdout, "data");
  return child;
}

async function killReplica(child: ChildProcess): Promise<void> {
  const ended = once(child, "exit");
  child.kill("SIGKILL");
  await ended;
}

async function sizeOf(db: Database): Promise<bigint> {
  return (await db.row<{ size: bigint }>("select size from audit.log_state"))?.size ?? 0n;
}

async function waitingOf(db: Database): Promise<number> {
  return (await db.rows("select from audit.intake limit 1")).length;
}

async function isBlockedOn(db: Database, table: string): Promise<boolean> {
  const row = await db.row("select from pg_locks where not granted and relation = :table::regclass", { table });
  return row !== undefined;
}
