import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { Outcome, Plan, Publication, PublicationState, Rollout, RolloutKind } from "../../gen/imagetrust/v1/change.ts";
import { DelegationServiceService } from "../../gen/imagetrust/v1/delegation.ts";
import { createProgressLine } from "../../src/cli/rollout-progress.ts";
import { watchRollout } from "../../src/cli/rollout-watch.ts";
import type { Session } from "../../src/cli/session.ts";
import { type FakeService, refusal, startFakeService } from "./fake-service.ts";

const { watchRollout: watchRpc, batchDelegate } = DelegationServiceService;
let service: FakeService;
beforeEach(async () => {
  service = await startFakeService();
});
afterEach(() => service.close());

function rolloutWith(counts: Partial<Pick<Rollout, "published" | "pending" | "refused">>): Rollout {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return { ...Rollout.fromPartial({}), id: "5c", kind: RolloutKind.BATCH, total, ...counts };
}

const told = (counts: Parameters<typeof rolloutWith>[0], failures: readonly Publication[] = []) => ({
  rollout: rolloutWith(counts),
  failures,
});

test("a watch prints plain lines without a terminal, asks again where a stream ends early, and exits 0 when all is live", async () => {
  let asked = 0;
  service.answer(watchRpc, () => {
    asked++;
    if (asked === 1) return [told({ published: 1, pending: 3 })] as never;
    if (asked === 2) throw refusal(status.UNAVAILABLE, "", "shutting down");
    return [told({ published: 2, pending: 2 }), told({ published: 4 })] as never;
  });
  const { code, out, err } = await service.run("rollout", "watch", "5c");
  assert.equal(code, 0, err);
  assert.equal(asked, 3);
  assert.ok(!out.includes("\r") && !out.includes("\u001b"));
  const lines = out.trimEnd().split("\n");
  assert.match(lines[0] ?? "", /^\[######-+\] {2}1\/4 {2}25 % {2}1 published, 3 pending$/);
  assert.match(lines.at(-1) ?? "", /^\[#{24}\] {2}4\/4 {2}100 % .* 4 published$/);
});

test("a watch ends with 3 and names what needs somebody", async () => {
  const gun = "dtr.example.org/dev/nginx";
  const failure = { ...Publication.fromPartial({}), gun, state: PublicationState.REFUSED, detail: "TOO_LARGE: no" };
  service.answer(watchRpc, () => [told({ published: 3, refused: 1 }, [failure])] as never);
  const { code, out } = await service.run("rollout", "watch", "5c");
  assert.equal(code, 3);
  assert.match(out, /nginx {2}REFUSED .*TOO_LARGE: no/);
});

test("--json prints one document a message", async () => {
  service.answer(watchRpc, () => [told({ published: 1, pending: 1 }), told({ published: 2 })] as never);
  const { out } = await service.run("--json", "rollout", "watch", "5c");
  const documents = out
    .trimEnd()
    .split(/(?<=^\})\n/m)
    .map((text) => JSON.parse(text));
  assert.deepEqual(
    documents.map(({ rollout }) => [rollout.kind, rollout.published]),
    [
      ["BATCH", 1],
      ["BATCH", 2],
    ],
  );
});

test("a watch ends with 3 at --timeout, and a rollout that is not there is refused", async () => {
  service.answer(watchRpc, () => [told({ pending: 1 })] as never);
  const late = await service.run("--timeout", "0.3", "rollout", "watch", "5c");
  assert.deepEqual([late.code, /Time is up; .* rollout watch 5c/.test(late.err)], [3, true]);
  service.answer(watchRpc, () => {
    throw refusal(status.NOT_FOUND, "NOT_FOUND", "There is no rollout 5c.");
  });
  const { code, err } = await service.run("rollout", "watch", "5c");
  assert.deepEqual([code, /NOT_FOUND/.test(err)], [1, true]);
});

test("on a terminal one line is drawn anew; Ctrl-C leaves the rollout and says how to come back", async () => {
  const out: string[] = [];
  const err: string[] = [];
  let interrupt: () => void = () => undefined;
  const session = {
    api: {
      call: () => assert.fail("a watch makes no other call"),
      stream: async function* (_method: unknown, _request: unknown, _deadline: number, signal: AbortSignal) {
        yield told({ published: 1, pending: 1 });
        interrupt();
        assert.equal(signal.aborted, true);
      },
      close: () => undefined,
    },
    settings: { json: false },
    terminal: {
      out: (text: string) => void out.push(text),
      err: (text: string) => void err.push(text),
      colour: false,
      isTerminal: true,
      input: async function* () {},
      onInterrupt: (act: () => void) => {
        interrupt = act;
        return () => undefined;
      },
    },
    deadline: 0,
  } as unknown as Session;
  assert.equal(await watchRollout(session, "5c", Number.POSITIVE_INFINITY), 3);
  assert.ok(out[0]?.startsWith("\r\u001b[K[############------------]  1/2"), out[0]);
  assert.equal(err.join(""), "Left; the rollout goes on. Watch it again: imagetrust rollout watch 5c\n");
});

test("the progress line tells the rate of the last half minute and the time left", () => {
  const line = createProgressLine();
  line.next(rolloutWith({ pending: 1_000 }), 0);
  assert.match(
    line.next(rolloutWith({ published: 100, pending: 900 }), 10_000),
    /100\/1,000 {2}10 % {2}10\.0\/s {2}2 min left/,
  );
  line.next(rolloutWith({ published: 100, pending: 900 }), 45_000);
  assert.match(
    line.next(rolloutWith({ published: 400, pending: 600 }), 60_000),
    /20\.0\/s {2}30 s left {2}400 published/,
  );
});

test("delegate-batch reads names from a file, shows what was decided, and follows its rollout", async () => {
  const file = join(service.folder, "guns");
  writeFileSync(file, "# ours\ndtr.example.org/dev/a\n\n dtr.example.org/dev/b \n");
  const plan = { ...Plan.fromPartial({}), summary: "Delegate 2 repositories to team qa; 0 decided already." };
  const rollout = rolloutWith({ pending: 2 });
  const outcome = { ...Outcome.fromPartial({}), plan, state: PublicationState.PENDING, rollout };
  service.answer(batchDelegate, () => ({ outcome }));
  service.answer(watchRpc, () => [told({ published: 2 })] as never);
  const { code, out } = await service.run("delegate-batch", "qa", "--file", file);
  assert.equal(code, 0);
  assert.match(out, /Delegate 2 repositories to team qa.*\n(?:.*\n)*\[#{24}\] {2}2\/2/);
  const [request] = service.requests(batchDelegate);
  assert.deepEqual(
    [request?.guns, request?.options?.noWait],
    [["dtr.example.org/dev/a", "dtr.example.org/dev/b"], true],
  );
  const left = await service.run("--no-wait", "delegate-batch", "qa", "--file", file);
  assert.equal(left.code, 3);
});
