import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { createLogNews } from "../../src/audit/log-news.ts";
import type { Database } from "../../src/database.ts";
import { Fault } from "../../src/errors.ts";
import type { Gun } from "../../src/names.ts";
import { type Watched, watchTrust } from "../../src/trust/signed/watch-trust.ts";
import { logDatabases } from "../audit/log-database.ts";
import { appendAll, nginx, sampleDraft } from "../audit/samples.ts";

/** More than is looked through at once. */
const strangers = 20_050n;
const quiet = "dtr.example.org/dev/quiet" as Gun;

describe("a watch of a log that is mostly of other things", () => {
  const openLog = logDatabases();
  let app: Database;
  before(async () => {
    const log = await openLog();
    app = log.app;
    await log.owner.transaction(async (tx) => {
      await tx.run(
        `insert into audit.entry(idx, event_id, subject_type, subject_id, subject_seq, occurred_at, sequenced_at, actor, method,
           event_type, result, severity, leaf)
         select n, gen_random_uuid(), 'team', 'qa', n, now(), now(), 'alice', 'm', 'team.created.v1', 'OK', 'NOTICE', '{}'
         from generate_series(0, :last) n`,
        { last: strangers - 1n },
      );
      await tx.run("update audit.log_state set size = :size", { size: strangers });
    });
    const drafts = Array.from({ length: 150 }, () => sampleDraft());
    const other = sampleDraft({ gun: quiet, subject: { type: "gun", id: quiet } });
    await appendAll(app, [...drafts, other]);
    await log.sequencer().sequenceOnce();
  });

  /** All that one call tells whose time is over when it begins. */
  async function watched(gun: Gun | "", from: bigint): Promise<readonly Watched[]> {
    const watching = { database: app, news: createLogNews(app), heartbeatMs: 1_000 };
    const call = { gun, from, until: Date.now() - 1, signal: new AbortController().signal };
    const messages: Watched[] = [];
    for await (const message of watchTrust(watching, call)) messages.push(message);
    return messages;
  }

  test("ends in time wherever it stands, says so, and goes on from there with nothing missed or twice", async () => {
    const indexes: bigint[] = [];
    const cursors = [0n];
    for (let size = 0n; size < strangers + 151n; size = cursors.at(-1) ?? 0n) {
      const messages = await watched("", size);
      indexes.push(...messages.flatMap(({ record }) => record?.index ?? []));
      const { next, record } = messages.at(-1) ?? assert.fail("it said nothing");
      assert.ok(record === undefined && next > size, `${next} after ${size}`);
      cursors.push(next);
      assert.ok(messages.length <= 101);
    }
    assert.deepEqual(cursors.slice(0, 3), [0n, 10_000n, 20_000n]);
    assert.deepEqual(
      indexes,
      Array.from({ length: 151 }, (_, at) => strangers + BigInt(at)),
    );
  });

  test("finds the few events of one repository at once, however many others there are", async () => {
    const [event, end, ...more] = await watched(quiet, 0n);
    assert.deepEqual([event?.record?.record.gun, event?.record?.index], [quiet, strangers + 150n]);
    assert.deepEqual([end, more], [{ next: strangers + 151n, record: undefined }, []]);
    assert.equal((await watched(nginx, strangers + 100n)).length, 51);
  });

  test("refuses a cursor beyond the end of the log, which would miss what comes", async () => {
    await assert.rejects(
      watched("", strangers + 152n),
      (error) => error instanceof Fault && error.reason === "INVALID_FIELD" && error.fields[0]?.field === "cursor",
    );
    assert.deepEqual(await watched("", strangers + 151n), [{ next: strangers + 151n, record: undefined }]);
  });
});
