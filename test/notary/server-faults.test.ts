import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { Fault } from "../../src/errors.ts";
import type { Gun, RoleName } from "../../src/names.ts";
import { openNotaryServers } from "../../src/notary/directory.ts";
import type { NotaryServer } from "../../src/notary/server.ts";
import type { NotaryServerSettings } from "../../src/notary/settings.ts";
import { makeSigner } from "./collection.ts";
import { answer, type Peer, type PeerScript, startPeer } from "./peer.ts";

const gun = "dtr.example.org:5000/dev/nginx" as Gun;
const root = "root" as RoleName;
const releases = "targets/releases" as RoleName;
const files = [{ role: releases, bytes: Buffer.from("{}") }];
const never = new AbortController().signal;
const absent = answer(404, '{"errors":[{"code":"METADATA_NOT_FOUND","message":"m","detail":{}}]}');

const serverKey = JSON.stringify({
  keytype: "ecdsa",
  keyval: { public: makeSigner().key.public.toString("base64"), private: null },
});

async function withPeer(
  context: TestContext,
  script: PeerScript,
  settings: Partial<NotaryServerSettings> = {},
): Promise<{ peer: Peer; server: NotaryServer }> {
  const peer = await startPeer(script);
  const servers = openNotaryServers([{ name: "main", baseUrl: peer.url, registryHosts: ["*"], ...settings }]);
  context.after(async () => {
    await servers.close();
    await peer.close();
  });
  return { peer, server: servers.byName("main") };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

const unavailable = (detail: RegExp) => (error: unknown) => {
  assert.ok(error instanceof Fault);
  assert.equal(error.reason, "NOTARY_UNAVAILABLE");
  assert.match(error.message, detail);
  return true;
};

test("requests carry the encoded GUN behind the sub-path and ask no cache", async (t) => {
  const { peer } = await withPeer(t, {
    onRequest: (socket, request) => socket.write(answer(200, request.line.includes(".key") ? serverKey : "body")),
  });
  const servers = openNotaryServers([{ name: "sub", baseUrl: `${peer.url}/a/b/`, registryHosts: ["*"] }]);
  t.after(() => servers.close());
  const server = servers.byName("sub");
  assert.equal((await server.readVersion(gun, releases, 3, never))?.toString(), "body");
  await server.readCurrent(gun, root, never);
  assert.equal((await server.readServerKey(gun, "snapshot", never)).toString(), serverKey);
  assert.equal((await server.upload(gun, files, never)).kind, "ACCEPTED");
  const base = "/a/b/v2/dtr.example.org%3A5000/dev/nginx/_trust/tuf";
  assert.deepEqual(
    peer.requests.map((request) => request.line),
    [
      `GET ${base}/3.targets/releases.json HTTP/1.1`,
      `GET ${base}/root.json HTTP/1.1`,
      `GET ${base}/snapshot.key HTTP/1.1`,
      `POST ${base}/ HTTP/1.1`,
    ],
  );
  for (const request of peer.requests.slice(0, 3)) assert.equal(request.headers.get("cache-control"), "no-cache");
  assert.match(peer.requests[3]?.headers.get("content-type") ?? "", /^multipart\/form-data; boundary=/);
  assert.ok(peer.requests[3]?.body.includes('filename="targets/releases"'));
});

test("a kept connection is used again", async (t) => {
  const { peer, server } = await withPeer(t, { onRequest: (socket) => socket.write(absent) });
  for (let time = 0; time < 3; time++) assert.equal(await server.readCurrent(gun, root, never), undefined);
  assert.equal(peer.requests.length, 3);
  assert.equal(peer.connections, 1);
});

test("a refused connection proves that nothing was sent", async (t) => {
  const { peer, server } = await withPeer(t, {});
  await peer.close();
  t.mock.method(peer, "close", async () => undefined);
  assert.deepEqual(await server.upload(gun, files, never), {
    kind: "UNREACHABLE",
    sent: false,
    detail: "the connection was refused",
  });
  await assert.rejects(server.readCurrent(gun, root, never), unavailable(/connection was refused/));
});

test("a reset in the middle of a request may have been sent, is not repeated, and changes the generation", async (t) => {
  const metrics = answer(200, "# HELP\nprocess_start_time_seconds 1.5e+09\nother 1\n");
  const { peer, server } = await withPeer(t, {
    onRequest: (socket, request) =>
      request.line.includes("/metrics") ? socket.write(metrics) : socket.resetAndDestroy(),
  });
  assert.equal(await server.generation(never), "1.5e+09/0");
  const outcome = await server.upload(gun, files, never);
  assert.deepEqual([outcome.kind, "sent" in outcome && outcome.sent], ["UNREACHABLE", true]);
  assert.equal(await server.generation(never), "1.5e+09/1");
  await assert.rejects(server.readCurrent(gun, root, never), unavailable(/connection broke/));
  assert.equal(peer.requests.filter((request) => !request.line.includes("/metrics")).length, 2);
});

test("a reset before the whole upload arrived may have been sent, too", async (t) => {
  const { server } = await withPeer(t, { onFirstBytes: (socket) => socket.resetAndDestroy() });
  const large = [{ role: root, bytes: Buffer.alloc(8 * 1024 ** 2, "x") }];
  const outcome = await server.upload(gun, large, never);
  assert.deepEqual([outcome.kind, "sent" in outcome && outcome.sent], ["UNREACHABLE", true]);
});

test("a server without metrics has a generation of broken connections only", async (t) => {
  const { server } = await withPeer(t, { onRequest: (socket) => socket.write(answer(404, "nothing")) });
  assert.equal(await server.generation(never), "unknown/0");
});

test("metrics that cannot be read just now are no restart", async (t) => {
  const { server } = await withPeer(t, { onRequest: (socket) => socket.write(answer(503, "down")) });
  await assert.rejects(server.generation(never), unavailable(/metrics/));
});

test("a truncated answer is never taken for a file", async (t) => {
  const { server } = await withPeer(t, {
    onRequest: (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"),
  });
  await assert.rejects(server.readVersion(gun, root, 1, never), unavailable(/connection broke before the answer/));
});

test("an upload whose 200 was cut off is unreachable", async (t) => {
  const { server } = await withPeer(t, { onRequest: (socket) => socket.end("HTTP/1.1 200 OK\r\ncontent-le") });
  assert.equal((await server.upload(gun, files, never)).kind, "UNREACHABLE");
});

test("garbage is no answer", async (t) => {
  const { server } = await withPeer(t, { onRequest: (socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n") });
  await assert.rejects(server.readVersion(gun, root, 1, never), unavailable(/not HTTP/));
  const outcome = await server.upload(gun, files, never);
  assert.deepEqual([outcome.kind, "sent" in outcome && outcome.sent], ["UNREACHABLE", true]);
});

test("a redirect is not followed, wherever it points", async (t) => {
  const other = await startPeer({ onRequest: (socket) => socket.write(answer(200, "stolen")) });
  t.after(() => other.close());
  const { server } = await withPeer(t, {
    onRequest: (socket) => socket.write(answer(307, "", { location: `${other.url}/v2/` })),
  });
  await assert.rejects(server.readCurrent(gun, root, never), unavailable(/redirects are not followed/));
  assert.equal((await server.upload(gun, files, never)).kind, "FAILED");
  assert.equal(other.connections, 0);
});

test("a 200 that holds no key is no server key", async (t) => {
  const empty = '{"keytype":"","keyval":{"public":null,"private":null}}';
  const { server } = await withPeer(t, { onRequest: (socket) => socket.write(answer(200, empty)) });
  await assert.rejects(server.readServerKey(gun, "snapshot", never), unavailable(/holds no snapshot key/));
});

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

test("other bytes than their hash says are refused", async (t) => {
  const { server } = await withPeer(t, { onRequest: (socket) => socket.write(answer(200, "hello")) });
  const sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
  assert.equal((await server.readByHash(gun, root, sha256, never))?.toString(), "hello");
  await assert.rejects(server.readByHash(gun, root, sha256.replace("2", "3"), never), unavailable(/other bytes/));
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
  const servers = openNotaryServers([
    { name: "tls", baseUrl: `https://127.0.0.1:${peer.port}`, registryHosts: ["*"], requestTimeoutMs: 150 },
  ]);
  t.after(() => servers.close());
  const outcome = await servers.byName("tls").upload(gun, files, never);
  assert.deepEqual([outcome.kind, "sent" in outcome && outcome.sent], ["UNREACHABLE", false]);
});

test("uploads and current reads wait for each other, reads by version and keys do not", async (t) => {
  const held: Socket[] = [];
  const { peer, server } = await withPeer(t, {
    onRequest: (socket, request) =>
      request.line.startsWith("POST") ? void held.push(socket) : void socket.write(absent),
  });
  const order: string[] = [];
  const note = (name: string) => () => void order.push(name);
  const first = server.upload(gun, files, never).then(note("upload"));
  await until(() => held.length === 1);
  const rest = [
    server.readCurrent(gun, root, never).then(note("current")),
    server.readByHash(gun, root, "0".repeat(64), never).then(note("hash")),
  ];
  await server.readVersion(gun, root, 1, never).then(note("version"));
  await server.generation(never).then(note("generation"));
  await assert.rejects(server.readServerKey(gun, "timestamp", never), unavailable(/no timestamp key/));
  assert.equal(peer.requests.length, 4);
  held[0]?.write(answer(200, ""));
  await Promise.all([first, ...rest]);
  assert.deepEqual(order, ["version", "generation", "upload", "current", "hash"]);
});

test("an upload that is given up while it waits was provably never sent", async (t) => {
  const held: Socket[] = [];
  const { peer, server } = await withPeer(t, { onRequest: (socket) => void held.push(socket) });
  const first = server.upload(gun, files, never);
  await until(() => held.length === 1);
  const tired = new AbortController();
  const waiting = server.upload(gun, files, tired.signal);
  const reading = server.readCurrent(gun, root, tired.signal);
  tired.abort();
  assert.deepEqual(await waiting, {
    kind: "UNREACHABLE",
    sent: false,
    detail: "the upload was given up before it left",
  });
  await assert.rejects(reading, { reason: "CANCELLED" });
  held[0]?.write(answer(200, ""));
  assert.equal((await first).kind, "ACCEPTED");
  assert.equal(peer.requests.length, 1);
});

test("an upload that is given up on its way keeps the next one waiting until the server is through", async (t) => {
  const held: Socket[] = [];
  const { peer, server } = await withPeer(t, { onRequest: (socket) => void held.push(socket) });
  const tired = new AbortController();
  const first = server.upload(gun, files, tired.signal);
  await until(() => held.length === 1);
  tired.abort();
  const outcome = await first;
  assert.deepEqual([outcome.kind, "sent" in outcome && outcome.sent], ["UNREACHABLE", true]);
  const next = server.upload(gun, files, never);
  await server.readVersion(gun, root, 1, AbortSignal.timeout(50)).catch(() => undefined);
  assert.equal(peer.requests.filter((request) => request.line.startsWith("POST")).length, 1);
  held[0]?.write(answer(200, ""));
  await until(() => peer.requests.filter((request) => request.line.startsWith("POST")).length === 2);
  held.at(-1)?.write(answer(200, ""));
  assert.equal((await next).kind, "ACCEPTED");
});

test("a read that is given up breaks its connection and passes a Fault on as the reason", async (t) => {
  let hungUp = false;
  const { server } = await withPeer(t, {
    onRequest: (socket) =>
      void socket.once("close", () => {
        hungUp = true;
      }),
  });
  const late = new AbortController();
  const reading = server.readVersion(gun, root, 1, late.signal);
  const reason = new Fault("DEADLINE_EXCEEDED", "too late");
  setTimeout(() => late.abort(reason), 30);
  await assert.rejects(reading, reason);
  await until(() => hungUp);
});

test("with a higher concurrency as many uploads run at once, and no more", async (t) => {
  const held: Socket[] = [];
  const { peer, server } = await withPeer(t, { onRequest: (socket) => void held.push(socket) }, { concurrency: 2 });
  const all = [1, 2, 3].map(() => server.upload(gun, files, never));
  await until(() => held.length === 2);
  held[0]?.write(answer(200, ""));
  await until(() => held.length === 3);
  assert.equal(peer.requests.length, 3);
  held[1]?.write(answer(200, ""));
  held[2]?.write(answer(200, ""));
  assert.deepEqual(
    (await Promise.all(all)).map(({ kind }) => kind),
    ["ACCEPTED", "ACCEPTED", "ACCEPTED"],
  );
});

test("closing breaks what is under way and what waits", async (t) => {
  const held: Socket[] = [];
  const { server } = await withPeer(t, { onRequest: (socket) => void held.push(socket) });
  const sent = server.upload(gun, files, never);
  const waiting = server.upload(gun, files, never);
  await until(() => held.length === 1);
  await server.close();
  assert.equal((await sent).kind, "UNREACHABLE");
  assert.deepEqual(await waiting, { kind: "UNREACHABLE", sent: false, detail: "this service is shutting down" });
});
