import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { makeGenericClientConstructor, type ServiceError, status } from "@grpc/grpc-js";
import type { Call } from "../../src/audit/call.ts";
import { Fault } from "../../src/errors.ts";
import { decodedError, until } from "./fixtures.ts";
import { type CountClient, countService, startTestServer, type TestServer } from "./test-server.ts";

let server: TestServer;
let client: CountClient;
let made = 0;
let ended = 0;
let last: Call | undefined;

async function* count(to: number, call: Call): AsyncGenerator<number> {
  last = call;
  try {
    for (let number = 1; number <= to; number++) {
      made = number;
      yield await Promise.resolve(number);
    }
    if (to === 0)
      await new Promise((_resolve, reject) => call.signal.addEventListener("abort", () => reject(call.signal.reason)));
    if (to === 3) throw new Fault("CONFLICT", "It broke off after three.");
    if (to === 4) throw new Error("planted detail");
  } finally {
    ended += 1;
  }
}

before(async () => {
  server = await startTestServer({ count, edge: { times: { streamMs: 300, longestMs: 10_000 } } });
  const Client = makeGenericClientConstructor(countService, "Counter");
  client = new Client(server.address, server.credentialsOf(server.admin)) as unknown as CountClient;
});
after(async () => {
  client.close();
  await server.stop();
});

async function received(to: number): Promise<{ numbers: number[]; error: ServiceError | undefined }> {
  const numbers: number[] = [];
  try {
    for await (const number of client.count(to, { deadline: Date.now() + 10_000 })) numbers.push(number);
  } catch (error) {
    return { numbers, error: error as ServiceError };
  }
  return { numbers, error: undefined };
}

test("all messages of a stream arrive in order, and the stream ends", async () => {
  const { numbers, error } = await received(1_000);
  assert.equal(error, undefined);
  assert.deepEqual(
    numbers,
    Array.from({ length: 1_000 }, (_, index) => index + 1),
  );
  await until(() => server.counted.at(-1) === "ended Count OK");
});

test("a fault in mid-stream arrives after what was sent, with its details", async () => {
  const { numbers, error } = await received(3);
  assert.deepEqual(numbers, [1, 2, 3]);
  assert.equal(error?.code, status.ABORTED);
  assert.equal(error && decodedError(error).reason, "CONFLICT");
});

test("what is no Fault is INTERNAL to the caller", async () => {
  const { error } = await received(4);
  assert.equal(error?.code, status.INTERNAL);
  assert.doesNotMatch(JSON.stringify(error), /planted detail/);
});

test("a stream without a deadline gets one, and its handler is told", async () => {
  const before = ended;
  const { error } = await received(0);
  assert.equal(error?.code, status.DEADLINE_EXCEEDED);
  await until(() => ended === before + 1);
});

test("a client that stops reading stops the handler, and one that goes away ends it", async () => {
  made = 0;
  const before = ended;
  const stream = client.count(10_000_000, { deadline: Date.now() + 10_000 }).on("error", () => undefined);
  await new Promise((resolve) => stream.once("data", resolve));
  stream.pause();
  await until(isStandingStill);
  assert.ok(made < 10_000_000);
  stream.cancel();
  await until(() => ended === before + 1);
  assert.equal(last?.signal.aborted, true);
});

/** Whether no message was made for many turns of the event loop. */
async function isStandingStill(): Promise<boolean> {
  const seen = made;
  for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
  return seen === made;
}

test("a stream is refused to who is not permitted, and the refusal is recorded", async () => {
  const Client = makeGenericClientConstructor(countService, "Counter");
  const stranger = new Client(
    server.address,
    server.credentialsOf(await server.issue("stranger")),
  ) as unknown as CountClient;
  const error = await new Promise<ServiceError>((resolve) =>
    stranger
      .count(5)
      .on("data", () => undefined)
      .on("error", resolve),
  );
  stranger.close();
  assert.equal(error.code, status.PERMISSION_DENIED);
  assert.equal(server.refusals.at(-1)?.call.method, "test.Counter/Count");
});
