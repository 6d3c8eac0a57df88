import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { Outcome, Publication, PublicationState, Rollout } from "../../gen/imagetrust/v1/change.ts";
import { DelegationServiceService } from "../../gen/imagetrust/v1/delegation.ts";
import { TeamServiceService } from "../../gen/imagetrust/v1/team.ts";
import { CollectionState, Trust, TrustServiceService } from "../../gen/imagetrust/v1/trust.ts";
import { type FakeService, startFakeService } from "./fake-service.ts";

const gun = "dtr.example.org/dev/nginx";
const { INITIALIZING, IN_SYNC, PENDING, BLOCKED, DELETED } = CollectionState;
let service: FakeService;
beforeEach(async () => {
  service = await startFakeService();
});
afterEach(() => service.close());

/** A collection whose newest generation is the fifth. */
function trustWith(
  state: CollectionState,
  publishedGeneration: bigint,
  publication: PublicationState = PublicationState.PUBLISHED,
): Trust {
  const parts = { gun, generation: 5n, publishedGeneration, state: publication };
  return { ...Trust.fromPartial({ gun, state }), publication: { ...Publication.fromPartial({}), ...parts } };
}

/** Answers one after the other, the last one for ever. */
function answerTrusts(...trusts: readonly Trust[]): void {
  let asked = 0;
  service.answer(TrustServiceService.getTrust, () => ({ trust: trusts[Math.min(asked++, trusts.length - 1)] }));
}

test("trust wait asks until the newest generation is live", async () => {
  const pending = trustWith(PENDING, 4n, PublicationState.PENDING);
  answerTrusts(pending, pending, trustWith(IN_SYNC, 5n));
  const { code, out } = await service.run("trust", "wait", gun);
  assert.equal(code, 0);
  assert.match(out, /nginx {2}IN_SYNC/);
  const generations = service.requests(TrustServiceService.getTrust).map((request) => request.minPublishedGeneration);
  assert.deepEqual(generations, [0n, 5n, 5n]);
});

test("trust wait waits for a change of a team, which raises no generation", async () => {
  answerTrusts(trustWith(PENDING, 5n), trustWith(IN_SYNC, 5n));
  assert.equal((await service.run("trust", "wait", gun)).code, 0);
  assert.equal(service.arrivals.length, 2);
});

test("trust wait waits for a first publication", async () => {
  answerTrusts(trustWith(INITIALIZING, 0n, PublicationState.PENDING), trustWith(IN_SYNC, 5n));
  assert.equal((await service.run("trust", "wait", gun)).code, 0);
});

test("an answer whose state is newer than its publication is asked for again", async () => {
  answerTrusts(trustWith(IN_SYNC, 4n, PublicationState.PENDING), trustWith(IN_SYNC, 5n));
  assert.equal((await service.run("trust", "wait", gun)).code, 0);
  assert.equal(service.arrivals.length, 2);
});

test("trust wait gives up at once on a collection that is blocked or deleted, also when its generation was live", async () => {
  for (const [state, published] of [
    [BLOCKED, 4n],
    [BLOCKED, 5n],
    [DELETED, 5n],
  ] as const) {
    answerTrusts(trustWith(state, published));
    for (const options of [[], ["--generation", "5"]]) {
      const asked = service.arrivals.length;
      assert.equal((await service.run("trust", "wait", gun, ...options)).code, 3);
      assert.equal(service.arrivals.length, asked + 1);
    }
  }
});

test("trust wait gives up at --timeout on a collection that stays pending", async () => {
  for (const trust of [trustWith(PENDING, 4n, PublicationState.PENDING), trustWith(PENDING, 5n)]) {
    answerTrusts(trust);
    const asked = service.arrivals.length;
    assert.equal((await service.run("--timeout", "0.7", "trust", "wait", gun)).code, 3);
    assert.ok(service.arrivals.length > asked + 1);
  }
});

test("trust wait --generation is about that generation, whatever came after it", async () => {
  answerTrusts(trustWith(PENDING, 4n, PublicationState.PENDING));
  assert.equal((await service.run("trust", "wait", gun, "--generation", "4")).code, 0);
  assert.equal((await service.run("--timeout", "0.7", "trust", "wait", gun, "--generation", "5")).code, 3);
});

/** Answers rollouts one after the other, the last one for ever. */
function answerRollouts(...counts: readonly Partial<Rollout>[]): void {
  let asked = 0;
  service.answer(DelegationServiceService.getRollout, () => {
    const rollout = { ...Rollout.fromPartial({ id: "5c" }), ...counts[Math.min(asked++, counts.length - 1)] };
    const open = [Publication.fromPartial({ gun, state: PublicationState.BLOCKED })];
    return { rollout, publications: rollout.blocked > 0 ? open : [], nextPageToken: "" };
  });
}

test("rollout wait asks until nothing is pending, and exits 0 when all is settled", async () => {
  answerRollouts({ pending: 2 }, { pending: 1, blocked: 1 }, { published: 1, superseded: 1, unchanged: 1 });
  const { code, out } = await service.run("rollout", "wait", "5c");
  assert.equal(code, 0);
  assert.equal(service.arrivals.length, 3);
  assert.match(out, /^Progress +1 published, 1 superseded, 1 unchanged$/m);
  assert.partialDeepStrictEqual(service.requests(DelegationServiceService.getRollout)[0], {
    id: "5c",
    states: [PublicationState.PENDING, PublicationState.BLOCKED],
  });
});

test("rollout wait exits 3 at once when only blocked collections remain, and names them", async () => {
  answerRollouts({ published: 3, blocked: 1 });
  const { code, out } = await service.run("rollout", "wait", "5c");
  assert.equal(code, 3);
  assert.equal(service.arrivals.length, 1);
  assert.match(out, /nginx +BLOCKED/);
});

test("rollout wait exits 3 at --timeout and for what was cancelled; rollout get only shows", async () => {
  answerRollouts({ pending: 1 });
  assert.equal((await service.run("--timeout", "0.7", "rollout", "wait", "5c")).code, 3);
  assert.equal((await service.run("rollout", "get", "5c")).code, 0);
  answerRollouts({ published: 1, cancelled: 1 });
  assert.equal((await service.run("rollout", "wait", "5c")).code, 3);
});

test("a pending change of a team says how to wait for its rollout", async () => {
  const rollout = Rollout.fromPartial({ id: "5c", total: 2, pending: 2 });
  const outcome = Outcome.fromPartial({ state: PublicationState.PENDING, rollout });
  service.answer(TeamServiceService.removeMember, () => ({ outcome, member: undefined }));
  const { out } = await service.run("--no-wait", "member", "remove", "qa", "bob");
  assert.match(out, /Wait for it: imagetrust rollout watch 5c$/m);
});
