import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import type { ChangeOptions } from "../../src/changes/options.ts";
import type { Outcome } from "../../src/changes/outcome.ts";
import { makeCertificate } from "../x509/make-certificate.ts";
import { actsOf, assertRefused } from "./acts.ts";
import { type House, openHouse } from "./house.ts";

interface Mutation {
  readonly name: string;
  /** The version of the thing whose etag counts; 0 when the mutation makes it. */
  readonly version: bigint;
  readonly act: (options: Partial<ChangeOptions>) => Promise<{ readonly outcome: Outcome }>;
}

describe("every mutation of teams", () => {
  let house: House;
  let act: ReturnType<typeof actsOf>;
  let mutations: readonly Mutation[];
  before(async () => {
    house = await openHouse();
    act = actsOf(house);
  });
  after(() => house.close());
  beforeEach(async () => {
    await house.clear();
    await act.create("qa");
    await act.create("old");
    await act.add("qa", "ann");
    const { certificate } = await act.submit("ann", makeCertificate(house.now()).pem);
    const further = makeCertificate(house.now()).pem;
    const id = certificate?.id ?? "";
    mutations = [
      { name: "createTeam", version: 0n, act: (options) => act.create("new", options) },
      { name: "deleteTeam", version: 1n, act: (options) => act.drop("old", options) },
      { name: "addMember of a new member", version: 0n, act: (options) => act.add("qa", "bob", options) },
      { name: "addMember of a known member", version: 2n, act: (options) => act.add("old", "ann", options) },
      { name: "removeMember", version: 2n, act: (options) => act.remove("qa", "ann", options) },
      { name: "submitCertificate", version: 2n, act: (options) => act.submit("ann", further, options) },
      { name: "revokeCertificate", version: 2n, act: (options) => act.revoke(id, "LEFT", options) },
    ];
  });
  const each = async (check: (mutation: Mutation) => Promise<void>, names = /./): Promise<void> => {
    const chosen = mutations.filter((mutation) => names.test(mutation.name));
    assert.ok(chosen.length > 0);
    for (const mutation of chosen) await check(mutation);
  };

  it("with validate_only plans the same, changes no row and keeps the record of the question", async () => {
    await each(async ({ name, act: mutate }) => {
      const rows = await house.rows();
      const { outcome } = await mutate({ validateOnly: true, requestId: `ask-${name}` });
      assert.deepEqual([outcome.validatedOnly, outcome.state], [true, "PENDING"], name);
      assert.equal(await house.rows(), rows, name);
      const asked = (await house.records()).at(-1);
      assert.equal(asked?.stage, "QUESTION", name);
    });
    await each(async ({ name, act: mutate }) => {
      const question = await mutate({ validateOnly: true });
      const answer = await mutate({ planEtag: question.outcome.planEtag });
      assert.deepEqual(answer.outcome.plan, question.outcome.plan, name);
      const [asked, told] = (await house.records()).slice(-2);
      assert.equal(told?.stage, "RESULT", name);
      assert.equal(told?.event_type, asked?.event_type, name);
    }, /createTeam|deleteTeam|new member|submit|removeMember/);
  });

  it("with validate_only is refused where the act would be", async () => {
    await assertRefused(house, () => act.drop("none", { validateOnly: true }), "NOT_FOUND");
    await assertRefused(house, () => act.submit("ann", "text", { validateOnly: true }), "INVALID_FIELD");
  });

  it("insists on the plan that was previewed", async () => {
    await each(async ({ act: mutate }) => {
      await assertRefused(house, () => mutate({ planEtag: "another" }), "PLAN_CHANGED");
    });
  });

  it("insists on the etag it is given", async () => {
    await each(async ({ name, version, act: mutate }) => {
      await assertRefused(house, () => mutate({ etag: "999" }), "ETAG_MISMATCH");
      if (version === 0n) return;
      const { outcome } = await mutate({ etag: String(version), validateOnly: true });
      assert.equal(outcome.state, "PENDING", name);
    });
  });

  it("changes the etag it insists on", async () => {
    const { member } = await act.add("old", "ann", { etag: "2" });
    assert.equal(member?.etag, "3");
    await assertRefused(house, () => act.remove("qa", "ann", { etag: "2" }), "ETAG_MISMATCH");
    assert.equal((await act.remove("qa", "ann", { etag: "3" })).member?.etag, "4");
    await assertRefused(house, () => act.drop("qa", { etag: "2" }), "ETAG_MISMATCH");
  });

  it("repeated with the same request_id changes nothing more and is answered as before", async () => {
    await each(async ({ name, act: mutate }) => {
      const requestId = `once-${name}`;
      const first = await mutate({ requestId });
      const [rows, records] = [await house.rows(), (await house.records()).length];
      const second = await mutate({ requestId });
      assert.deepEqual([first.outcome.requestReplayed, second.outcome.requestReplayed], [false, true], name);
      assert.equal(await house.rows(), rows, name);
      assert.equal((await house.records()).length, records, name);
      assert.deepEqual({ ...second, outcome: undefined }, { ...first, outcome: undefined }, name);
    }, /createTeam|deleteTeam|new member|submit|removeMember/);
  });

  it("sent several times at once with one request_id is made once", async () => {
    const further = makeCertificate(house.now()).pem;
    const answers = await Promise.all([1, 2, 3, 4].map(() => act.submit("ann", further, { requestId: "same" })));
    assert.equal(answers.filter((answer) => !answer.outcome.requestReplayed).length, 1);
    assert.equal(new Set(answers.map((answer) => answer.certificate?.id)).size, 1);
    assert.equal(await act.revision("qa"), 3n);
  });

  it("refuses a request_id that came with another body", async () => {
    await act.add("qa", "bob", { requestId: "mine" });
    const call = { requestDigest: "11".repeat(32) };
    await assertRefused(house, () => act.add("qa", "eve", { requestId: "mine", call }), "REQUEST_ID_REUSED");
  });

  it("is refused before anything happens when its caller has no time left", async () => {
    await each(async ({ act: mutate }) => {
      const late = { call: { deadline: Date.now() + 100 } } as Partial<ChangeOptions>;
      await assertRefused(house, () => mutate(late), "DEADLINE_TOO_SHORT");
    });
  });
});
