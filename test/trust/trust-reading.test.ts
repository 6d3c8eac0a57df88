import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import type { Database } from "../../src/database.ts";
import type { Gun } from "../../src/names.ts";
import { deleteTrust } from "../../src/trust/delete-trust.ts";
import { createTrustReader, readTrust, type TrustReader } from "../../src/trust/trust-reading.ts";
import { getTrust, type Trust } from "../../src/trust/trust-view.ts";
import { giveKey, removeFrom, revokeKeyOf, undelegateFrom } from "./acts.ts";
import {
  delegateTo,
  gunOf,
  type House,
  initialize,
  joinTeam,
  makeCall,
  makeTeam,
  noOptions,
  openHouse,
  type Replica,
} from "./house.ts";
import { pushSigned } from "./signers.ts";

let house: House;
let other: Replica;
let readers: readonly TrustReader[];
before(async () => {
  house = await openHouse();
  other = house.another();
  readers = [house.core.trust.reader, other.core.trust.reader];
});
after(async () => {
  await other.stop();
  await house.stop();
});

/** Both replicas answer with what is built anew, and with the same object as long as nothing changes. Answers the view. */
async function assertCurrent(gun: Gun): Promise<Trust> {
  for (;;) {
    const before = await getTrust(house.database, gun);
    const answers = await Promise.all(readers.map((reader) => readTrust(reader, gun)));
    const again = await Promise.all(readers.map((reader) => readTrust(reader, gun)));
    const after = await getTrust(house.database, gun);
    // The publisher works beside: a view that changed meanwhile says nothing.
    if (!isDeepStrictEqual(before, after) || again.some((one, at) => one !== answers[at])) continue;
    for (const answer of answers) assert.deepEqual(answer, before);
    return before;
  }
}

const change = (gun: Gun, set: string) => () =>
  house.database.run(`update collections set ${set} where gun = :gun`, { gun });

test("after every kind of change each replica answers with the view as built anew", async (t) => {
  const gun = gunOf("dtr.example.org/reading/walk");
  const { core } = house;
  const [ann] = await makeTeam(core, "qa", ["ann"]);
  await makeTeam(core, "ops", ["olga"]);
  if (ann === undefined) throw new Error("a team has no member");
  const noWait = { ...noOptions, noWait: true };
  const steps: readonly (readonly [string, () => Promise<unknown>])[] = [
    ["trust that is decided", () => initialize(core, gun, ["qa"], noWait)],
    ["trust that is live", () => initialize(core, gun, ["qa"])],
    ["a delegation", () => delegateTo(core, gun, "ops")],
    ["a delegation decided anew", () => delegateTo(core, gun, "ops", {}, makeCall(), true)],
    ["a member's further key", () => giveKey(core, "ann")],
    ["a further member", () => joinTeam(core, "ops", "ann")],
    ["a member that left", () => removeFrom(core, "ops", "ann")],
    ["a revoked key", () => revokeKeyOf(core, "olga", { acceptWithoutSigner: true })],
    ["a key after it", () => giveKey(core, "olga")],
    [
      "a file that a member signed",
      async () => {
        await pushSigned(core, [ann], { gun, role: "targets/qa", version: 1, tags: ["1.0"] });
        // A guard reads Notary before a change is refused or made, and remembers the file.
        await undelegateFrom(core, gun, "qa", { validateOnly: true, acceptOrphaned: true });
      },
    ],
    ["a delegation that ended", () => undelegateFrom(core, gun, "ops", { acceptOrphaned: true })],
    [
      "a block",
      async () => {
        // It would find nothing wrong on Notary and end the block.
        await core.publisher.stop();
        await change(gun, "block_reason = 'FOREIGN_CHANGE', block_detail = 'other targets', blocked_at = now()")();
      },
    ],
    ["a decision while blocked", () => delegateTo(core, gun, "ops", noWait)],
    ["the end of a block", change(gun, "block_reason = null, block_detail = null, blocked_at = null")],
    ["labels and a name", change(gun, `labels = '{"a":"b"}', display_name = 'a "name", and more'`)],
  ];
  let known: Trust | undefined;
  for (const [name, act] of steps) {
    await t.test(name, async () => {
      await act();
      const view = await assertCurrent(gun);
      assert.notDeepEqual(view, known, "the step changed nothing");
      known = view;
    });
  }
});

test("trust that is given up and begun again is read as such by each replica", async () => {
  const gun = gunOf("dtr.example.org/reading/lives");
  assert.deepEqual(await Promise.all(readers.map((reader) => reader.find(gun))), [undefined, undefined]);
  await house.core.publisher.stop();
  await makeTeam(house.core, "again");
  const decided = async (): Promise<Trust> => {
    await initialize(house.core, gun, ["again"], { noWait: true });
    return await assertCurrent(gun);
  };
  const first = await decided();
  await deleteTrust(house.core.trust, makeCall(), { gun, options: noOptions });
  assert.equal((await assertCurrent(gun)).state, "DELETED");
  const second = await decided();
  assert.notEqual(first.etag, second.etag);
});

test("no replica's read misses a change that was answered before it, while others read", async () => {
  const gun = gunOf("dtr.example.org/reading/newest");
  await initialize(house.core, gun, [], { noWait: true });
  const numberOf = async (reader: TrustReader) => Number((await readTrust(reader, gun)).displayName || 0);
  const over = new AbortController();
  const reading = readers.map(async (reader) => {
    while (!over.signal.aborted) await Promise.all([numberOf(reader), numberOf(reader)]);
  });
  for (let number = 1; number <= 150; number++) {
    await other.database.run("update collections set display_name = :name where gun = :gun", {
      name: `${number}`,
      gun,
    });
    assert.deepEqual(await Promise.all(readers.map(numberOf)), [number, number]);
  }
  over.abort();
  await Promise.all(reading);
});

/** A database whose first transaction waits to begin, and waits again before what it read is told. */
function holding(database: Database) {
  const [asked, begin, read, tell] = Array.from({ length: 4 }, () => Promise.withResolvers<void>());
  if (!(asked && begin && read && tell)) throw new Error("there are four");
  let isFirst = true;
  const held: Database = {
    ...database,
    transaction: async (work, options) => {
      if (!isFirst) return await database.transaction(work, options);
      isFirst = false;
      asked.resolve();
      await begin.promise;
      const result = await database.transaction(work, options);
      read.resolve();
      await tell.promise;
      return result;
    },
  };
  return { held, asked: asked.promise, begin: begin.resolve, read: read.promise, tell: tell.resolve };
}

for (const [name, back] of [
  ["changed", "renamed again"],
  ["changed and changed back", "first"],
] as const) {
  test(`a call is not told what another call read before it, where the view ${name} meanwhile`, async () => {
    const gun = gunOf(`dtr.example.org/reading/held-${back.replaceAll(" ", "-")}`);
    await initialize(house.core, gun, [], { noWait: true });
    const rename = (to: string) => change(gun, `display_name = '${to}'`)();
    await rename("first");
    const { held, asked, begin, read, tell } = holding(house.database);
    const reader = createTrustReader(held);
    const early = readTrust(reader, gun);
    await asked;
    await rename("second");
    begin();
    await read;
    await rename(back);
    const late = readTrust(reader, gun);
    // The late call has its stamp, and waits for the view, before a later question is answered.
    await reader.find(gunOf("dtr.example.org/reading/none"));
    tell();
    assert.equal((await late).displayName, back);
    await early;
  });
}
