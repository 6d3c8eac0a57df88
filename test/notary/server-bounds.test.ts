import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import { answer } from "./peer.ts";
import { files, gun, never, openServer, root, unavailable, until, withPeer } from "./peer-client.ts";

/** Writes a body piece by piece until the reader hangs up, and tells how much went out. */
function writeForever(socket: Socket, head: string): () => number {
  let written = 0;
  socket.write(head);
  const piece = Buffer.alloc(64 * 1024, "x");
  const more = () => {
    while (!socket.destroyed) {
      written += piece.length;
      if (!socket.write(piece)) return void socket.once("drain", more);
    }
  };
  more();
  return () => written;
}

test("a body over the bound is refused while it streams, however long it says it is", async (t) => {
  for (const head of ["HTTP/1.1 200 OK\r\ncontent-length: 9000000000\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"]) {
    let sent = () => 0;
    let hungUp = false;
    const { server } = await withPeer(
      t,
      {
        onRequest: (socket) => {
          socket.once("close", () => {
            hungUp = true;
          });
          sent = writeForever(socket, head);
        },
      },
      { maxBodyBytes: 100_000 },
    );
    await assert.rejects(server.readVersion(gun, root, 1, never), unavailable(/longer than 100000 bytes/));
    await until(() => hungUp);
    assert.ok(sent() < 64 * 1024 ** 2);
  }
});

test("a body of exactly the bound is read", async (t) => {
  const { server } = await withPeer(
    t,
    { onRequest: (socket) => socket.write(answer(200, Buffer.alloc(100_000))) },
    { maxBodyBytes: 100_000 },
  );
  assert.equal((await server.readVersion(gun, root, 1, never))?.length, 100_000);
});

test("an endless error answer is cut and still counts as an answer", async (t) => {
  const { server } = await withPeer(t, {
    onRequest: (socket) => void writeForever(socket, "HTTP/1.1 400 Bad\r\n\r\n"),
  });
  assert.deepEqual(await server.upload(gun, files, never), { kind: "FAILED", detail: "HTTP 400" });
});

test("the text of an error answer reaches callers only when it is printable", async (t) => {
  const body = JSON.stringify({ errors: [{ code: "UNKNOWN", message: `a\u001b[2Jb\nforged ${"x".repeat(5_000)}` }] });
  const { server } = await withPeer(t, { onRequest: (socket) => socket.write(answer(500, body)) });
  await assert.rejects(server.readVersion(gun, root, 1, never), (error: Error) => {
    assert.doesNotMatch(error.message, /\p{C}/u);
    assert.match(error.message, /UNKNOWN: a \[2Jb forged x/);
    return error.message.length < 500;
  });
});

test("no answer at all, a body that stalls and one that drips all end with the timeout", async (t) => {
  const drip = (socket: Socket) => {
    socket.write("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
    const timer = setInterval(() => socket.write("x"), 20);
    socket.once("close", () => clearInterval(timer));
  };
  const cases: readonly (readonly [(socket: Socket) => void, RegExp])[] = [
    [() => undefined, /no answer within 150 ms/],
    [(socket) => void socket.write("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf"), /no complete answer within/],
    [drip, /no complete answer within/],
  ];
  for (const [onRequest, detail] of cases) {
    const { server } = await withPeer(t, { onRequest }, { requestTimeoutMs: 150 });
    await assert.rejects(server.readVersion(gun, root, 1, never), unavailable(detail));
    const outcome = await server.upload(gun, files, never);
    assert.deepEqual([outcome.kind, "sent" in outcome && outcome.sent], ["UNREACHABLE", true]);
  }
});

test("a connection that is never made within the timeout proves that nothing was sent", async (t) => {
  // TLS to a peer that accepts and stays silent: the handshake never ends.
  const { peer } = await withPeer(t, {});
  const server = openServer(t, { baseUrl: `https://127.0.0.1:${peer.port}`, requestTimeoutMs: 150 });
  const outcome = await server.upload(gun, files, never);
  assert.deepEqual([outcome.kind, "sent" in outcome && outcome.sent], ["UNREACHABLE", false]);
});
