import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { Fault } from "../../src/errors.ts";
import type { TeamId } from "../../src/names.ts";
import type { SigningCertificate } from "../../src/teams/effects.ts";
import { signingCertificatesOf } from "../../src/teams/signing-certificates-store.ts";
import { lockTeamsShared, revisionsOf } from "../../src/teams/team-locks-store.ts";
import { ecPair, hex, makeCertificate } from "../x509/make-certificate.ts";
import { actsOf } from "./acts.ts";
import { type House, openHouse, teamId } from "./house.ts";

const rounds = 15;

describe("changes at the same moment", () => {
  let house: House;
  let act: ReturnType<typeof actsOf>;
  before(async () => {
    house = await openHouse();
    act = actsOf(house);
  });
  after(() => house.close());
  beforeEach(() => house.clear());
  const pem = (): string => makeCertificate(house.now()).pem;
  const idsOf = (certificates: readonly SigningCertificate[]): readonly string[] =>
    certificates.map((certificate) => certificate.certificateId);
  /** Runs all at once; answers the reasons of those that were refused. */
  const atOnce = async (acts: readonly Promise<unknown>[]): Promise<readonly string[]> => {
    const results = await Promise.allSettled(acts);
    return results.flatMap((result) => {
      if (result.status === "fulfilled") return [];
      if (result.reason instanceof Fault) return [result.reason.reason];
      throw result.reason;
    });
  };

  /** Each change of a team begins at the very set of keys the one before ended with, and its revision is the next one. */
  const assertUnbroken = async (team: string): Promise<void> => {
    const changes = house.effects.changes.filter((change) => change.team === team);
    let [revision, signers]: [bigint, readonly string[]] = [1n, []];
    for (const change of changes) {
      assert.equal(change.revision, revision + 1n, `${team}: no revision is skipped or given twice`);
      assert.deepEqual(idsOf(change.before), signers, `${team}: no change is lost at revision ${change.revision}`);
      [revision, signers] = [change.revision, idsOf(change.after)];
    }
    assert.equal(await act.revision(team), revision);
    assert.deepEqual(await act.signers(team), signers);
  };

  it("of one member and several teams lose no key and count every revision", async () => {
    for (const team of ["a", "b", "c"]) await act.create(team);
    for (const member of ["ann", "bob"]) await act.add("a", member);
    for (let round = 0; round < rounds; round++) {
      const { certificate } = await act.submit("ann", pem());
      const refusals = await atOnce([
        act.add("c", "ann"),
        act.add("b", "ann"),
        act.submit("ann", pem()),
        act.submit("bob", pem()),
        act.remove("a", "ann"),
        act.add("b", "bob"),
        act.revoke(certificate?.id ?? ""),
      ]);
      assert.deepEqual(
        refusals.filter((reason) => reason !== "CONFLICT"),
        [],
        "a removal whose teams changed under it may be asked for again, nothing else is refused",
      );
      await atOnce([act.remove("b", "ann"), act.remove("c", "ann"), act.add("a", "ann"), act.remove("b", "bob")]);
    }
    for (const team of ["a", "b", "c"]) await assertUnbroken(team);
    assert.ok(house.effects.changes.length > rounds * 5);
  });

  it("are seen whole by a delegation that holds the team", async () => {
    await act.create("qa");
    for (const member of ["ann", "bob", "cat"]) {
      await act.add("qa", member);
      await act.submit(member, pem());
    }
    const team = teamId("qa");
    const delegate = (): Promise<readonly [bigint, readonly string[]]> =>
      house.database.transaction(async (tx) => {
        const [locked] = await lockTeamsShared(tx, [team]);
        const signers = (await signingCertificatesOf(tx, [team])).get(team) ?? [];
        const revision = (await revisionsOf(tx, [team])).get(team) ?? 0n;
        assert.equal(revision, locked?.revision);
        return [revision, idsOf(signers)] as const;
      });
    const seen: (readonly [bigint, readonly string[]])[] = [];
    for (let round = 0; round < rounds; round++) {
      const looks = [delegate(), delegate(), delegate(), delegate()];
      const changes = ["ann", "bob", "cat"].map((member) =>
        round % 2 === 0 ? act.remove("qa", member) : act.add("qa", member),
      );
      assert.deepEqual(await atOnce(changes), []);
      seen.push(...(await Promise.all(looks)));
    }
    const signersAt = new Map(house.effects.changes.map((change) => [change.revision, idsOf(change.after)]));
    for (const [revision, signers] of seen) assert.deepEqual(signers, signersAt.get(revision), `revision ${revision}`);
    await assertUnbroken("qa");
  });

  it("wait for a delegation that holds the team", async () => {
    await act.create("qa");
    await act.add("qa", "ann");
    await act.submit("ann", pem());
    const team = teamId("qa");
    const later: Promise<unknown>[] = [];
    await house.database.transaction(async (tx) => {
      await lockTeamsShared(tx, [team]);
      const before = await act.signers("qa");
      later.push(act.submit("ann", pem()));
      await Promise.race([...later, waiterSeen()]);
      assert.deepEqual(idsOf((await signingCertificatesOf(tx, [team])).get(team) ?? []), before);
    });
    await Promise.all(later);
    assert.equal((await act.signers("qa")).length, 2);
  });

  const waiterSeen = async (): Promise<void> => {
    for (;;) {
      const row = await house.database.row<{ waiting: bigint }>(
        "select count(*) as waiting from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
      );
      if (row?.waiting !== 0n) return;
    }
  };

  it("give a key that two members submit to one of them", async () => {
    await act.create("qa");
    for (const member of ["ann", "bob"]) await act.add("qa", member);
    for (let round = 0; round < rounds; round++) {
      const keys = ecPair();
      const pems = ["01", "02"].map((serial) => makeCertificate(house.now(), { keys, serial: hex(serial) }).pem);
      const refusals = await atOnce([act.submit("ann", pems[0] ?? ""), act.submit("bob", pems[1] ?? "")]);
      assert.deepEqual(refusals, ["KEY_OWNED_BY_OTHER"]);
    }
    await assertUnbroken("qa");
  });

  it("never bring a revoked key back", async () => {
    await act.create("qa");
    await act.add("qa", "ann");
    for (let round = 0; round < rounds; round++) {
      const keys = ecPair();
      const [first = "", ...others] = ["01", "02", "03"].map(
        (serial) => makeCertificate(house.now(), { keys, serial: hex(serial) }).pem,
      );
      const { certificate } = await act.submit("ann", first);
      const refusals = await atOnce([
        ...others.map((other) => act.submit("ann", other)),
        act.revoke(certificate?.id ?? "", "LEFT"),
      ]);
      assert.ok(refusals.every((reason) => reason === "KEY_REVOKED"));
      assert.deepEqual(await act.signers("qa"), []);
    }
    await assertUnbroken("qa");
  });

  it("take one certificate once", async () => {
    await act.create("qa");
    await act.add("qa", "ann");
    const same = pem();
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => act.submit("ann", same)));
    assert.equal(new Set(answers.map((answer) => answer.certificate?.id)).size, 1);
    assert.equal(answers.filter((answer) => answer.outcome.state === "UNCHANGED").length, 4);
  });

  it("leave nobody in a team that is deleted", async () => {
    for (let round = 0; round < rounds; round++) {
      const team = `team-${round}`;
      await act.create(team);
      await act.add(team, "ann");
      const refusals = await atOnce([act.add(team, `guest-${round}`), act.drop(team), act.submit("ann", pem())]);
      assert.ok(refusals.every((reason) => reason === "NOT_FOUND"));
    }
    const left = await house.database.row<{ open: bigint }>(
      `select count(*) as open from memberships m join teams t on t.id = m.team_id
       where m.valid_to is null and t.deleted_at is not null`,
    );
    assert.equal(left?.open, 0n);
  });

  it("of many members of many teams end without a deadlock", async () => {
    const teams: readonly string[] = ["a", "b", "c", "d"];
    for (const team of teams) await act.create(team);
    const members = ["ann", "bob", "cat", "dan"];
    for (const member of members) for (const team of teams) await act.add(team, member);
    for (let round = 0; round < 5; round++) {
      assert.deepEqual(await atOnce(members.map((member) => act.submit(member, pem()))), []);
    }
    for (const team of teams) await assertUnbroken(team as TeamId);
    const stats = await house.database.row<{ deadlocks: bigint }>(
      "select deadlocks from pg_stat_database where datname = current_database()",
    );
    assert.equal(stats?.deadlocks, 0n);
  });
});
