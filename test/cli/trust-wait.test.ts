import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { Publication, PublicationState } from "../../gen/imagetrust/v1/change.ts";
import { Trust, TrustServiceService } from "../../gen/imagetrust/v1/trust.ts";
import { type FakeService, startFakeService } from "./fake-service.ts";

const gun = "dtr.example.org/dev/nginx";
const { PUBLISHED, PENDING, BLOCKED } = PublicationState;
let service: FakeService;
beforeEach(async () => {
  service = await startFakeService();
});
afterEach(() => service.close());

test("trust wait asks until the newest generation is live", async () => {
  let attempts = 0;
  service.answer(TrustServiceService.getTrust, ({ minPublishedGeneration }) => {
    attempts++;
    if (attempts > 1) assert.equal(minPublishedGeneration, 5n);
    const publishedGeneration = attempts < 3 ? 4n : 5n;
    const state = attempts < 3 ? PENDING : PUBLISHED;
    return { trust: trustWith({ state, generation: 5n, publishedGeneration }) };
  });
  const { code, out } = await service.run("trust", "wait", gun);
  assert.equal(code, 0);
  assert.equal(attempts, 3);
  assert.match(out, /nginx/);
});

test("trust wait gives up at once on a blocked collection, and at --timeout on a pending one", async () => {
  const answer = (state: PublicationState) =>
    service.answer(TrustServiceService.getTrust, () => ({
      trust: trustWith({ state, generation: 5n, publishedGeneration: 4n }),
    }));
  answer(BLOCKED);
  assert.equal((await service.run("trust", "wait", gun)).code, 3);
  assert.equal(service.arrivals.length, 1);
  answer(PENDING);
  assert.equal((await service.run("--timeout", "0.7", "trust", "wait", gun)).code, 3);
});

function trustWith(parts: Partial<Publication>): Trust {
  return { ...Trust.fromPartial({ gun }), publication: { ...Publication.fromPartial({ gun }), ...parts } };
}
