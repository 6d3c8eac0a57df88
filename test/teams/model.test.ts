import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import fc from "fast-check";
import { Fault } from "../../src/errors.ts";
import { ecPair, hex, makeCertificate } from "../x509/make-certificate.ts";
import { actsOf } from "./acts.ts";
import { type House, openHouse } from "./house.ts";

const teams = ["a", "b", "c"];
const members = ["ann", "bob", "cat"];
/** Four keys with two certificates each. */
const certificates = [0, 1, 2, 3].flatMap((key) => {
  const keys = ecPair();
  return ["01", "02"].map((serial) => ({
    key,
    pem: makeCertificate(new Date(), { keys, serial: hex(serial) }).pem,
  }));
});

type Step =
  | { readonly act: "create" | "drop"; readonly team: string }
  | { readonly act: "add" | "remove"; readonly team: string; readonly member: string }
  | { readonly act: "submit"; readonly member: string; readonly certificate: number }
  | { readonly act: "revoke"; readonly certificate: number };

const team = fc.constantFrom(...teams);
const member = fc.constantFrom(...members);
const certificate = fc.nat(certificates.length - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ act: fc.constantFrom("create" as const), team }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constantFrom("drop" as const), team }) },
  { weight: 6, arbitrary: fc.record({ act: fc.constantFrom("add" as const), team, member }) },
  { weight: 3, arbitrary: fc.record({ act: fc.constantFrom("remove" as const), team, member }) },
  { weight: 6, arbitrary: fc.record({ act: fc.constantFrom("submit" as const), member, certificate }) },
  { weight: 4, arbitrary: fc.record({ act: fc.constantFrom("revoke" as const), certificate }) },
);

/** Every sequence begins with somebody to change. */
const beginning: readonly Step[] = [
  { act: "create", team: "a" },
  { act: "create", team: "b" },
  { act: "add", team: "a", member: "ann" },
  { act: "add", team: "b", member: "bob" },
  { act: "submit", member: "ann", certificate: 0 },
];

/** What the promises say, in memory and one step at a time. */
class Model {
  readonly teams = new Map<string, { readonly members: Set<string>; deleted: boolean; revision: bigint }>();
  readonly members = new Set<string>();
  readonly owners = new Map<number, string>();
  readonly revoked = new Set<number>();
  readonly submitted = new Set<number>();

  signersOf(id: string): readonly number[] {
    const found = this.teams.get(id);
    return [...certificates.keys()].filter((index) => {
      if (!this.submitted.has(index)) return false;
      const key = certificates[index]?.key ?? -1;
      return found?.members.has(this.owners.get(key) ?? "") === true && !this.revoked.has(key);
    });
  }

  /** Takes the step: the reason of its refusal, or whether it changes anything. */
  take(wish: Step): string {
    const before = new Map([...this.teams.keys()].map((id) => [id, this.signersOf(id).join()]));
    const result = this.#apply(wish);
    for (const [id, found] of this.teams) {
      // The deletion of a team ends it: nobody may sign for it any more, and no revision tells so.
      const moved = before.has(id) && before.get(id) !== this.signersOf(id).join() && !found.deleted;
      if (moved) found.revision += 1n;
    }
    return result;
  }

  #apply(wish: Step): string {
    switch (wish.act) {
      case "create":
        return this.#create(wish.team);
      case "drop":
        return this.#drop(wish.team);
      case "add":
        return this.#add(wish.team, wish.member);
      case "remove":
        return this.#remove(wish.team, wish.member);
      case "submit":
        return this.#submit(wish.member, wish.certificate);
      case "revoke":
        return this.#revoke(wish.certificate);
    }
  }

  #create(id: string): string {
    const found = this.teams.get(id);
    if (found !== undefined) return found.deleted ? "TEAM_ID_RETIRED" : "UNCHANGED";
    this.teams.set(id, { members: new Set(), deleted: false, revision: 1n });
    return "CHANGED";
  }

  #drop(id: string): string {
    const found = this.teams.get(id);
    if (found === undefined) return "NOT_FOUND";
    if (found.deleted) return "UNCHANGED";
    found.deleted = true;
    found.members.clear();
    return "CHANGED";
  }

  #add(id: string, who: string): string {
    const found = this.teams.get(id);
    if (found === undefined || found.deleted) return "NOT_FOUND";
    if (found.members.has(who)) return "UNCHANGED";
    this.members.add(who);
    found.members.add(who);
    return "CHANGED";
  }

  #remove(id: string, who: string): string {
    const found = this.teams.get(id);
    if (found === undefined || found.deleted || !this.members.has(who)) return "NOT_FOUND";
    return found.members.delete(who) ? "CHANGED" : "UNCHANGED";
  }

  #submit(who: string, index: number): string {
    const key = certificates[index]?.key ?? -1;
    if (!this.members.has(who)) return "NOT_FOUND";
    if ((this.owners.get(key) ?? who) !== who) return "KEY_OWNED_BY_OTHER";
    if (this.revoked.has(key)) return "KEY_REVOKED";
    if (this.submitted.has(index)) return "UNCHANGED";
    this.owners.set(key, who);
    this.submitted.add(index);
    return "CHANGED";
  }

  #revoke(index: number): string {
    const key = certificates[index]?.key ?? -1;
    if (!this.submitted.has(index)) return "NOT_FOUND";
    if (this.revoked.has(key)) return "UNCHANGED";
    this.revoked.add(key);
    return "CHANGED";
  }
}

describe("any sequence of changes", () => {
  let house: House;
  let act: ReturnType<typeof actsOf>;
  before(async () => {
    house = await openHouse();
    act = actsOf(house);
  });
  after(() => house.close());

  it("keeps one member to a key, no revoked key in any team, and every team's keys as the promises say", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 15, maxLength: 40, size: "max" }), async (steps) => {
        await house.clear();
        const model = new Model();
        const ids = new Map<number, string>();
        for (const wish of [...beginning, ...steps]) {
          const expected = model.take(wish);
          assert.equal(await resultOf(wish, ids), expected, JSON.stringify(wish));
          for (const id of teams) await assertTeam(id, model, ids);
        }
        await assertHistory();
      }),
      { numRuns: 15 },
    );
  });

  const resultOf = async (wish: Step, ids: Map<number, string>): Promise<string> => {
    try {
      const { outcome } = await run(wish, ids);
      return outcome.state === "UNCHANGED" ? "UNCHANGED" : "CHANGED";
    } catch (error) {
      if (error instanceof Fault) return error.reason;
      throw error;
    }
  };

  const run = async (
    wish: Step,
    ids: Map<number, string>,
  ): Promise<{ readonly outcome: { readonly state: string } }> => {
    switch (wish.act) {
      case "create":
        return await act.create(wish.team);
      case "drop":
        return await act.drop(wish.team);
      case "add":
        return await act.add(wish.team, wish.member);
      case "remove":
        return await act.remove(wish.team, wish.member);
      case "revoke":
        return await act.revoke(ids.get(wish.certificate) ?? "00000000-0000-4000-8000-000000000000");
      case "submit": {
        const { certificate: taken, outcome } = await act.submit(
          wish.member,
          certificates[wish.certificate]?.pem ?? "",
        );
        if (taken !== undefined) ids.set(wish.certificate, taken.id);
        return { outcome };
      }
    }
  };

  const assertTeam = async (id: string, model: Model, ids: Map<number, string>): Promise<void> => {
    const expected = new Set(model.signersOf(id).map((index) => ids.get(index)));
    assert.deepEqual(new Set(await act.signers(id)), expected, `signers of ${id}`);
    assert.equal(await act.revision(id), model.teams.get(id)?.revision, `revision of ${id}`);
  };

  /** Nothing is ever deleted, intervals of one membership do not overlap, and what is revoked has ended. */
  const assertHistory = async (): Promise<void> => {
    const faults = await house.database.row<{ overlapping: bigint; unended: bigint }>(
      `select
         (select count(*) from memberships m join memberships n on n.team_id = m.team_id and n.member_id = m.member_id
           and n.id > m.id and n.valid_from < coalesce(m.valid_to, 'infinity')) as overlapping,
         (select count(*) from certificates c join signing_keys k using (canonical_key_id)
           where (c.valid_to is null) <> (k.revoked_at is null)) as unended`,
    );
    assert.deepEqual(faults, { overlapping: 0n, unended: 0n });
  };
});
